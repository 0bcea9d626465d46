"""Who did what on the platform."""
