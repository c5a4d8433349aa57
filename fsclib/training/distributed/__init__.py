"""Trains one network with several processes."""
