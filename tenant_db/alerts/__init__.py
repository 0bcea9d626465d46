"""What the people of a business must look at."""
