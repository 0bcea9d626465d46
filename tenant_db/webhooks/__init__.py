"""Webhooks to tenants: where they want to be told, and what they were told."""
