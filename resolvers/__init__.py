"""Use cases: check the scope, open one transaction, call the domain, announce."""
