"""Speed and memory of fsclib, compared with a plain transcription of the method. Nothing in fsclib imports this package."""
