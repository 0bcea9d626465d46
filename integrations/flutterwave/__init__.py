"""Flutterwave, version 3 of its API."""
