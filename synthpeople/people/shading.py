"""Shading of a person from normals, with creases of cloth and ambient occlusion; heat needs no light."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from synthpeople.people import labels
from synthpeople.people.raster import Maps
from synthpeople.place import Place
from synthpeople.randomness import TEXTURE, stream

TILE = 256  # side of the tile of noise that creases are read from
METRE = 620  # its pixels per metre


@lru_cache(maxsize=1)
def noise_tile() -> np.ndarray:
    """Smooth tileable noise, float32 (TILE, TILE), mean 0, about −1 … 1: a sum of three octaves."""
    total = np.zeros((TILE, TILE), np.float32)
    for octave, (cells, weight) in enumerate(((8, 0.6), (19, 0.8), (43, 0.4))):
        coarse = stream(TEXTURE, octave).integers(0, 256, (cells, cells)).astype(np.uint8)
        wrapped = np.pad(coarse, 2, mode="wrap")
        smooth = Image.fromarray(wrapped).resize((TILE, TILE), Image.Resampling.BICUBIC, box=(2, 2, cells + 2, cells + 2))
        total += weight * (np.asarray(smooth, np.float32) / 127.5 - 1)
    return total / np.float32(1.2)


def creases(maps: Maps, shift: tuple[int, int]) -> np.ndarray:
    """Noise on the cloth, float32 (N,): it moves with body and garment, and by `shift` from image to image."""
    down = (maps.along * np.float32(0.34 * METRE) + maps.around * np.float32(0.22 * METRE)).astype(np.int32) + shift[0]
    across = (maps.around * np.float32(1.15 * METRE) - maps.along * np.float32(0.12 * METRE)).astype(np.int32) + shift[1]
    down += maps.label.astype(np.int32) * 37
    return noise_tile()[down % TILE, across % TILE]


def contact(maps: Maps) -> np.ndarray:
    """Share of ambient light that reaches a pixel, float32 (N,): less where something nearby is in front of it."""
    depth = np.zeros((maps.height, maps.width), np.uint8)
    own = np.clip((maps.depth + np.float32(0.6)) * np.float32(200), 1, 255).astype(np.uint8)
    depth.ravel()[maps.pixel] = own
    near = np.asarray(Image.fromarray(depth).filter(ImageFilter.BoxBlur(maps.height / 60))).ravel()[maps.pixel]
    return 1 - np.clip(near.astype(np.float32) - own - 2, 0, 28) * np.float32(0.016)


def lit(
    maps: Maps, values: np.ndarray, folds: np.ndarray, sheen: np.ndarray, modality: str, place: Place, shift: tuple[int, int]
) -> np.ndarray:
    """Brightness of the pixels, float32 (N, 3), 0 … 255 and above.

    Visible light comes from the place's main light and from all directions; near infrared from the camera; heat from the body.
    """
    right, up, forward = maps.normal
    crease = creases(maps, shift) * folds
    if modality == "thermal":
        limb = 1 - np.float32(0.13) * np.clip(1 - forward, 0, 1)  # less radiation towards the side
        return values * (limb * (1 + np.float32(0.07) * crease))[:, None]
    shade = contact(maps)
    if modality == "infrared":
        forward = forward + np.float32(0.10) * crease
        light = np.float32(0.34) + np.float32(0.70) * np.clip(forward, 0, 1)
        squared = np.clip(forward, 0, 1) * np.clip(forward, 0, 1)
        gloss = sheen * (squared * squared) * (squared * squared) * np.float32(70)
        return values * (light * shade)[:, None] + gloss[:, None]
    x, y, z = (np.float32(part) for part in place.light)
    direct = np.clip(right * x + up * y + forward * z + np.float32(0.12) * crease, -0.2, 1.1)
    ambient = np.float32(place.ambient) * (np.float32(0.92) + np.float32(0.14) * up) * shade
    light = ambient + np.float32(1 - place.ambient) * (np.float32(0.25) + np.float32(1.05) * np.clip(direct, 0, 2))
    light += np.float32(0.02) * crease
    squared = np.clip(direct, 0, 1) ** 2
    gloss = sheen * squared * squared * squared * np.float32(90)
    grain = np.where(maps.label == labels.HAIR, crease * np.float32(0.5), 0)
    return values * (light * (1 + grain))[:, None] + gloss[:, None]
