"""Draws synthetic people. The rest of the library needs these names, and `chance`."""

from fsclib.data.drawing.difficulty import DIFFICULTIES, LEVELS, difficulty_of
from fsclib.data.drawing.draw import DRAWING, Drawn, draw
from fsclib.data.drawing.people.labels import PARTS
from fsclib.data.drawing.people.twins import attributes, family

__all__ = ["DIFFICULTIES", "DRAWING", "LEVELS", "PARTS", "Drawn", "attributes", "difficulty_of", "draw", "family"]
