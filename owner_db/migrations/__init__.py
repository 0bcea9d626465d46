"""The chain of migrations of the owner database."""
