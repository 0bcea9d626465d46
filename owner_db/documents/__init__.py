"""Persisted GraphQL documents."""
