"""Trained networks in other programs: as a function from images to vectors (embedder), and as files (export)."""
