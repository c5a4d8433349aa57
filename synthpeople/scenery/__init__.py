"""Procedural backgrounds behind the people, in three spectra."""
