"""Pastes cut-outs and obstacles onto a background, both in pixels and in parts."""

import numpy as np
from PIL import Image, ImageFilter

from synthpeople.drawing.figure import Cutout

SOFTEN = ImageFilter.BoxBlur(0.5)  # the rasteriser's edges are steps


class Frame:
    """An image under construction: evenly lit pixels, uint8 (H, W, 3), and parts, uint8 (H, W)."""

    def __init__(self, background: np.ndarray):
        self.pixels = background.copy()
        self.parts = np.zeros(background.shape[:2], np.uint8)

    def paste(self, cutout: Cutout, left: float, top: float, scale: tuple[float, float], part: int | None = None) -> None:
        """Pastes a cut-out with its canvas's corner at (left, top), scaled by (across, down). part: replaces its parts."""
        height, width = self.parts.shape
        h, w = cutout.parts.shape
        x0, y0 = max(int(np.floor(left)), 0), max(int(np.floor(top)), 0)
        x1, y1 = min(int(np.ceil(left + w * scale[0])), width), min(int(np.ceil(top + h * scale[1])), height)
        if x0 >= x1 or y0 >= y1:
            return
        box = ((x0 - left) / scale[0], (y0 - top) / scale[1], (x1 - left) / scale[0], (y1 - top) / scale[1])
        # the canvas is empty beyond its edges, so pad it instead of clamping
        pad = max(0, int(np.ceil(-min(box[0], box[1], 0))), int(np.ceil(max(box[2] - w, box[3] - h, 0))))
        pixels, parts = cutout.pixels, cutout.parts
        if pad:
            pixels, parts = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0))), np.pad(parts, pad)
            box = tuple(edge + pad for edge in box)
        size = (x1 - x0, y1 - y0)
        # Pillow resizes CMYK as four plain channels; it would premultiply RGBA, but these pixels are premultiplied already
        canvas = Image.frombytes("CMYK", pixels.shape[1::-1], pixels.tobytes())
        if min(scale) > 0.6:  # a smaller copy averages over edges anyway
            canvas = canvas.filter(SOFTEN)
        small = np.asarray(canvas.resize(size, Image.Resampling.BILINEAR, box))
        self._over(small[..., :3], small[..., 3], (x0, y0))
        where = np.asarray(Image.fromarray(parts).resize(size, Image.Resampling.NEAREST, box))
        here = self.parts[y0:y1, x0:x1]
        seen = (where > 0) & (small[..., 3] > 127)
        here[seen] = where[seen] if part is None else part

    def _over(self, pixels: np.ndarray, coverage: np.ndarray, at: tuple[int, int]) -> None:
        """Premultiplied pixels (h, w, 3) with their coverage (h, w), both uint8, over the image at (column, row)."""
        h, w = coverage.shape
        here = self.pixels[at[1] : at[1] + h, at[0] : at[0] + w]
        left = np.repeat(
            256 - coverage.astype(np.uint16) - (coverage >> 7), 3, axis=1
        )  # 256 where nothing is covered, 0 where all is
        mixed = (here.reshape(h, -1) * left >> 8) + pixels.reshape(h, -1)
        here[...] = np.minimum(mixed, 255).reshape(here.shape)

    def shadow(self, x: float, y: float, radius: float, strength: float) -> None:
        """Darkens the ground softly about (x, y), in an ellipse `radius` wide and a quarter as high."""
        height, width = self.parts.shape
        x0, x1 = max(int(x - radius), 0), min(int(x + radius) + 1, width)
        y0, y1 = max(int(y - radius / 4), 0), min(int(y + radius / 4) + 1, height)
        if x0 >= x1 or y0 >= y1:
            return
        across = (np.arange(x0, x1, dtype=np.float32) - np.float32(x)) / np.float32(radius)
        down = (np.arange(y0, y1, dtype=np.float32) - np.float32(y)) / np.float32(radius / 4)
        dark = np.float32(strength) * np.clip(1 - across[None] ** 2 - (down**2)[:, None], 0, 1)
        here = self.pixels[y0:y1, x0:x1]
        here[...] = (here * (1 - dark)[..., None]).astype(np.uint8)

    def block(self, area: tuple[slice, slice], pixels: np.ndarray, part: int) -> None:
        """Fills an area with an opaque object: pixels of a shape that broadcasts to it."""
        self.pixels[area] = pixels
        self.parts[area] = part
