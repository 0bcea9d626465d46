"""Heads of tenants' ledgers, kept where the tenants' databases are not."""
