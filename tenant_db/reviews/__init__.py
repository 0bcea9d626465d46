"""The queue for people: what is ambiguous, contradicts itself, or stays unknown."""
