"""Stands in for the providers, over HTTP, in their own wire formats. Knows nothing of ours but `core`."""
