"""Which parts of an image contribute to a similarity."""
