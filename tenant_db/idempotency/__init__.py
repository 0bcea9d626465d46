"""Idempotency keys of one tenant."""
