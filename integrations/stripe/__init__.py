"""Stripe: cards and what else a tenant's Stripe account accepts."""
