"""Decodes image files into one memory-mapped file."""
