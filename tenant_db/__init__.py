"""One tenant's data and rules: one database for each tenant, one folder for each area."""
