"""The registry of tenants: who they are, where their databases are, and their life cycle."""
