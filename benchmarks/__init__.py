"""What fsclib's speed and memory are, beside a plain transcription of METHOD. Nothing in fsclib imports this package."""
