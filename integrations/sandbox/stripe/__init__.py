"""Stripe as its sheet describes it, over a book of its own."""
