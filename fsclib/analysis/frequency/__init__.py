"""Spectra of images and of feature maps, before and after the modules of a network."""
