"""Adapters: one folder for each outside system."""
