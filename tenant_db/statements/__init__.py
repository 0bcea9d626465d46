"""What providers' statements say, line by line, beside what the books say."""
