"""Procedural places behind the people, in three spectra."""
