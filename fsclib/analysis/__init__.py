"""Analyses of trained networks and of data sets. Each returns arrays and tables for figures/ to draw."""
