"""Drawn people: what an image depends on, what the modalities share, and the integer rasteriser underneath."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from fsclib.data.drawing import DRAWING, draw_person
from fsclib.data.drawing.identity import LOWER_PATTERNS, UPPER_PATTERNS, identity, luminance
from fsclib.data.drawing.materials import Material, person_palette
from fsclib.data.drawing.raster import fill_ellipse, fill_polygon
from fsclib.data.drawing.scene import scene


@pytest.mark.parametrize("modality", ["visible", "infrared", "thermal"])
@pytest.mark.parametrize(("height", "width"), [(48, 16), (97, 61), (64, 128)])
@pytest.mark.parametrize("hardness", [0.0, 3.0])
def test_drawing_fits_any_frame(modality, height, width, hardness):
    image = draw_person(1, 2, 3, modality, 0, height, width, hardness)
    assert image.dtype == np.uint8
    assert image.shape == (height, width, 3)
    assert image.std() > 2


def test_every_argument_of_a_drawing_counts():
    base = (0, 1, 1, "visible", 0)
    others = [
        (1, 1, 1, "visible", 0),
        (0, 2, 1, "visible", 0),
        (0, 1, 2, "visible", 0),
        (0, 1, 1, "infrared", 0),
        (0, 1, 1, "visible", 1),
    ]
    drawn = [draw_person(*arguments, 64, 24).tobytes() for arguments in (base, *others)]
    assert len(set(drawn)) == len(drawn)
    assert draw_person(*base, 64, 24).tobytes() == drawn[0]


def test_colour_is_visible_only_and_reflectance_infrared_only():
    one, two = identity(0, 1), identity(0, 2)
    colours = {"ground": two.upper.ground, "mark": two.upper.mark}
    tones = {"ground_infrared": two.upper.ground_infrared, "mark_infrared": two.upper.mark_infrared}
    recoloured, treated = (replace(one, upper=replace(one.upper, **change)) for change in (colours, tones))

    def same(a, b, modality):
        return (person_palette(a, modality) == person_palette(b, modality)).all()

    assert not same(one, recoloured, "visible")
    assert same(one, recoloured, "infrared")
    assert same(one, treated, "visible")
    assert not same(one, treated, "infrared")


def test_without_hardness_infrared_is_the_luminance_of_the_colour():
    person = identity(0, 1)
    tone = person_palette(person, "infrared", hardness=0)[Material.UPPER - Material.SKIN]
    assert (tone == luminance(person.upper.ground)).all()
    assert tone[0] != person.upper.ground_infrared


@pytest.mark.parametrize("modality", ["infrared", "thermal"])
def test_a_pattern_is_lighter_than_its_ground_in_both_modalities_or_in_neither(modality):
    for number in range(1, 40):
        person = identity(3, number)
        visible, other = person_palette(person, "visible"), person_palette(person, modality)
        for ground, mark in ((Material.UPPER, Material.UPPER_MARK), (Material.LOWER, Material.LOWER_MARK)):
            a, b = ground - Material.SKIN, mark - Material.SKIN
            lighter = luminance(visible[b].astype(int)) - luminance(visible[a].astype(int))
            assert lighter * (int(other[b, 0]) - int(other[a, 0])) > 0


def test_attributes_differ_between_people():
    people = [identity(0, number) for number in range(1, 200)]
    assert {person.upper.pattern for person in people} == UPPER_PATTERNS.keys()
    assert {person.lower.pattern for person in people} == LOWER_PATTERNS.keys()
    cuts = {(p.upper.pattern, p.lower.pattern, p.sleeves, p.hem, p.bottom, p.bottom_length, p.hat, p.bag) for p in people}
    assert len(cuts) > 190


def test_a_background_belongs_to_the_camera():
    empty = scene(0, 1, 128, 48)
    assert not empty.flags.writeable
    assert not np.array_equal(empty, scene(0, 2, 128, 48))
    assert empty.max() % 64 < Material.SKIN


def test_a_triangle_covers_its_inside_and_little_more():
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(40), np.arange(30))
    for _ in range(200):
        corners = rng.integers(-15, 50, (3, 2)).tolist()
        canvas = np.zeros((30, 40), np.uint8)
        fill_polygon(canvas, [tuple(corner) for corner in corners], 7)
        sides = []
        for (xa, ya), (xb, yb) in zip(corners, corners[1:] + corners[:1], strict=True):
            sides.append(((xb - xa) * (y - ya) - (yb - ya) * (x - xa)) / max(1.0, np.hypot(xb - xa, yb - ya)))
        inside = (np.min(sides, 0) >= 0) | (np.max(sides, 0) <= 0)
        close = (np.min(sides, 0) > -1) | (np.max(sides, 0) < 1)
        if abs(np.linalg.det(np.c_[corners, np.ones(3)])) > 1:
            assert (canvas[inside] == 7).all()
        assert set(np.unique(canvas[~close])) <= {0}


def test_a_shape_partly_outside_is_the_shape_cut_off():
    for fill in (
        lambda canvas, dx, dy: fill_ellipse(canvas, 5 + dx, 5 + dy, 34 + dx, 24 + dy, 3),
        lambda canvas, dx, dy: fill_polygon(canvas, [(5 + dx, 9 + dy), (30 + dx, 3 + dy), (20 + dx, 33 + dy)], 3),
    ):
        whole, part = np.zeros((40, 40), np.uint8), np.zeros((20, 20), np.uint8)
        fill(whole, 0, 0)
        fill(part, -10, -10)
        assert whole.any()
        assert np.array_equal(whole[10:30, 10:30], part)
        gone = np.zeros((20, 20), np.uint8)
        for away in ((100, 0), (-100, 0), (0, 100), (0, -100)):
            fill(gone, *away)
        assert not gone.any()


def test_an_ellipse_fills_its_box():
    canvas = np.zeros((20, 30), np.uint8)
    fill_ellipse(canvas, 4, 6, 25, 13, 1)
    rows, columns = np.nonzero(canvas)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 13, 4, 25)
    assert np.array_equal(canvas[6:14], canvas[6:14][::-1])
    assert np.array_equal(canvas[:, 4:26], canvas[:, 4:26][:, ::-1])
    assert abs(canvas.sum() - np.pi / 4 * 8 * 22) < 12


def test_pixels_are_the_same_on_every_machine():
    """A digest made on x86-64 with Python 3.11: whoever sees another has found a machine on which corpora differ."""
    digest = hashlib.blake2b(digest_size=16)
    for modality in ("visible", "infrared", "thermal"):
        for who in (1, 2, 3):
            digest.update(draw_person(7, who, 1, modality, 0, 96, 36).tobytes())
    assert (DRAWING, digest.hexdigest()) == (1, "bb48c907b4270f5a10bde45f0eadea89")
