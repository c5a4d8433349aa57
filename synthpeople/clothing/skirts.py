"""Freely hanging garments: skirts, dresses below the waist, the lower part of long coats; and arms that keep clear of them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from synthpeople.clothing.landmarks import middle
from synthpeople.people import labels
from synthpeople.people.bodies import ARM, HAND, Posed, bank
from synthpeople.people.identity import OVER_SKIRTS, Garment, Identity
from synthpeople.people.surfaces import Surface, grid
from synthpeople.people.wardrobe import FITS, UPPERS

WAIST, ANKLE = 0.404, 1.318  # `along` of the first and the last ring of the legs' hull, on the mean body
SPOKES = 36
FLARE = {"tight": 0.0, "regular": 0.10, "loose": 0.24}  # growth of the radius, metres per metre
CREASES = {"tight": 0.004, "regular": 0.014, "loose": 0.026}  # metres


def skirts(person: Identity, posed: Posed, folds: float) -> list[Surface]:
    """Surfaces of hanging garments, none for trousers without a coat. folds: 0 … 1, the position of the creases."""
    upper, lower, found, inner = person.upper, person.lower, [], np.zeros((len(posed.hull), SPOKES))
    if lower.kind in ("skirt", "dress"):
        top = {"none": WAIST, "long coat": WAIST + 0.03}.get(upper.kind, min(upper.hem, OVER_SKIRTS) - 0.015)
        inner = _radii(lower, posed, room=0.018, folds=folds)  # over bare legs
        found.append(_skirt(lower, posed, labels.DRESS if lower.kind == "dress" else labels.SKIRT, inner, top))
    if upper.kind == "long coat":
        stand_off = UPPERS["long coat"].stand_off * FITS[upper.fit]
        outer = np.maximum(stand_off + _radii(upper, posed, room=0.035, folds=folds), inner + 0.012)  # over trousers or a skirt
        found.append(_skirt(upper, posed, labels.UPPER_SKIRT, outer, WAIST))
    return found


def width_at(hanging: Sequence[Surface], place: np.ndarray, side: int, reach: float = 0.10) -> float:
    """Extent of hanging surfaces to one side (1 left, −1 right) within `reach` of a point (3,), metres from the middle; else 0."""
    widths = [0.0]
    for surface in hanging:
        near = (np.abs(surface.points[:, 2] - place[2]) < reach) & (np.abs(surface.points[:, 1] - place[1]) < reach)
        near &= surface.keep > -0.05
        if near.any():
            widths.append(float((surface.points[near, 0] * side).max()))
    return max(widths)


def arms_clear(posed: Posed, hanging: Sequence[Surface]) -> Posed:
    """Moves the arms away from the body until no hand is inside a skirt."""
    if not hanging:
        return posed
    shift = np.zeros(len(posed.body), np.float32)
    for side, name, share in zip((1, -1), ("left hand", "right hand"), _arms(), strict=True):
        hand = middle(posed, name)
        shift += share * np.float32(side * min(max(width_at(hanging, hand, side) + 0.055 - side * float(hand[0]), 0.0), 0.3))
    sideways = np.stack([shift, np.zeros_like(shift), np.zeros_like(shift)], 1)
    return replace(posed, body=posed.body + sideways, cloth=posed.cloth + sideways)


@lru_cache(maxsize=1)
def _arms() -> tuple[np.ndarray, np.ndarray]:
    """How much each vertex follows the left and the right hand sideways, float32 (V,) each: 0 at the shoulder, 1 at the wrist."""
    arrays, found = bank(), []
    share = np.clip(arrays.along / np.float32(0.45), 0, 1) * np.isin(arrays.part_of_corner, (ARM, HAND))
    for left in (True, False):
        weights = np.zeros(arrays.vertices.shape[3], np.float32)
        np.maximum.at(weights, arrays.vertex, np.where(arrays.left_corner == left, share, 0).astype(np.float32))
        found.append(weights)
    return found[0], found[1]


def _radii(garment: Garment, posed: Posed, room: float, folds: float) -> np.ndarray:
    """Distances from the middle of the legs' hull, (rings, SPOKES) metres, going round from the back to the left.

    Unless tight, never narrower than the ring above; creases deepen downwards. room: slack over the legs below the hips, metres.
    """
    hull, turn = posed.hull, np.linspace(-np.pi, np.pi, SPOKES + 1)[:-1]
    spokes = 2 * np.pi * np.arange(hull.shape[1] - 3) / (hull.shape[1] - 3)
    along = _along(posed)
    shrink = 0.985 if garment.fit == "tight" else 1.0
    radii: list[np.ndarray] = []
    for ring, at, step in zip(hull, along, np.diff(along, prepend=along[0]), strict=True):
        radius = np.interp(turn, spokes, ring[3:], period=2 * np.pi) + room * min((at - WAIST) / 0.25, 1.0)
        radii.append(radius if not radii else np.maximum(radius, radii[-1] * shrink + FLARE[garment.fit] * step))
    deep = np.clip((along - WAIST) / 0.5, 0, 1)[:, None]
    wave = 1.6 + np.sin(7 * turn + 6.3 * folds) + 0.6 * np.sin(11 * turn + 17 * folds)  # outwards only, since the legs are inside
    return np.array(radii) + CREASES[garment.fit] * (0.5 if garment.kind == "long coat" else 1.0) * deep * wave


def _along(posed: Posed) -> np.ndarray:
    return np.linspace(WAIST, ANKLE, len(posed.hull))


def _skirt(garment: Garment, posed: Posed, label: int, radius: np.ndarray, top: float) -> Surface:
    """The surface through rings of these radii, down to the garment's hem. top: `along` of its upper end."""
    hull, turns, along = posed.hull, np.linspace(-np.pi, np.pi, SPOKES + 1), _along(posed)  # the seam is behind
    turn = turns[:-1]
    points = np.stack(
        [hull[:, :1] + radius * np.sin(turn), hull[:, 1:2] - radius * np.cos(turn), np.broadcast_to(hull[:, 2:3], radius.shape)], -1
    )
    around = turns * 0.17
    keep = np.broadcast_to(np.minimum(garment.hem - along, along - top + 1e-4)[:, None], (len(along), SPOKES + 1))
    if garment.front == "open":
        keep = np.minimum(keep, np.abs(around)[None] - 0.03 - 0.08 * (along - WAIST)[:, None])
    return grid(label, points, around, along[:, None], closed=True, keep=keep, two_sided=True)
