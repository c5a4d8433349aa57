"""What the drawn things are made of, and how bright each is to a visible-light, a near-infrared and a thermal camera.

A drawing is first a map of materials, one byte a pixel: a `Material` in the lower six bits, a shade in the upper two.
A palette of 256 colours then turns it into light, so that all modalities see the same shapes.
"""

from enum import IntEnum

import numpy as np

from fsclib.data.drawing.identity import Cloth, Identity, luminance

MODALITIES = ("visible", "infrared", "thermal")  # infrared: near infrared, lit by the camera; thermal: by the body

SHADES = (256, 214, 172, 110)  # brightness of the shades in 256ths: lit, turned away, far, edge
SHADE = 64  # material + SHADE * shade


class Material(IntEnum):
    """Those of the scene (`fsclib.data.drawing.scene`), then those of people (`fsclib.data.drawing.figure`, `accessories`)."""

    WALL, FLOOR, PANEL, LINE, DOOR, FRAME, BOX, LEAF, WALL_STAIN, FLOOR_STAIN, OBSTACLE, SKY = range(12)
    SKIN, HAIR, EYES, HAT, UPPER, UPPER_MARK, SLEEVE, SLEEVE_MARK, LOWER, LOWER_MARK = range(12, 22)
    SHOES, SOLES, SOCKS, BAG, BAG_MARK, INNER, ZIP = range(22, 29)


M = Material


def person_palette(person: Identity, modality: str, hardness: float = 1.0) -> np.ndarray:
    """Colours of the materials SKIN … ZIP, uint8 (17, 3). modality: one of MODALITIES.

    From hardness 1 on, infrared tells nothing of a colour; below, cloths reflect more and more as in visible light.
    """
    cloths = (person.upper, person.lower, person.extra)
    if modality == "visible":
        upper, lower, extra = ((cloth.ground, cloth.mark) for cloth in cloths)
        looks = {M.SKIN: person.skin, M.HAIR: person.hair_colour, M.SHOES: person.shoe_colour}
        looks |= {M.EYES: (30, 26, 28), M.SOLES: (70, 68, 66), M.SOCKS: (224, 224, 222)}
    else:
        upper, lower, extra = (_reflectances(cloth, hardness) for cloth in cloths)
        looks = {M.SKIN: 188, M.HAIR: person.hair_infrared, M.SHOES: person.shoe_infrared}
        looks |= {M.EYES: 70, M.SOLES: 76, M.SOCKS: 190}
    sleeve = upper[person.upper.pattern == "sleeves"]
    looks |= {M.UPPER: upper[0], M.UPPER_MARK: upper[1], M.SLEEVE: sleeve, M.SLEEVE_MARK: upper[1], M.ZIP: upper[1]}
    looks |= {M.LOWER: lower[0], M.LOWER_MARK: lower[1], M.INNER: lower[1]}
    looks |= {M.HAT: extra[0], M.BAG: extra[0], M.BAG_MARK: extra[1]}
    colours = np.zeros((len(M) - M.SKIN, 3), np.uint8)
    for material, look in looks.items():
        colours[material - M.SKIN] = look
    if modality == "thermal":  # the body's warmth through the cloth: bare skin glows, what is carried is cool
        colours = 96 + colours // 4
        colours[[M.SKIN - M.SKIN, M.EYES - M.SKIN]] = 232
        colours[M.HAIR - M.SKIN] = 150
        colours[[M.BAG - M.SKIN, M.BAG_MARK - M.SKIN]] -= 50
    return colours


def _reflectances(cloth: Cloth, hardness: float) -> tuple[int, int]:
    """Of ground and mark, in near infrared."""
    own = int(256 * min(hardness, 1.0))
    pairs = ((cloth.ground_infrared, cloth.ground), (cloth.mark_infrared, cloth.mark))
    return tuple((tone * own + luminance(colour) * (256 - own)) // 256 for tone, colour in pairs)


def with_shades(colours: np.ndarray) -> np.ndarray:
    """uint8 (M ≤ 64, 3) → palette of all materials in all shades, uint8 (256, 3)."""
    palette = np.zeros((len(SHADES), SHADE, 3), np.uint16)
    palette[:, : len(colours)] = colours
    return (palette * np.array(SHADES, np.uint16)[:, None, None] >> 8).astype(np.uint8).reshape(-1, 3)
