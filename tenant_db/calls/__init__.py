"""A redacted log of every outside call."""
