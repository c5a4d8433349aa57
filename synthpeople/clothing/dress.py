"""Dresses a body: skin, upper and lower garment and shoes, each a surface offset from the body by thickness and fit."""

from dataclasses import replace

import numpy as np

from synthpeople.clothing.skirts import WAIST
from synthpeople.people import labels
from synthpeople.people.bodies import ARM, FOOT, HAND, HEAD, LEG, NECK, TORSO, Posed, bank
from synthpeople.people.identity import OVER_SKIRTS, Garment, Identity
from synthpeople.people.surfaces import ALWAYS, Surface
from synthpeople.people.wardrobe import FITS, LOWERS, UPPERS

SHOE_TOPS = {"sneakers": 1.285, "shoes": 1.305, "boots": 1.12}
NECKLINES = {
    "t-shirt": (0.0, 0.065),
    "shirt": (-0.045, 0.03),
    "jacket": (-0.05, 0.035),
    "hoodie": (-0.045, 0.02),
    "long coat": (-0.055, 0.04),
    "dress": (-0.01, 0.09),
}


def clothes(person: Identity, posed: Posed) -> list[Surface]:
    """Surfaces of the body and its garments, except freely hanging parts (skirts.py) and headwear."""
    upper, lower = person.upper, person.lower
    surfaces = [*_skin(person, posed), _shoes(person.shoes, posed)]
    if lower.kind in ("trousers", "shorts"):
        surfaces.append(_trousers(lower, posed))
    if upper.kind == "none":  # only with a dress
        surfaces += _top(lower, posed, labels.DRESS, LOWERS["dress"].stand_off * FITS[lower.fit] * 0.6, 0.45)
    else:
        hem = min(upper.hem, OVER_SKIRTS) if upper.kind == "long coat" else upper.hem
        surfaces += _top(upper, posed, labels.UPPER, UPPERS[upper.kind].stand_off * FITS[upper.fit], hem)
    return surfaces


def shell(
    label: int,
    posed: Posed,
    parts: tuple[int, ...],
    stand_off: np.ndarray | float,
    keep: np.ndarray | float = ALWAYS,
    cloth: bool = True,
    two_sided: bool = False,
) -> Surface:
    """The body's surface over some parts, `stand_off` metres above the skin or, with `cloth`, above a cloth that lies on it."""
    arrays = bank()
    corners, faces = arrays.patch(parts)
    vertex, vertices = arrays.vertex[corners], posed.cloth if cloth else posed.body
    normals = posed.normals[vertex]
    points = vertices[vertex]
    if np.ndim(stand_off):  # corners of one vertex, even in different parts, must stay together, or seams would open
        height = np.bincount(arrays.vertex, stand_off) / arrays.sharing
        points = points + normals * height[vertex].astype(np.float32)[:, None]
    elif stand_off:
        points = points + normals * np.float32(stand_off)
    keep = keep[corners] if np.ndim(keep) else np.full(len(corners), keep, np.float32)
    return Surface(label, points, normals, arrays.around[corners], arrays.along[corners], keep.astype(np.float32), faces, two_sided)


def neckline(kind: str) -> np.ndarray:
    """`along` of the upper edge of a garment at each corner of neck and trunk: lower in front."""
    arrays = bank()
    radius = np.where(arrays.part_of_corner == NECK, np.float32(0.07), np.float32(0.15))
    turn = np.abs(arrays.around) / radius
    front = np.clip(1 - np.minimum(turn, np.float32(2 * np.pi) - turn) / np.float32(1.2), 0, 1)
    back, drop = NECKLINES[kind]
    return np.float32(back) + np.float32(drop) * front


def ramp(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, linear between."""
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)


def _skin(person: Identity, posed: Posed) -> list[Surface]:
    parts = [NECK, HAND]
    if person.upper.kind == "none" or person.upper.sleeves < 0.46:
        parts.append(ARM)
    if person.lower.hem < 1.28:
        parts.append(LEG)
    parts.append(FOOT)
    arrays = bank()
    keep = np.where(arrays.part_of_corner == TORSO, np.float32(0.13) - arrays.along, ALWAYS)
    return [
        shell(labels.SKIN, posed, (*parts, TORSO), 0.0, keep, cloth=False),
        shell(labels.FACE, posed, (HEAD,), 0.0, cloth=False),
    ]


def _top(garment: Garment, posed: Posed, label: int, stand_off: float, hem: float) -> list[Surface]:
    """The garment from shoulders to hem, and its sleeves; looser towards hem and cuff."""
    arrays, along = bank(), bank().along
    arm = (arrays.part_of_corner == ARM) | (arrays.part_of_corner == HAND)
    loose = 0.6 + 0.6 * ramp(along, 0.05, 0.45)
    loose = np.where(arm, 0.8 + 0.5 * ramp(along, 0.05, 0.45) * (garment.sleeves < 0.3), loose)
    height = stand_off * loose + 0.007 * ramp(along, 0.3, 0.4) * ~arm  # above the lower garment
    keep = np.where(arm, np.float32(garment.sleeves) - along, np.minimum(np.float32(hem) - along, along - neckline(garment.kind)))
    parts = (NECK, TORSO, LEG) if hem > 0.45 else (NECK, TORSO)
    trunk = shell(label, posed, parts, height, keep)
    outwards = np.where(arrays.left_corner, np.float32(0.12), np.float32(-0.12))  # from the axis of the trunk to that of a leg
    shift = (outwards * (arrays.part_of_corner == LEG))[arrays.patch(parts)[0]]
    return [replace(trunk, around=trunk.around + shift), shell(labels.SLEEVE, posed, (ARM, HAND), height, keep)]


def _trousers(garment: Garment, posed: Posed) -> Surface:
    """Trousers or shorts; `around` grows outwards on both legs, so that a stripe can run down the outer side only."""
    arrays, along = bank(), bank().along
    stand_off = LOWERS[garment.kind].stand_off * FITS[garment.fit]
    flare = {"tight": 0.0, "regular": 0.008, "loose": 0.022}[garment.fit]
    height = 0.004 + stand_off * ramp(along, 0.42, 0.7) + flare * ramp(along, 0.75, 1.25)
    keep = np.minimum(along - np.float32(WAIST - 0.02), np.float32(garment.hem) - along)
    parts = (TORSO, LEG, FOOT)
    found, corners = shell(labels.LOWER, posed, parts, height, keep), arrays.patch(parts)[0]
    mirrored = ~arrays.left_corner[corners] & (arrays.part_of_corner[corners] != TORSO)
    return replace(found, around=np.where(mirrored, -found.around, found.around))


def _shoes(garment: Garment, posed: Posed) -> Surface:
    along = bank().along
    height = np.where(along > 1.30, np.float32(0.013), np.float32(0.012 if garment.kind == "boots" else 0.006))
    return shell(labels.SHOES, posed, (FOOT, LEG), height, along - np.float32(SHOE_TOPS[garment.kind]))
