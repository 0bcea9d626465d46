"""Figures of all tenants' payments, by day."""
