"""Attempts to collect one amount for one order."""
