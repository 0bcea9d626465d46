"""The platform's own data and rules: one database, one folder for each area."""
