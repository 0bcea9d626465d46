"""Payment providers, and what each supports."""
