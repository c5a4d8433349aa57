"""Backpack, shoulder bag and handbag; their straps are painted onto the garment (looks.py)."""

from collections.abc import Sequence

import numpy as np

from synthpeople.clothing.landmarks import middle, trunk
from synthpeople.clothing.skirts import width_at
from synthpeople.people import labels
from synthpeople.people.bodies import Posed
from synthpeople.people.identity import Identity
from synthpeople.people.surfaces import Surface, grid, solid

UPRIGHT = np.array([0.0, 0.0, 1.0], np.float32)


def bags(person: Identity, posed: Posed, stand_off: float, hanging: Sequence[Surface]) -> list[Surface]:
    """The bag's surfaces.

    stand_off: distance of the garment below from the body, metres; hanging: skirts, which the bag must not intersect.
    """
    frame, size = trunk(posed), person.bag_cloth.size
    match person.bag:
        case "backpack":
            half = (0.135 + 0.02 * size, 0.05 + 0.025 * size, 0.19 + 0.03 * size)
            back = middle(posed, "back")
            centre = back + frame.axes[1] * (half[1] + stand_off - 0.02) + frame.axes[2] * -0.01  # the padding is compressed
            pocket = (half[0] * 0.78, half[1] * 0.55, half[2] * 0.42)
            at = centre + frame.axes[1] * (half[1] * 0.75) - frame.axes[2] * half[2] * 0.4
            return [solid(labels.BAG, centre, frame.axes, half, 0.45), solid(labels.BAG, at, frame.axes, pocket, 0.5)]
        case "shoulder bag":
            half = (0.05, 0.125 + 0.02 * size, 0.10 + 0.02 * size)
            hips = middle(posed, "hips")
            beside = frame.axes[0] * (person.bag_side * (0.185 + stand_off + half[0]))
            centre = _beside(hips + beside + frame.axes[1] * 0.03 - UPRIGHT * 0.05, person.bag_side, half[0], hanging)
            return [solid(labels.BAG, centre, frame.axes, half, 0.4)]
        case "handbag":
            hand = middle(posed, "left hand" if person.bag_side > 0 else "right hand")
            half = (0.05, 0.13 + 0.02 * size, 0.095 + 0.02 * size)
            centre = _beside(hand - UPRIGHT * (half[2] + 0.13), person.bag_side, half[0], hanging)
            return [solid(labels.BAG, centre, frame.axes, half, 0.4), *_handles(hand, centre + UPRIGHT * half[2], frame.axes, half)]
        case _:
            return []


def _beside(centre: np.ndarray, side: int, half: float, hanging: Sequence[Surface]) -> np.ndarray:
    """The centre (3,) of a bag of thickness 2 · `half`, moved outwards until it clears the hanging surfaces."""
    inside = width_at(hanging, centre, side, 0.14) + half - side * float(centre[0])
    return centre + np.array([side * max(inside, 0.0), 0, 0], np.float32) if hanging else centre


def _handles(hand: np.ndarray, rim: np.ndarray, axes: np.ndarray, half: tuple[float, float, float]) -> list[Surface]:
    """Two bands from the hand to the rim of a handbag."""
    found = []
    for end in (-1, 1):
        top, low = hand + axes[1] * (end * 0.015), rim + axes[1] * (end * half[1] * 0.6) - UPRIGHT * 0.02
        line = np.stack([top, low])
        points = np.stack([line - axes[1] * 0.008, line + axes[1] * 0.008], 1)
        found.append(grid(labels.STRAP, points, np.zeros((2, 2)), np.zeros((2, 2)), closed=False, two_sided=True))
    return found
