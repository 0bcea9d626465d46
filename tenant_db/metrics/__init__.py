"""Figures of payments and of calls to providers, for charts."""
