"""Draws synthetic people. Other packages use only the names listed here."""

from synthpeople.difficulty import DIFFICULTIES, LEVELS, difficulty_of
from synthpeople.drawing.draw import DRAWING, Drawn, draw
from synthpeople.people.labels import PARTS
from synthpeople.people.twins import attributes, family

__all__ = ["DIFFICULTIES", "DRAWING", "LEVELS", "PARTS", "Drawn", "attributes", "difficulty_of", "draw", "family"]
