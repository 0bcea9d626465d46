"""Pages for people without an account, each one file: markup, style and script."""
