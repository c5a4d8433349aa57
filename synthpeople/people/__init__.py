"""Synthetic people: identity, gait and clothing, and their appearance in three spectra."""
