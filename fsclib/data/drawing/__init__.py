"""What drawn people look like; synthetic.py says which images there are and where they lie."""

from fsclib.data.drawing.draw import DRAWING, HARDNESS, draw_person, person

__all__ = ["DRAWING", "HARDNESS", "draw_person", "person"]
