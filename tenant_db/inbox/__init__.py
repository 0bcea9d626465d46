"""What providers sent, each once."""
