"""What notebook 05 shows."""
