"""Trains a network, in one process or several."""
