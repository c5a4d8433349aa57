"""Turns a mesh into maps at one angle of view: which surface a pixel shows, how far away, its normal and its coordinates.

A z-buffer in numpy: all faces whose boxes have about the same size are tested at once against the pixels of a box of that
size; of the pixels inside, each keeps the nearest.
"""

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from fsclib.data.drawing.people.surfaces import Mesh

BOXES = (3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 256)  # sides of the boxes, pixels; larger faces are not drawn
DISTANCE = 6.0  # of the camera from the person, metres: near enough that perspective shows


@dataclass(frozen=True)
class View:
    """How a camera looks at a person. Angles in degrees."""

    yaw: float  # 0: the person faces the camera; 90: walks to the right of the image
    pitch: float  # the camera looks down
    roll: float
    unit: float  # pixels a metre at the person's axis
    stretch: float = 1.0  # widths relative to heights


@dataclass(frozen=True, eq=False)
class Maps:
    """What the pixels of a canvas show, of those only that show anything. Attributes are float32 (N,) unless said otherwise."""

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
    x = (right + lean * level) * scale * np.float32(view.stretch)
    return x, -level * scale, near


def turned(vectors: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """World (C, 3) → components right, up and towards the camera, each (C,)."""
    c, s = np.float32(cos(radians(view.yaw))), np.float32(sin(radians(view.yaw)))
    p, q = np.float32(cos(radians(view.pitch))), np.float32(sin(radians(view.pitch)))
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    right, back = x * c - y * s, x * s + y * c
    return right, z * p + back * q, z * q - back * p


def rasterise(mesh: Mesh, view: View, margin: int = 2) -> Maps:
    """Maps of a mesh, on a canvas just large enough."""
    x, y, depth = project(mesh.points, view)
    foot_x, foot_y, _ = (float(value[0]) for value in project(np.zeros((1, 3), np.float32), view))
    used = np.zeros(len(x), bool)
    used[mesh.faces] = True
    left, top = int(np.floor(x[used].min())) - margin, int(np.floor(y[used].min())) - margin
    width, height = int(np.ceil(x[used].max())) - left + margin, int(np.ceil(y[used].max())) - top + margin
    x, y = x - np.float32(left), y - np.float32(top)

    fx, fy = x[mesh.faces], y[mesh.faces]  # (F, 3)
    area = (fx[:, 1] - fx[:, 0]) * (fy[:, 2] - fy[:, 0]) - (fx[:, 2] - fx[:, 0]) * (fy[:, 1] - fy[:, 0])
    seen = np.flatnonzero(((area < 0) | mesh.two_sided) & (np.abs(area) > 1e-4))
    seen = seen[mesh.attributes[mesh.faces[seen], 2].max(1) >= 0]
    x0, y0 = np.floor(fx[seen].min(1)).astype(np.int32), np.floor(fy[seen].min(1)).astype(np.int32)
    side = np.maximum(np.ceil(fx[seen].max(1)).astype(np.int32) - x0, np.ceil(fy[seen].max(1)).astype(np.int32) - y0) + 1
    box = np.searchsorted(BOXES, side)
    found = [
        _inside(seen[group], x0[group], y0[group], BOXES[size], fx, fy, area, (height, width))
        for size in range(len(BOXES))
        if len(group := np.flatnonzero(box == size))
    ]
    pixel, face, one, two = (np.concatenate(parts) for parts in zip(*found, strict=True))

    corners = mesh.faces[face]
    zero = 1 - one - two
    keep = mesh.attributes[:, 2]
    kept = np.flatnonzero(zero * keep[corners[:, 0]] + one * keep[corners[:, 1]] + two * keep[corners[:, 2]] >= 0)
    pixel, face, corners, zero, one, two = (values[kept] for values in (pixel, face, corners, zero, one, two))
    near = zero * depth[corners[:, 0]] + one * depth[corners[:, 1]] + two * depth[corners[:, 2]]
    order = np.argsort(((near + 2) * 16_000).astype(np.uint16), kind="stable")  # nearest last; of 16 bits, it is a radix sort
    owner = np.full(height * width, -1, np.int32)
    owner[pixel[order]] = order
    pixel = np.flatnonzero(owner >= 0)
    owner = owner[pixel]
    corners, zero, one, two = corners[owner], zero[owner], one[owner], two[owner]

    right, up, forward = turned(mesh.normals, view)
    facing = np.where(area[face[owner]] < 0, np.float32(1), np.float32(-1))  # an inside shows its other side
    values = np.stack([right, up, forward, *mesh.attributes.T], 1)
    at = values[corners[:, 0]] * zero[:, None] + values[corners[:, 1]] * one[:, None] + values[corners[:, 2]] * two[:, None]
    at = np.ascontiguousarray(at.T)
    return Maps(
        height, width, (foot_x - left, foot_y - top), pixel.astype(np.int32), mesh.labels[face[owner]], near[owner],
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
    """Pixels of the boxes whose middle lies in their face: index, face, and the weights of its second and third corner."""
    x, y = (
        fx[faces] - x0[:, None].astype(np.float32) - np.float32(0.5),
        fy[faces] - y0[:, None].astype(np.float32) - np.float32(0.5),
    )
    inverse = 1 / area[faces]
    offsets = np.arange(side, dtype=np.float32)
    # weight of a corner = edge opposite to it, a linear function of the pixel's place
    weights = []
    for second, third in ((2, 0), (0, 1)):
        ex, ey = x[:, third] - x[:, second], y[:, third] - y[:, second]
        slope_x, slope_y = -ey * inverse, ex * inverse
        start = (ey * x[:, second] - ex * y[:, second]) * inverse
        rows = start[:, None] + slope_y[:, None] * offsets
        weights.append(rows[:, :, None] + (slope_x[:, None] * offsets)[:, None, :])  # (T, rows, columns)
    one, two = weights
    inside = np.flatnonzero((one >= 0) & (two >= 0) & (one + two <= 1))
    triangle, rest = inside // (side * side), inside % (side * side)
    row, column = y0[triangle] + rest // side, x0[triangle] + rest % side
    fits = (row >= 0) & (row < canvas[0]) & (column >= 0) & (column < canvas[1])
    if not fits.all():
        inside, triangle, row, column = inside[fits], triangle[fits], row[fits], column[fits]
    return row * canvas[1] + column, faces[triangle], one.ravel()[inside], two.ravel()[inside]
