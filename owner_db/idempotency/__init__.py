"""Idempotency keys of the owner database."""
