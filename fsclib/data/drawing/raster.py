"""Fills polygons and ellipses in integers.

Pillow's polygons changed with its versions (11.0 and 11.3 differ), and its floating point depends on the compiler; a
corpus has to be the same everywhere.
"""

from collections.abc import Sequence

import numpy as np

BEYOND = 1 << 30  # right of every canvas


def fill_polygon(canvas: np.ndarray, points: Sequence[tuple[int, int]], tone: int) -> None:
    """Fill, in place, a polygon that every row crosses in one piece; its border belongs to it.

    canvas (H, W) uint8; points (x, y), which may lie outside; tone 0 … 255.
    """
    height, width = canvas.shape
    heights = [y for _, y in points]
    low, high = min(heights), max(heights)
    left, right = [BEYOND] * (high - low + 1), [-BEYOND] * (high - low + 1)
    xa, ya = points[-1]
    for xb, yb in points:  # tens of rows an edge: a plain loop is quicker than arrays so small
        x0, y0, x1, y1 = (xa, ya, xb, yb) if ya <= yb else (xb, yb, xa, ya)
        xa, ya, rise = xb, yb, max(y1 - y0, 1)
        numerator, step = 2 * x0 * rise + rise, 2 * (x1 - x0)
        for row in range(y0 - low, y1 - low + 1):
            x = numerator // (2 * rise)  # the edge's x at this row, rounded
            if x < left[row]:
                left[row] = x
            if x > right[row]:
                right[row] = x
            numerator += step
    top, bottom = max(low, 0), min(high, height - 1) + 1
    columns = np.arange(max(min(left), 0), min(max(right), width - 1) + 1)
    if top < bottom and len(columns):
        begin, end = (np.array(side[top - low : bottom - low])[:, None] for side in (left, right))
        canvas[top:bottom, columns[0] : columns[-1] + 1][(columns >= begin) & (columns <= end)] = tone


def fill_ellipse(canvas: np.ndarray, left: int, top: int, right: int, bottom: int, tone: int) -> None:
    """Fill, in place, the ellipse inscribed in a box of pixels, both ends included. canvas (H, W) uint8, tone 0 … 255."""
    height, width = canvas.shape
    x0, x1, y0, y1 = max(0, left), min(width, right + 1), max(0, top), min(height, bottom + 1)
    if x0 >= x1 or y0 >= y1:
        return
    w, h = right - left + 1, bottom - top + 1
    across = (2 * np.arange(x0, x1) - left - right) ** 2 * (h * h)
    down = (2 * np.arange(y0, y1) - top - bottom) ** 2 * (w * w)
    canvas[y0:y1, x0:x1][across[None] + down[:, None] <= w * w * h * h] = tone
