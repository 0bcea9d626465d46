"""Who did what in one tenant."""
