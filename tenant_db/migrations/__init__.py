"""The chain of migrations of every tenant database."""
