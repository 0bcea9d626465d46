"""Webhooks to tenants: signed, and never to an address of our own networks."""
