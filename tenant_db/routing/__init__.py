"""Which provider account collects a payment, and why."""
