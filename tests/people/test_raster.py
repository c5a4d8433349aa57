"""The rasteriser against a plain one that loops over faces and pixels."""

import numpy as np
import pytest

from synthpeople.people.raster import View, project, rasterise
from synthpeople.people.surfaces import Surface, grid, joined, solid

VIEW = View(yaw=0, pitch=0, roll=0, unit=60)


def triangles(rng, number: int, label: int, two_sided: bool) -> Surface:
    points = (rng.random((number * 3, 3)) - 0.5).astype(np.float32) * [1.2, 0.6, 1.2] + np.array([0, 0, 0.85])
    normals = rng.standard_normal((number * 3, 3)).astype(np.float32)
    around, along, keep = (rng.standard_normal(number * 3).astype(np.float32) for _ in range(3))
    return Surface(label, points.astype(np.float32), normals, around, along, keep, np.arange(number * 3).reshape(-1, 3), two_sided)


def by_loops(mesh, view) -> dict[tuple[int, int], tuple]:
    """(row, column) counted from the foot → depth, label, around, along, keep and smallest weight of the nearest face there."""
    x, y, depth = (values.astype(float) for values in project(mesh.points, view))
    found = {}
    for face, label, two_sided in zip(mesh.faces, mesh.labels, mesh.two_sided, strict=True):
        (ax, bx, cx), (ay, by, cy) = x[face], y[face]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area > 0 and not two_sided:
            continue
        for row in range(int(np.floor(min(ay, by, cy))) - 1, int(np.ceil(max(ay, by, cy))) + 1):
            for column in range(int(np.floor(min(ax, bx, cx))) - 1, int(np.ceil(max(ax, bx, cx))) + 1):
                px, py = column + 0.5, row + 0.5
                one = ((cx - px) * (ay - py) - (ax - px) * (cy - py)) / area
                two = ((ax - px) * (by - py) - (bx - px) * (ay - py)) / area
                weights = np.array([1 - one - two, one, two])
                if weights.min() < 0:
                    continue
                values = mesh.attributes[face].T @ weights
                near = depth[face] @ weights
                if (values[2] >= 0 and (row, column) not in found) or (values[2] >= 0 and near > found[row, column][0]):
                    found[row, column] = (near, label, *values, weights.min())
    return found


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_plain_loops(seed):
    rng = np.random.default_rng(seed)
    mesh = joined([triangles(rng, 12, 3, False), triangles(rng, 12, 7, True)])
    view = View(yaw=40 * seed, pitch=5 * seed, roll=seed, unit=60)
    maps, expected = rasterise(mesh, view), by_loops(mesh, view)
    rows, columns = maps.pixel // maps.width, maps.pixel % maps.width
    left, top = (
        round(float(value[0]) - foot)
        for value, foot in zip(project(np.zeros((1, 3), np.float32), view)[:2], maps.foot, strict=True)
    )
    places = [(int(row) + top, int(column) + left) for row, column in zip(rows, columns, strict=True)]
    clear = {
        place for place, values in expected.items() if values[-1] > 1e-3 and values[4] > 1e-3
    }  # not on an edge, where rounding decides
    assert len(set(places) - expected.keys()) < 0.01 * len(places)
    assert len(clear - set(places)) == 0
    agreeing = 0
    for k, place in enumerate(places):
        if place not in expected:
            continue
        near, label, around, along, keep, _ = expected[place]
        if maps.label[k] == label and abs(maps.depth[k] - near) < 1e-3:
            agreeing += 1
            np.testing.assert_allclose([maps.around[k], maps.along[k], maps.keep[k]], [around, along, keep], atol=5e-3)
    assert agreeing > 0.985 * len(places)  # depths closer than 1/16 mm may come in either order


def test_a_ball_is_a_disc_that_faces_the_camera():
    ball = solid(1, np.array([0, 0, 0.85]), np.eye(3), (0.4, 0.4, 0.4), power=1.0, rings=24, spokes=40)
    for yaw in (0, 77):
        maps = rasterise(joined([ball]), View(yaw=yaw, pitch=0, roll=0, unit=100))
        assert len(maps.pixel) == pytest.approx(np.pi * 40**2, rel=0.03)
        assert maps.normal[2].min() > -0.2
        middle = np.argmax(maps.depth)
        assert maps.normal[2, middle] > 0.98
        assert maps.depth[middle] == pytest.approx(0.4, abs=0.01)
        rows, columns = maps.pixel // maps.width - maps.height / 2, maps.pixel % maps.width - maps.width / 2
        assert np.corrcoef(maps.normal[0], columns)[0, 1] > 0.9
        assert np.corrcoef(maps.normal[1], rows)[0, 1] < -0.9


def test_the_inside_of_a_surface_is_drawn_only_if_it_is_two_sided():
    turn, height = np.linspace(-np.pi, np.pi, 13), np.linspace(0.5, -0.5, 5)[:, None]
    points = np.stack(np.broadcast_arrays(0.3 * np.sin(turn[:-1]), -0.3 * np.cos(turn[:-1]), 0.85 + height), -1)
    front_open = np.broadcast_to(np.abs(turn) - 1.0, (5, 13))  # kept only where the angle is above 1
    counts = {}
    for two_sided in (False, True):
        tube = grid(1, points, turn, height, closed=True, keep=front_open, two_sided=two_sided)
        maps = rasterise(joined([tube]), VIEW)
        counts[two_sided] = len(maps.pixel)
        assert (maps.normal[2] > -0.1).all()  # what is seen faces the camera, inside or outside
    assert counts[True] > 1.5 * counts[False]


def test_nearer_surfaces_hide_farther_ones():
    def plate(label, y):
        points = np.array([[[-0.3, y, 1.1], [0.3, y, 1.1]], [[-0.3, y, 0.6], [0.3, y, 0.6]]])
        return grid(label, points, 0, 0, closed=False)

    for order in ((1, 2), (2, 1)):
        depths = {1: -0.2, 2: 0.2}  # −y is towards the camera
        maps = rasterise(joined([plate(label, depths[label]) for label in order]), VIEW)
        middle = np.abs(maps.pixel % maps.width - maps.width / 2) < 10
        assert set(maps.label[middle]) == {1}
