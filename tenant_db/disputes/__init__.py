"""Payments that a payer has called into question at the bank."""
