"""Accuracy and speed of search in galleries of many sizes."""
