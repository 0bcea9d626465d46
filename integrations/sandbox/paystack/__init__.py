"""Stands in for Paystack."""
