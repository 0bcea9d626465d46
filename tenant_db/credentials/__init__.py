"""Provider accounts and their sealed keys."""
