"""Materials of surfaces and their textures: mottling, stains, joints, foliage.

A pattern is always one material laid over another through a mask. Two materials of equal temperature show no pattern in thermal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from synthpeople.randomness import uniform

Point = tuple[float, float]
Tone = tuple[int, int, int]
GREYS = np.arange(256)


@dataclass(frozen=True)
class Matter:
    """A material's tone in each modality; all 0 … 255."""

    colour: Tone  # visible albedo
    nir: int  # near-infrared reflectance, hardly related to dyes and paints
    warmth: int  # thermal tone; people are at 150 and more

    def tone(self, modality: str, gain: float = 1.0) -> Tone:
        """The colour to paint with; `gain`, the share of the camera's own light that arrives, applies to infrared only."""
        if modality == "visible":
            return self.colour
        value = _byte(self.nir * gain) if modality == "infrared" else self.warmth
        return value, value, value

    def lit(self, share: float) -> "Matter":
        """The same material lighter, darker or dirtier, at the same temperature."""
        red, green, blue = self.colour
        return Matter((_byte(red * share), _byte(green * share), _byte(blue * share)), _byte(self.nir * share), self.warmth)

    def varied(self, rng: Generator, amount: float = 0.12) -> "Matter":
        """A variation of the material: slightly different lightness, hue and temperature."""
        light = uniform(rng, 1 - amount, 1 + amount)
        red, green, blue = (_byte(c * light * uniform(rng, 1 - amount / 6, 1 + amount / 6)) for c in self.colour)
        nir = _byte(self.nir * uniform(rng, 1 - amount, 1 + amount))
        return Matter((red, green, blue), nir, self.warmth + round(uniform(rng, -40, 40) * amount))


SHADOW = Matter((12, 12, 14), 8, 62)


class Surface:
    """A plane in metres, x to the right and y up (or away, on the ground), painted for one modality."""

    def __init__(
        self, image: Image.Image, modality: str, origin: Point, scale: Point, gain: float = 1.0, shine: Callable | None = None
    ):
        """`origin`: the pixel of (0, 0); `scale`: pixels per metre along x and y; `shine`: gets (corners in metres, colour)."""
        self.image, self.modality, self.origin, self.scale, self.gain, self._shine = image, modality, origin, scale, gain, shine
        self._pen = ImageDraw.Draw(image)

    def pixel(self, x: float, y: float) -> Point:
        return self.origin[0] + x * self.scale[0], self.origin[1] - y * self.scale[1]

    def tone(self, matter: Matter) -> Tone:
        return matter.tone(self.modality, self.gain)

    def fill(self, points: Sequence[Point], matter: Matter) -> None:
        self._pen.polygon([self.pixel(*point) for point in points], fill=self.tone(matter))

    def box(self, left: float, bottom: float, right: float, top: float, matter: Matter) -> None:
        self.fill([(left, bottom), (left, top), (right, top), (right, bottom)], matter)

    def disc(self, x: float, y: float, wide: float, high: float, matter: Matter) -> None:
        """An ellipse about (x, y) with these half axes."""
        self._pen.ellipse([*self.pixel(x - wide, y + high), *self.pixel(x + wide, y - high)], fill=self.tone(matter))

    def ring(self, x: float, y: float, radius: float, thick: float, matter: Matter) -> None:
        box = [*self.pixel(x - radius, y + radius), *self.pixel(x + radius, y - radius)]
        self._pen.ellipse(box, outline=self.tone(matter), width=max(1, round(thick * min(self.scale))))

    def stroke(self, points: Sequence[Point], thick: float, matter: Matter) -> None:
        width = max(1, round(thick * min(self.scale)))
        self._pen.line([self.pixel(*point) for point in points], fill=self.tone(matter), width=width, joint="curve")

    def shine(self, left: float, bottom: float, right: float, top: float, colour: Tone) -> None:
        """Adds a lamp, or a window lit from within."""
        if self._shine:
            self._shine([(left, bottom), (left, top), (right, top), (right, bottom)], colour)

    def overlay(self, box: tuple[float, float, float, float], matter: Matter, mask: Image.Image, strength: float = 1.0) -> None:
        """Paints a box (left, bottom, right, top) through `mask` (mode L), which is stretched over it."""
        (left, bottom), (right, top) = self.pixel(*box[:2]), self.pixel(*box[2:])
        left, top = round(left), round(top)
        size = max(1, round(right) - left), max(1, round(bottom) - top)
        mask = _mapped(mask, GREYS * strength).resize(size, Image.Resampling.BICUBIC)
        self.image.paste(self.tone(matter), (left, top, left + size[0], top + size[1]), mask)

    def fade(self, box: tuple[float, float, float, float], matter: Matter, strength: float, towards: str = "down") -> None:
        """Blends in a material gradually towards one side of a box."""
        ramp = Image.linear_gradient("L").resize((32, 32))
        self.overlay(box, matter, ramp.rotate({"down": 0, "right": 90, "up": 180, "left": 270}[towards]), strength)

    def soft(self, x: float, y: float, wide: float, high: float, matter: Matter, strength: float) -> None:
        """A soft spot: a shadow on the ground, or the reflection of a lamp."""
        self.overlay((x - wide, y - high, x + wide, y + high), matter, SPOT, strength)

    def weather(
        self,
        rng: Generator,
        box: tuple[float, float, float, float],
        matter: Matter,
        cell: Point,
        cover: float = 0.5,
        hard: float = 2.0,
        strength: float = 1.0,
    ) -> None:
        """Mottles a box with a material, in spots of about `cell` metres (width, height); a larger `hard` gives sharper edges."""
        columns, rows = (max(2, round((box[2 + i] - box[i]) / cell[i])) for i in (0, 1))
        mask = _mapped(noise(rng, columns, rows), (GREYS - 128) * hard + 255 * cover)
        self.overlay(box, matter, mask, strength)

    def masonry(
        self, rng: Generator, unit: Point, bond: float, joint: Matter, thick: float, other: Matter, strength: float = 0.5
    ) -> None:
        """Covers the surface with tiles, slabs or bricks of `unit` metres, some closer to `other`; each course is shifted by
        `bond` units."""
        (wide, high), (across, down) = self.image.size, self.scale
        x = (np.arange(wide * 4) / 4 - self.origin[0]) / across / unit[0]
        y = (self.origin[1] - np.arange(high * 4) / 4) / down / unit[1]
        course = np.floor(y[1::4]).astype(int)
        course -= course.min()
        shifts = [x, x + bond]
        index = [np.floor(shift[1::4]).astype(int) - int(np.floor(x[0])) for shift in shifts]
        tones = rng.integers(0, 256, (course.max() + 1, max(i.max() for i in index) + 1), np.uint8)
        laid = np.stack([row[index[number % 2]] for number, row in enumerate(tones)])[course]
        # share of joint in each pixel: thin joints stay even in small pictures
        upright = np.stack([_share(shift, thick / unit[0]) for shift in shifts])[course % 2]
        joints = np.maximum(upright, _share(y, thick / unit[1])[:, None])
        self.image.paste(self.tone(other), (0, 0), Image.fromarray((laid * strength).astype(np.uint8)))
        self.image.paste(self.tone(joint), (0, 0), Image.fromarray((joints * 255).astype(np.uint8)))

    def foliage(self, rng: Generator, blobs: Sequence[tuple[float, float, float, float]], leaf: Matter, size: float = 0.05) -> None:
        """Leaves of about `size` metres inside the ellipses `blobs` (x, y, half width, half height), with ragged edges."""
        edge = 4 * size
        left, right = min(b[0] - b[2] for b in blobs) - edge, max(b[0] + b[2] for b in blobs) + edge
        bottom, top = min(b[1] - b[3] for b in blobs) - edge, max(b[1] + b[3] for b in blobs) + edge
        (x0, y0), (x1, y1) = self.pixel(left, top), self.pixel(right, bottom)
        x0, y0, wide, high = round(x0), round(y0), max(2, round(x1 - x0)), max(2, round(y1 - y0))
        image = Image.new("RGB", (wide, high), self.tone(leaf.lit(0.5)))
        leaves = Surface(image, self.modality, (0, high), (wide / (right - left), high / (top - bottom)), self.gain)
        box = (0, 0, right - left, top - bottom)
        leaves.weather(rng, box, leaf.lit(0.85), (size, size), 0.55, 4)
        leaves.weather(rng, box, leaf.lit(1.15), (0.7 * size, 0.7 * size), 0.3, 5)
        leaves.weather(rng, box, leaf.lit(1.45), (0.5 * size, 0.5 * size), -0.1, 6, 0.8)
        leaves.weather(rng, box, leaf.lit(0.3), (size, size), 0.0, 6, 0.8)
        leaves.fade(box, leaf.lit(0.35), 0.5)
        shape = Image.new("L", (wide, high), 0)
        pen = ImageDraw.Draw(shape)
        for x, y, half, tall in blobs:
            (a, b), (c, d) = self.pixel(x - half, y + tall), self.pixel(x + half, y - tall)
            pen.ellipse((a - x0, b - y0, c - x0, d - y0), fill=255)
        shape = shape.filter(ImageFilter.GaussianBlur(edge * self.scale[0] / 3))
        grid = noise(rng, max(2, round((right - left) / size * 1.4)), max(2, round((top - bottom) / size * 1.4)))
        ragged = ImageChops.add(shape, grid.resize((wide, high), Image.Resampling.BICUBIC), 2)
        self.image.paste(image, (x0, y0), _mapped(ragged, (GREYS - 128) * 9))


def noise(rng: Generator, columns: int, rows: int) -> Image.Image:
    """Value noise of four octaves, columns × rows cells in the finest; mode L, mean 128, mostly within ±80."""
    size, total = (columns, rows), None
    for octave in (1, 2, 4, 8):
        grid = rng.integers(0, 256, (rows // octave + 2, columns // octave + 2), np.uint8)
        layer = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
        total = layer if total is None else Image.blend(total, layer, 0.37)
    return total


def _share(position: np.ndarray, thick: float) -> np.ndarray:
    """Positions in units, four per pixel → the share of each pixel within `thick` above a whole number, float64 (pixels,)."""
    return (position - np.floor(position) < thick).reshape(-1, 4).mean(1)


def _mapped(mask: Image.Image, levels: np.ndarray) -> Image.Image:
    """The mask (mode L) with each grey level g replaced by levels[g], rounded and limited to 0 … 255."""
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8)[np.asarray(mask)])


def _byte(value: float) -> int:
    return min(255, max(0, round(value)))


def _spot() -> Image.Image:
    line = np.linspace(-1, 1, 33)
    inside = np.maximum(0, 1 - line[:, None] ** 2 - line**2)
    return Image.fromarray((255 * inside * inside).astype(np.uint8))


SPOT = _spot()  # mode L (33, 33): 255 in the middle, 0 towards the corners
