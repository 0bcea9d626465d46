"""Jobs of one tenant, to run after commit."""
