"""Speaks Paystack: hosted pages, mobile money prompts, refunds, webhooks."""
