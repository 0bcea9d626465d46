"""Everything that runs outside a request."""
