"""The place behind the people, as a map of materials: drawn from (seed, camera), so that a background tells no one apart."""

from functools import lru_cache

import numpy as np

from fsclib.data.drawing.identity import SCENE, between, pick, stream
from fsclib.data.drawing.materials import SHADE, Material
from fsclib.data.drawing.raster import fill_ellipse, fill_polygon

M = Material


@lru_cache(maxsize=32)
def scene(seed: int, number: int, height: int, width: int) -> np.ndarray:
    """A wall, a floor and what stands about before camera `number`; uint8 (height·5/4, 3·width), read-only.

    An image of height × width shows a part of it, each image another one.
    """
    rng, h, w = stream(SCENE, number, seed), height * 5 // 4, width * 3
    place = np.full((h, w), M.WALL, np.uint8)

    def share(span: int, low: int, high: int) -> int:
        """So many per cent of a span, drawn between low and high."""
        return span * between(rng, low, high) // 100

    def box(left: int, top: int, right: int, bottom: int, tone: int) -> None:
        place[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = tone

    horizon, line = share(h, 52, 72), max(1, h // 120)
    for _ in range(between(rng, 2, 5)):  # doors, boards, windows
        left, top = share(w, -5, 95), share(h, 0, 30)
        kind = pick(rng, {M.PANEL: 2, M.DOOR: 2, M.SKY: 1})
        right, bottom = left + share(w, 6, 20), horizon if kind == M.DOOR else top + share(h, 15, 30)
        box(left - line, top - line, right + line, bottom + line, M.FRAME)
        box(left, top, right, bottom, kind)
    if pick(rng, {True: 1, False: 1}):  # planks
        for top in range(0, horizon, max(4, share(h, 5, 12))):
            box(0, top, w, top + 1, M.LINE + SHADE)
    box(0, horizon, w, h, M.FLOOR)
    box(0, horizon, w, horizon + line, M.FRAME)
    if pick(rng, {True: 2, False: 1}):  # joints of the floor, towards a vanishing point
        middle = share(w, 30, 70)
        for x in range(-3 * w, 4 * w, max(6, share(w, 6, 16))):
            far = middle + (x - middle) // 3
            fill_polygon(place, [(far, horizon), (far + 1, horizon), (x + line, h), (x, h)], M.LINE)
    for _ in range(between(rng, 0, 3)):
        left, bottom, side = share(w, 0, 95), horizon + share(h, 0, 10), share(h, 6, 16)
        box(left - 1, bottom - side - 1, left + side + 1, bottom + 1, M.BOX + 3 * SHADE)
        box(left, bottom - side, left + side, bottom, M.BOX)
    for _ in range(pick(rng, {0: 2, 40: 1})):  # a bush
        x, y, r = share(w, 0, 30), horizon - share(h, 0, 30), share(h, 1, 3)
        fill_ellipse(place, x - r, y - r, x + r, y + r, M.LEAF + SHADE * between(rng, 0, 2))
    _stain(rng, place, max(2, h // 80))
    place.flags.writeable = False
    return place


def _stain(rng: np.random.Generator, place: np.ndarray, cell: int) -> None:
    """Square spots on wall and floor, which no real wall or floor is without."""
    h, w = place.shape
    spots = rng.random((h // cell + 1, w // cell + 1)) < 0.3
    spots = spots.repeat(cell, 0).repeat(cell, 1)[:h, :w]
    for clean, stained in ((M.WALL, M.WALL_STAIN), (M.FLOOR, M.FLOOR_STAIN)):
        place[spots & (place == clean)] = stained
