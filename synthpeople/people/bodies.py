"""The bank of bodies: posed meshes made by tools/bake_bodies.py, blended between bodies, poses and phases of a walk.

World axes: x to the person's left, y backwards, z up, metres; the person faces −y and stands at z = 0. A corner is a vertex of one
face: it has the coordinates `around` (metres about the limb, 0 in front, growing to the left) and `along` (metres
below the neck, on arms and hands from the shoulder), in the proportions of the mean body.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

BANK = Path(__file__).with_name("bodies.npz")
HEAD, NECK, TORSO, ARM, HAND, LEG, FOOT = range(7)  # parts of the body, as numbered in the bank
SWINGING, HANGING = range(2)
SCALE = 1 / 16_000  # metres per unit of the bank
SHAPES = 12  # bodies in the bank: the first half female, the rest male


@dataclass(frozen=True, eq=False)
class Bank:
    """The arrays of the bank: S bodies × A arm poses × (P phases and a pose at rest); V vertices, F faces, C corners."""

    vertices: np.ndarray  # int16 (S, A, P + 1, V, 3)
    cloth: np.ndarray  # int16, same shape: a cloth that lies on the body
    normals: np.ndarray  # int8 (S, A, P + 1, V, 3), of length 127
    hulls: np.ndarray  # int16 (S, A, P + 1, L, 3 + R): rings around both legs; centre x, y, height, radii by direction
    faces: np.ndarray  # uint16 (F, 3), corners
    part: np.ndarray  # uint8 (F,), HEAD … FOOT
    left: np.ndarray  # bool (F,), whether on the person's left
    vertex: np.ndarray  # uint16 (C,)
    around: np.ndarray  # float32 (C,)
    along: np.ndarray  # float32 (C,)

    @property
    def phases(self) -> int:
        return self.vertices.shape[2] - 1

    @cached_property
    def part_of_corner(self) -> np.ndarray:
        """uint8 (C,): the part of the faces that meet at a corner."""
        parts = np.zeros(len(self.vertex), np.uint8)
        parts[self.faces] = self.part[:, None]
        return parts

    @cached_property
    def sharing(self) -> np.ndarray:
        """int (V,): the number of corners of each vertex."""
        return np.bincount(self.vertex)

    @cached_property
    def left_corner(self) -> np.ndarray:
        """bool (C,): whether a corner is on the person's left."""
        left = np.zeros(len(self.vertex), bool)
        left[self.faces] = self.left[:, None]
        return left

    def patch(self, parts: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The surface of some parts: its corners (C',), and its faces (F', 3) into these."""
        if parts not in self._patches:
            used, faces = np.unique(self.faces[np.isin(self.part, parts)], return_inverse=True)
            self._patches[parts] = used, faces.reshape(-1, 3).astype(np.int32)
        return self._patches[parts]

    @cached_property
    def _patches(self) -> dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
        return {}

    def corners(self, part: int, low: float, high: float, left: bool | None = None) -> np.ndarray:
        """Indices of a part's corners between two values of `along`."""
        inside = (self.part_of_corner == part) & (self.along > low) & (self.along < high)
        return np.flatnonzero(inside if left is None else inside & (self.left_corner == left))


@lru_cache(maxsize=1)
def bank() -> Bank:
    """The bank in the repository, read once per process."""
    with np.load(BANK, allow_pickle=False) as arrays:
        return Bank(**dict(arrays))


@dataclass(frozen=True)
class Build:
    """A body: a blend of two bodies of the bank, and its girth relative to them."""

    one: int
    other: int
    blend: float  # 0 … 1
    girth: float  # factor of widths, about 1


@dataclass(frozen=True)
class Moment:
    """A moment of a walk: phase 0 … 1, effort 0 (standing) … 1 (full stride), swing of the arms 0 … 1."""

    phase: float
    effort: float
    swing: float


@dataclass(frozen=True, eq=False)
class Posed:
    """A body at one moment. Arrays are float32, metres."""

    body: np.ndarray  # (V, 3)
    cloth: np.ndarray  # (V, 3)
    normals: np.ndarray  # (V, 3), about unit length
    hull: np.ndarray  # (L, 3 + R)


def pose(build: Build, moment: Moment) -> Posed:
    """The body `build` at `moment`, interpolated linearly between entries of the bank, whose phases are close enough for that."""
    arrays = bank()
    step = moment.phase % 1.0 * arrays.phases
    phase = int(step) % arrays.phases
    late = step - int(step)
    terms = []
    for shape, a in ((build.one, 1 - build.blend), (build.other, build.blend)):
        for arms, b in ((SWINGING, moment.swing), (HANGING, 1 - moment.swing)):
            phases = (
                (phase, (1 - late) * moment.effort),
                ((phase + 1) % arrays.phases, late * moment.effort),
                (-1, 1 - moment.effort),
            )
            terms += [((shape, arms, p), a * b * c) for p, c in phases if a * b * c > 0]

    def blended(source: np.ndarray, unit: float) -> np.ndarray:
        total = np.zeros(source.shape[3:], np.float32)
        for entry, weight in terms:
            total += source[entry] * np.float32(weight * unit)
        return total

    body, cloth, hull = (blended(source, SCALE) for source in (arrays.vertices, arrays.cloth, arrays.hulls))
    girth = np.float32(build.girth)
    for array in (body, cloth, hull):
        array[..., :2] *= girth
    hull[:, 3:] *= girth
    return Posed(body, cloth, blended(arrays.normals, 1 / 127), hull)
