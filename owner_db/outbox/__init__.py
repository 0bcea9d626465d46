"""Jobs of the platform, to run after commit."""
