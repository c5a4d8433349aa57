"""Draws round things, given in body coordinates, on a map of materials, as a camera in the street would see them.

Body coordinates: x to the person's left, y up from the ground, z forward, in units of the stature. The person is turned
by `yaw` degrees (0 towards the camera, 90 walking to the right, 180 away) and seen orthographically from a little above:

    side = x cos + z sin          near = z cos − x sin          pixel = (x₀ + s·side, y₀ − s·(y − tilt·near))

Sines come from a table, squares are products and pixels are filled in integers: the result does not depend on the
machine or its libraries.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import pi, sin, sqrt

import numpy as np

from fsclib.data.drawing.materials import SHADE
from fsclib.data.drawing.raster import fill_ellipse, fill_polygon

SINE = tuple(round(sin(2 * pi * degree / 360) * 4096) / 4096 for degree in range(360))

Joint = tuple[float, float, float, float]  # x, y, z, radius
Station = tuple[float, float, float, float]  # y, half width, half depth, z

LIT, TURNED, EDGE = 0, 1, 3  # shades of `fsclib.data.drawing.materials`


def sine(degrees: int) -> float:
    return SINE[degrees % 360]


def cosine(degrees: int) -> float:
    return SINE[(degrees + 90) % 360]


ROUND = tuple((cosine(degrees), sine(degrees)) for degrees in range(180, -1, -30))  # half a circle, across and along a limb
FLAT = (ROUND[0], ROUND[-1])


class Easel:
    """A view of one person on one canvas, a map of materials, uint8 (H, W), that is drawn on in place.

    scale: pixels per stature. (x0, y0): the pixel of the point between the feet. stretch: of all widths.
    tilt: how much lower a nearer point lies. light: the side it comes from, -1 left, 1 right.
    """

    def __init__(
        self, canvas: np.ndarray, scale: float, x0: float, y0: float, yaw: int, *, stretch: float, tilt: float, light: int
    ):
        self.canvas = canvas
        self.scale, self.x0, self.y0 = scale, x0, y0
        self.sin, self.cos = sine(yaw), cosine(yaw)
        self.stretch, self.tilt, self.light = stretch, tilt, light
        self.outline = max(1.0, scale / 200)

    def near(self, x: float, z: float) -> float:
        """How far a point is towards the camera."""
        return z * self.cos - x * self.sin

    def at(self, x: float, y: float, z: float) -> tuple[float, float]:
        """The pixel of a point."""
        side = x * self.cos + z * self.sin
        return self.x0 + side * self.scale * self.stretch, self.y0 - (y - self.tilt * self.near(x, z)) * self.scale

    def half(self, width: float, depth: float) -> float:
        """Half the width in pixels of an upright elliptic cylinder of these half axes."""
        across, along = width * self.cos, depth * self.sin
        return sqrt(across * across + along * along) * self.scale * self.stretch

    def polygon(self, points: Sequence[tuple[float, float]], tone: int) -> None:
        fill_polygon(self.canvas, [(int(x + 0.5), int(y + 0.5)) for x, y in points], tone)

    def disc(self, x: float, y: float, rx: float, ry: float, tone: int) -> None:
        left, top = int(x - rx + 0.5), int(y - ry + 0.5)
        fill_ellipse(self.canvas, left, top, max(left, int(x + rx + 0.5)), max(top, int(y + ry + 0.5)), tone)

    def limb(self, joints: Sequence[Joint], material: int, far: int = 0, cut: bool = False) -> None:
        """A chain of tapered capsules: outline, the side turned from the light, the lit side.

        far: 1 for limbs beyond the body, a shade darker. cut: the last end is straight, as a hem, and not round.
        """
        chain = [(*self.at(x, y, z), r * self.scale) for x, y, z, r in joints]
        shift = 0.28 * self.light
        self._chain([(x, y, r + self.outline) for x, y, r in chain], material + SHADE * EDGE, cut)
        self._chain(chain, material + SHADE * (TURNED + far), cut)
        self._chain([(x + shift * r, y, r * 0.72) for x, y, r in chain], material + SHADE * (LIT + far), cut)

    def _chain(self, rounds: Sequence[tuple[float, float, float]], tone: int, cut: bool) -> None:
        for number, ((xa, ya, ra), (xb, yb, rb)) in enumerate(pairwise(rounds), start=2):
            dx, dy = xb - xa, yb - ya
            length = sqrt(dx * dx + dy * dy)
            if length <= 1:
                self.disc(xb, yb, max(ra, rb), max(ra, rb), tone)
                continue
            dx, dy = dx / length, dy / length
            near_end = FLAT if cut and number == len(rounds) else ROUND
            points = [(xa + ra * (dy * s - dx * c), ya - ra * (dx * s + dy * c)) for s, c in ROUND]
            points += [(xb - rb * (dy * s - dx * c), yb + rb * (dx * s + dy * c)) for s, c in near_end]
            self.polygon(points, tone)

    def barrel(self, stations: Sequence[Station], material: int, reaches: Sequence = (), x: float = 0.0) -> None:
        """An upright body of elliptic sections, from the top down, about the axis x.

        reaches: pixels (left, right) that each section must include.
        """
        lefts, rights = [], []
        for i, (y, width, depth, z) in enumerate(stations):
            (px, py), half = self.at(x, y, z), self.half(width, depth)
            left, right = reaches[i] if reaches else (px, px)
            lefts.append((min(px - half, left), py))
            rights.append((max(px + half, right), py))
        shadow = [0.3 * (right - left) for (left, _), (right, _) in zip(lefts, rights, strict=True)]
        on_left, on_right = (1, 0) if self.light > 0 else (0, 1)
        lit = [(left + dim * on_left, y) for (left, y), dim in zip(lefts, shadow, strict=True)]
        lit += [(right - dim * on_right, y) for (right, y), dim in zip(rights, shadow, strict=True)][::-1]
        outline = [(left - self.outline, y) for left, y in lefts] + [(right + self.outline, y) for right, y in rights[::-1]]
        self.polygon(outline, material + SHADE * EDGE)
        self.polygon(lefts + rights[::-1], material + SHADE * TURNED)
        self.polygon(lit, material + SHADE * LIT)

    def ball(
        self, x: float, y: float, z: float, width: float, depth: float, height: float, material: int, shade: int = LIT
    ) -> None:
        """An ellipsoid with its outline."""
        (px, py), half = self.at(x, y, z), self.half(width, depth)
        self.disc(px, py, half + self.outline, height * self.scale + self.outline, material + SHADE * EDGE)
        self.disc(px, py, half, height * self.scale, material + SHADE * shade)

    def patch(self, points: Sequence[tuple[float, float, float]], material: int) -> None:
        """A flat polygon of body points."""
        self.polygon([self.at(*point) for point in points], material + SHADE * LIT)
