"""What the platform's staff must look at: its own troubles, and copies of what businesses were shown."""
