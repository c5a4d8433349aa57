"""Synthetic people: who they are, how they walk and dress, and what three spectra see of that."""
