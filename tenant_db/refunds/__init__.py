"""Money given back to payers."""
