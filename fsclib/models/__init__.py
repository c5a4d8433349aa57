"""Networks and their parts. Knows nothing of files."""
