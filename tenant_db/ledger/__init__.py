"""Double entry: accounts, transfers, entries, holds."""
