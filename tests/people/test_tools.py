"""The tools that bake the bank of bodies, except for what needs the mesh model."""

import sys
from pathlib import Path

import numpy as np
import pytest

from synthpeople.people import bodies, raster
from synthpeople.scenery import perspective

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def gait(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    yield __import__("gait")
    sys.modules.pop("gait", None)


@pytest.fixture
def bake(gait):
    yield __import__("bake_bodies")
    sys.modules.pop("bake_bodies", None)


def test_curves_pass_near_their_tables_and_are_periodic(gait):
    for table, tolerance in ((gait.HIP, 4), (gait.KNEE, 7), (gait.ANKLE, 4)):
        for phase, degrees in table.items():
            assert gait.periodic(table, phase) == pytest.approx(degrees, abs=tolerance)
        assert gait.periodic(table, 0.3) == pytest.approx(gait.periodic(table, 1.3), abs=1e-9)


def test_a_rotation_is_a_rotation(gait):
    turn = gait.rotation(np.array([1.0, 2.0, -0.5]), 37)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.trace(turn) == pytest.approx(1 + 2 * np.cos(np.radians(37)))
    np.testing.assert_allclose(gait.rotation(np.array([0.0, 0.0, 1.0]), 90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_skinning_moves_children_with_their_parents(gait):
    """A chain of two bones along z: the upper one turned by 90° about x, the lower one back by 90°."""
    heads = np.array([[0.0, 0, 2], [0, 0, 1]])
    vertices = np.array([[0.0, 0, 1.5], [0, 0, 0.5]])
    turns = {0: gait.rotation(np.array([1.0, 0, 0]), 90)}
    posed = gait.skin(vertices, heads, [-1, 0], turns, np.eye(2))
    np.testing.assert_allclose(posed, [[0, 0.5, 2], [0, 1.5, 2]], atol=1e-12)  # hanging down, it swings backwards
    turns[1] = gait.rotation(np.array([1.0, 0, 0]), -90)
    np.testing.assert_allclose(gait.skin(vertices, heads, [-1, 0], turns, np.eye(2))[1], [0, 1, 1.5], atol=1e-12)


def test_a_walk_bends_knees_backwards_and_swings_limbs_in_opposition(gait):
    rest = {"upperarm01": (0.2, 0, 0.5), "lowerarm01": (0.3, 0, 0.3), "wrist": (0.4, -0.15, 0.2)}
    heads = {
        f"{bone}.{side}": np.array([sign * x, y, z]) for bone, (x, y, z) in rest.items() for side, sign in (("L", 1), ("R", -1))
    }
    down, backwards = np.array([0.0, 0, -1]), np.array([0.0, 1, 0])
    for phase in np.arange(12) / 12:
        bones = gait.walk(phase, "swinging", heads)
        for side in "LR":
            assert (bones[f"lowerleg01.{side}"] @ down) @ backwards > -0.05
    strike = gait.walk(0.0, "swinging", heads)  # the left heel strikes
    leg = {side: (strike[f"upperleg01.{side}"] @ down) @ backwards for side in "LR"}
    assert leg["L"] < -0.3
    assert leg["R"] > 0.1
    arm = {
        side: (strike[f"upperarm01.{side}"] @ np.array([0.65 * sign, 0, -0.75])) @ backwards for side, sign in (("L", 1), ("R", -1))
    }
    assert arm["L"] > 0.1
    assert arm["R"] < -0.1


def test_a_hull_goes_round_both_legs(bake):
    turn = np.linspace(0, 2 * np.pi, 60)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1) * 0.1
    legs = np.concatenate(
        [np.column_stack([ring + np.array([side, 0.0]), np.full(60, z)]) for side in (-0.2, 0.2) for z in np.linspace(0, 1, 40)]
    )
    rings = bake.hull(legs, 0.9)
    assert rings.shape == (bake.LEVELS, 3 + bake.SPOKES)
    np.testing.assert_allclose(rings[:, :2], 0, atol=1e-3)
    front, left = rings[:, 3], rings[:, 3 + bake.SPOKES // 4]
    np.testing.assert_allclose(front, 0.1, atol=2e-3)
    np.testing.assert_allclose(left, 0.3, atol=2e-3)


def test_cloth_bridges_a_hollow_and_keeps_a_bump(bake):
    number = 40
    neighbours = np.zeros((number, number))
    for k in range(number):
        neighbours[k, [(k - 1) % number, (k + 1) % number]] = 0.5
    vertices = np.zeros((number, 3))
    vertices[20] = [0, -0.05, 0]  # a hollow
    vertices[5] = [0, 0.05, 0]  # and a bump
    draped = bake.drape(vertices, np.tile([0.0, 1, 0], (number, 1)), neighbours)
    assert draped[20, 1] > -0.04
    assert draped[5, 1] >= 0.05
    assert draped[30, 1] == pytest.approx(0, abs=0.01)


def test_the_same_arrays_give_the_same_bytes(bake, tmp_path):
    arrays = {"one": np.arange(5), "two": np.eye(2)}
    for name in ("a", "b"):
        bake.save(tmp_path / name, arrays)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with np.load(tmp_path / "a", allow_pickle=False) as found:
        assert {name: found[name].tolist() for name in found} == {name: array.tolist() for name, array in arrays.items()}


def test_the_generator_reads_the_bank_as_it_was_baked(bake):
    assert bake.SCALE * bodies.SCALE == 1
    assert bake.BANK == bodies.BANK
    assert len(bake.SHAPES) == bodies.SHAPES
    assert [getattr(bodies, name.upper()) for name in bake.PARTS] == list(range(len(bake.PARTS)))
    assert raster.DISTANCE == perspective.DISTANCE  # people and places are seen from the same distance
