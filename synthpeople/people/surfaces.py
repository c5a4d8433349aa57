"""Surfaces in three dimensions: faces over corners, each corner with a normal, coordinates and a distance to the edge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALWAYS = np.float32(1)  # `keep` of surfaces without an edge


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface of one label. Arrays are float32 unless stated otherwise; C corners, F faces."""

    label: int
    points: np.ndarray  # (C, 3), world, metres
    normals: np.ndarray  # (C, 3), outwards
    around: np.ndarray  # (C,), metres
    along: np.ndarray  # (C,), metres
    keep: np.ndarray  # (C,), metres to the edge: the surface ends where it falls below 0
    faces: np.ndarray  # int (F, 3)
    two_sided: bool = False  # whether the inside can be seen


@dataclass(frozen=True, eq=False)
class Mesh:
    """Joined surfaces: their corners and faces, with a label for each face."""

    points: np.ndarray
    normals: np.ndarray
    attributes: np.ndarray  # (C, 3): around, along, keep
    faces: np.ndarray  # int32 (F, 3)
    labels: np.ndarray  # uint8 (F,)
    two_sided: np.ndarray  # bool (F,)


def joined(surfaces: Sequence[Surface]) -> Mesh:
    """Joins surfaces into one mesh."""
    starts = np.cumsum([0, *(len(surface.points) for surface in surfaces)])
    counts = [len(surface.faces) for surface in surfaces]
    attributes = [np.stack([surface.around, surface.along, surface.keep], 1) for surface in surfaces]
    return Mesh(
        points=np.concatenate([surface.points for surface in surfaces]),
        normals=np.concatenate([surface.normals for surface in surfaces]),
        attributes=np.concatenate(attributes),
        faces=np.concatenate([surface.faces + start for surface, start in zip(surfaces, starts[:-1], strict=True)]).astype(
            np.int32
        ),
        labels=np.repeat(np.array([surface.label for surface in surfaces], np.uint8), counts),
        two_sided=np.repeat(np.array([surface.two_sided for surface in surfaces]), counts),
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (…, 3) scaled to length 1."""
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return vectors / np.sqrt(x * x + y * y + z * z + np.float32(1e-12))[..., None]


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross product over the last axis."""
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        -1,
    )


def grid(
    label: int,
    points: np.ndarray,
    around: np.ndarray,
    along: np.ndarray,
    *,
    closed: bool,
    keep: np.ndarray | None = None,
    two_sided: bool = False,
) -> Surface:
    """A surface over a grid of points (R, S, 3): rows go down it, columns around it, counter-clockwise seen from above.

    closed: the last column joins the first. around and along: (R, S), or a shape that broadcasts to it.
    """
    if closed:
        points = np.concatenate([points, points[:, :1]], 1)
    points = points.astype(np.float32)
    rows, columns = points.shape[:2]
    across = np.empty_like(points)
    across[:, 1:-1] = points[:, 2:] - points[:, :-2]
    if closed:
        across[:, 0] = across[:, -1] = points[:, 1] - points[:, -2]
    else:
        across[:, 0], across[:, -1] = points[:, 1] - points[:, 0], points[:, -1] - points[:, -2]
    down = np.empty_like(points)
    down[1:-1] = points[2:] - points[:-2]
    down[0], down[-1] = points[1] - points[0], points[-1] - points[-2]
    corner = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    faces = np.concatenate([np.stack([a, c, b], 1), np.stack([a, d, c], 1)])

    def flat(values: np.ndarray | float) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.float32), (rows, columns))).ravel()

    return Surface(
        label, points.reshape(-1, 3), unit(cross(down, across)).reshape(-1, 3), flat(around), flat(along),
        flat(ALWAYS if keep is None else keep), faces, two_sided,
    )  # fmt: skip


def solid(
    label: int,
    centre: np.ndarray,
    axes: np.ndarray,
    half: tuple[float, float, float],
    power: float = 0.5,
    rings: int = 8,
    spokes: int = 14,
) -> Surface:
    """A closed rounded box or ellipsoid: power 1 is an ellipsoid, towards 0 it becomes a box.

    axes (3, 3): unit vectors to the left, back and top of the solid; half: its half sizes along them, metres.
    `around` starts at its front.
    """
    lift, turns = np.pi * (np.arange(rings) / (rings - 1) - 0.5), np.linspace(-np.pi, np.pi, spokes + 1)
    turn = turns[:-1]

    def bent(values: np.ndarray) -> np.ndarray:
        return np.sign(values) * np.abs(values) ** power

    ring, height = bent(np.cos(lift))[::-1, None], bent(np.sin(lift))[::-1, None]
    left, back = ring * bent(np.sin(turn)), -ring * bent(np.cos(turn))
    offsets = (left * half[0], back * half[1], np.broadcast_to(height * half[2], left.shape))
    points = centre + sum(offset[..., None] * axis for offset, axis in zip(offsets, axes, strict=True))
    return grid(label, points, turns * half[0], (1 - height) * half[2], closed=True)
