"""Rasterises a mesh from one viewpoint: label, depth, normal and surface coordinates of each pixel.

A z-buffer in numpy: all faces with bounding boxes of about the same size are tested at once against the pixels of a box of that
size; each pixel keeps the nearest face that covers it.
"""

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from synthpeople.people.surfaces import Mesh

BOXES = (3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 256)  # sides of the faces' boxes, pixels
DISTANCE = 6.0  # of the camera from the person, metres: near enough for visible perspective


@dataclass(frozen=True)
class View:
    """A camera's view of a person. Angles in degrees."""

    yaw: float  # 0: the person faces the camera; 90: walks to the right of the image
    pitch: float  # downward angle of the camera
    roll: float
    unit: float  # pixels per metre at the person's axis


@dataclass(frozen=True, eq=False)
class Maps:
    """The covered pixels of a canvas. Attributes are float32 (N,) unless stated otherwise."""

    height: int  # of the canvas
    width: int
    foot: tuple[float, float]  # column and row of the point on the ground below the person
    pixel: np.ndarray  # int32 (N,), row · width + column, ascending
    label: np.ndarray  # uint8 (N,)
    depth: np.ndarray  # metres towards the camera from the person's axis
    normal: np.ndarray  # (3, N): right, up, towards the camera
    around: np.ndarray
    along: np.ndarray
    keep: np.ndarray


def project(points: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """World (C, 3) → right and down in pixels from the person's foot, and depth in metres; all (C,)."""
    right, up, near = turned(points, view)
    middle = np.float32(0.85)  # the camera looks at the person's middle
    scale = np.float32(DISTANCE) / (np.float32(DISTANCE) - near) * np.float32(view.unit)
    lean = np.float32(sin(radians(view.roll)))
    level = up - middle * np.float32(cos(radians(view.pitch)))
    x = (right + lean * level) * scale
    return x, -level * scale, near


def turned(vectors: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """World (C, 3) → components right, up and towards the camera, each (C,)."""
    c, s = np.float32(cos(radians(view.yaw))), np.float32(sin(radians(view.yaw)))
    p, q = np.float32(cos(radians(view.pitch))), np.float32(sin(radians(view.pitch)))
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    right, back = x * c - y * s, x * s + y * c
    return right, z * p + back * q, z * q - back * p


def rasterise(mesh: Mesh, view: View, margin: int = 2) -> Maps:
    """Maps of a mesh, on a canvas that just fits it."""
    x, y, depth = project(mesh.points, view)
    foot_x, foot_y, _ = (float(value[0]) for value in project(np.zeros((1, 3), np.float32), view))
    corners = np.ascontiguousarray(mesh.faces.T)  # (3, F): faces last, so that loops over them are long
    fx, fy, keep = x[corners], y[corners], mesh.attributes[:, 2][corners]
    area = (fx[1] - fx[0]) * (fy[2] - fy[0]) - (fx[2] - fx[0]) * (fy[1] - fy[0])
    seen = np.flatnonzero(((area < 0) | mesh.two_sided) & (np.abs(area) > 1e-4) & (keep.max(0) >= 0))
    # `take` keeps faces last in memory; indexing with [:, seen] does not
    corners, area, keep, fx, fy = corners.take(seen, 1), area[seen], keep.take(seen, 1), fx.take(seen, 1), fy.take(seen, 1)

    left, top = int(np.floor(fx.min())) - margin, int(np.floor(fy.min())) - margin
    width, height = int(np.ceil(fx.max())) - left + margin, int(np.ceil(fy.max())) - top + margin
    fx, fy = fx - np.float32(left), fy - np.float32(top)
    x0, y0 = fx.min(0).astype(np.int32), fy.min(0).astype(np.int32)
    side = np.maximum(fx.max(0).astype(np.int32) - x0, fy.max(0).astype(np.int32) - y0) + 1
    if side.max() > BOXES[-1]:
        raise ValueError(f"a face is {side.max()} pixels large, expected at most {BOXES[-1]}; draw a smaller canvas and enlarge it")
    box = np.searchsorted(BOXES, side)
    found = [
        _inside(group, x0[group], y0[group], BOXES[size], fx.take(group, 1), fy.take(group, 1), area[group], (height, width))
        for size in range(len(BOXES))
        if len(group := np.flatnonzero(box == size))
    ]
    pixel, face, one, two = (np.concatenate(parts) for parts in zip(*found, strict=True))

    def between(values: np.ndarray, face: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
        """Values (3, F) of corners at points of their faces."""
        return values[0][face] + one * (values[1] - values[0])[face] + two * (values[2] - values[0])[face]

    near = between(depth[corners], face, one, two)
    order_by = ((near + 2) * 16_000).astype(np.uint16)
    cut = np.flatnonzero((keep.min(0) < 0)[face])  # on faces crossed by an edge of the surface
    cut = cut[between(keep, face[cut], one[cut], two[cut]) < 0]
    order_by[cut] = 0  # farther than everything
    order = np.argsort(order_by, kind="stable")  # nearest last; with 16 bits, it is a radix sort
    owner = np.full(height * width, -1, np.int32)
    owner[pixel[order]] = order
    pixel = np.flatnonzero(owner >= 0)
    pixel = pixel[order_by[owner[pixel]] > 0]
    owner = owner[pixel]
    face, one, two = face[owner], one[owner], two[owner]

    values = np.stack([*turned(mesh.normals, view), *mesh.attributes.T], 1)
    at = values[corners[0][face]] * (1 - one - two)[:, None]
    at += values[corners[1][face]] * one[:, None]
    at += values[corners[2][face]] * two[:, None]
    at = np.ascontiguousarray(at.T)
    facing = np.where(area[face] < 0, np.float32(1), np.float32(-1))  # normals of insides are reversed
    return Maps(
        height, width, (foot_x - left, foot_y - top), pixel.astype(np.int32), mesh.labels[seen[face]], near[owner],
        at[:3] * facing, at[3], at[4], at[5],
    )  # fmt: skip


def _inside(
    faces: np.ndarray,
    x0: np.ndarray,
    y0: np.ndarray,
    side: int,
    fx: np.ndarray,
    fy: np.ndarray,
    area: np.ndarray,
    canvas: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of the boxes whose centre is inside the face: index, face, and the weights of its second and third corner.

    The last axis of all arrays is the face; corners fx and fy (3, T) are in pixels; canvas: height and width.
    """
    x, y = fx - (x0 + np.float32(0.5)).astype(np.float32), fy - (y0 + np.float32(0.5)).astype(np.float32)
    inverse, offsets = 1 / area, np.arange(side, dtype=np.float32)[:, None]
    weights = []
    for second, third in ((2, 0), (0, 1)):  # the weight of a corner is linear in the pixel's position, 0 on the opposite edge
        ex, ey = (x[third] - x[second]) * inverse, (y[third] - y[second]) * inverse
        rows = ey * x[second] - ex * y[second] + ex * offsets
        weights.append(rows[:, None] - (ey * offsets)[None])  # (rows, columns, T)
    one, two = weights
    inside = np.flatnonzero((one >= 0) & (two >= 0) & (one + two <= 1))
    place, face = np.divmod(inside, len(faces))
    row, column = np.divmod(place, side)
    row, column = row + y0[face], column + x0[face]
    one, two, faces = one.ravel()[inside], two.ravel()[inside], faces[face]
    fits = (row < canvas[0]) & (column < canvas[1])  # boxes are larger than their faces; rounding might exceed the canvas
    if not fits.all():
        row, column, faces, one, two = row[fits], column[fits], faces[fits], one[fits], two[fits]
    return row * canvas[1] + column, faces, one, two
