"""Coordinate frames that follow the body, for items on head, back and hands."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from synthpeople.people.bodies import HAND, HEAD, NECK, TORSO, Posed, bank
from synthpeople.people.surfaces import cross, unit


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame on the body: origin (3,) and axes (3, 3), unit vectors to the person's left, back and up."""

    origin: np.ndarray
    axes: np.ndarray

    def at(self, left: np.ndarray | float, back: np.ndarray | float, up: np.ndarray | float) -> np.ndarray:
        """World coordinates (…, 3) of points given in metres in this frame."""
        left, back, up = np.broadcast_arrays(left, back, up)
        return (
            self.origin + left[..., None] * self.axes[0] + back[..., None] * self.axes[1] + up[..., None] * self.axes[2]
        ).astype(np.float32)


@lru_cache(maxsize=1)
def _groups() -> dict[str, np.ndarray]:
    """Vertices of the bank by landmark."""
    arrays = bank()

    def corners(part: int, along: tuple[float, float], around: tuple[float, float], left: bool | None = None) -> np.ndarray:
        found = arrays.corners(part, *along, left)
        middle = np.abs(arrays.around[found])
        return np.unique(arrays.vertex[found[(middle >= around[0]) & (middle <= around[1])]])

    return {
        "face": corners(HEAD, (-0.20, -0.06), (0, 0.06)), "nape": corners(HEAD, (-0.20, -0.06), (0.22, 0.6)),
        "crown": corners(HEAD, (-0.3, -0.19), (0, 9)), "jaw": corners(HEAD, (-0.10, 0.1), (0, 9)),
        "chest": corners(TORSO, (0.08, 0.36), (0, 0.12)), "back": corners(TORSO, (0.08, 0.36), (0.36, 0.9)),
        "shoulders": corners(TORSO, (-0.1, 0.12), (0, 9)), "hips": corners(TORSO, (0.42, 0.56), (0, 9)),
        "left hand": corners(HAND, (0.4, 0.7), (0, 9), True), "right hand": corners(HAND, (0.4, 0.7), (0, 9), False),
    }  # fmt: skip


@lru_cache(maxsize=1)
def behind() -> np.ndarray:
    """Vertices (N,) of the back of head, neck and trunk."""
    arrays = bank()
    backs = ((HEAD, 0.09), (NECK, 0.07), (TORSO, 0.15))
    found = [np.flatnonzero((arrays.part_of_corner == part) & (np.abs(arrays.around) > 1.6 * radius)) for part, radius in backs]
    return np.unique(arrays.vertex[np.concatenate(found)])


def middle(posed: Posed, name: str) -> np.ndarray:
    """Mean of a group of vertices, (3,)."""
    return posed.body[_groups()[name]].mean(0)


def _frame(posed: Posed, front: str, back: str, low: str, high: str) -> Frame:
    places = {name: middle(posed, name) for name in (front, back, low, high)}
    up = unit(places[high] - places[low])
    left = unit(cross(unit(places[back] - places[front]), up))
    return Frame((places[front] + places[back]) / 2, np.stack([left, cross(up, left), up]))


def head(posed: Posed) -> Frame:
    """The frame at the middle of the head, between face and nape."""
    return _frame(posed, "face", "nape", "jaw", "crown")


def trunk(posed: Posed) -> Frame:
    """The frame at the middle of the chest."""
    return _frame(posed, "chest", "back", "hips", "shoulders")
