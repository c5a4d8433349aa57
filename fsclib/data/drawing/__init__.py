"""Draws synthetic people. The rest of the library needs these names only."""

from fsclib.data.drawing.difficulty import DIFFICULTIES
from fsclib.data.drawing.draw import DRAWING, Drawn, draw
from fsclib.data.drawing.people.identity import attributes, family
from fsclib.data.drawing.people.labels import PARTS

__all__ = ["DIFFICULTIES", "DRAWING", "PARTS", "Drawn", "attributes", "draw", "family"]
