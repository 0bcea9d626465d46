"""The row that says whose database this is."""
