"""Stands in for Flutterwave, version 3."""
