"""Who calls, for which tenant, on which database."""
