"""Synthetic people: their attributes, and how they look in each modality."""

import csv
import io
from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from synthpeople.people import labels, looks
from synthpeople.people import twins as identities
from synthpeople.people.looks import luminance, tones
from synthpeople.people.patterns import marked
from synthpeople.people.raster import View, rasterise
from synthpeople.people.surfaces import joined, solid
from synthpeople.people.twins import EVERY, attributes, family, identity
from synthpeople.people.wardrobe import BAGS, COLOURS, LOWERS, MATERIALS, SHOES, UPPERS

PEOPLE = range(1, 400)


def flat(value, name="") -> dict:
    if isinstance(value, dict):
        return {key: v for k, entry in value.items() for key, v in flat(entry, f"{name}.{k}").items()}
    return {name: value}


def test_a_person_does_not_depend_on_the_people_drawn_before():
    identities.identity.cache_clear()
    late = identity(4, 77)
    identities.identity.cache_clear()
    assert [identity(4, number) for number in range(70, 80)][7] == late


def test_seeds_share_no_person():
    worlds = [{identity(seed, number) for number in PEOPLE} for seed in range(4)]
    assert all(len(world) == len(PEOPLE) for world in worlds)
    assert len(set.union(*worlds)) == 4 * len(PEOPLE)


def test_every_kind_of_clothing_occurs():
    people = [identity(0, number) for number in PEOPLE]
    assert {p.upper.kind for p in people} == {*UPPERS, "none"}
    assert {p.lower.kind for p in people} == LOWERS.keys()
    assert {p.shoes.kind for p in people} == SHOES.keys()
    assert {p.bag for p in people} == BAGS.keys()
    assert {p.hair for p in people} == {"short", "long", "tied", "bald", "cap", "hood"}
    assert {p.glasses for p in people} == {p.sweat for p in people} == {True, False}
    materials = {g.cloth.material for p in people for g in (p.upper, p.lower, p.shoes)}
    assert materials == MATERIALS.keys()
    assert all(p.upper.kind != "none" or p.lower.kind == "dress" for p in people)
    assert all(p.hair != "hood" or p.upper.kind in ("hoodie", "long coat") for p in people)


def test_a_pattern_can_be_seen_in_visible_light():
    for number in PEOPLE:
        for cloth in (identity(0, number).upper.cloth, identity(0, number).lower.cloth):
            assert abs(sum(COLOURS[cloth.colour]) - sum(COLOURS[cloth.mark])) >= 150


def test_every_sixth_person_is_a_near_twin():
    for number in range(EVERY, 300, EVERY):
        assert family(number) == family(number - 1) == number - 1
        one, twin = identity(9, number - 1), identity(9, number)
        differing = [f.name for f in fields(one) if getattr(one, f.name) != getattr(twin, f.name)]
        assert len(differing) == 1, differing
        changed = [key for key, value in flat(asdict(one)).items() if flat(asdict(twin))[key] != value]
        row = attributes(9, number)
        assert row["twin_of"] == str(number - 1)
        assert differing == ["upper" if row["differs_in"].startswith(("upper", "sleeves")) else row["differs_in"]]
        if row["differs_in"] in ("upper pattern", "sleeves", "hair", "bag", "glasses"):
            assert len(changed) == 1
    assert len({attributes(9, number)["differs_in"] for number in range(EVERY, 300, EVERY)}) >= 7


def test_others_have_no_twin():
    rows = [attributes(9, number) for number in range(1, 60) if number % EVERY]
    assert {row["twin_of"] for row in rows} == {row["differs_in"] for row in rows} == {"none"}
    easy = [identity(9, number, False) for number in PEOPLE]
    pairs = [(easy[k - 2], easy[k - 1]) for k in range(EVERY, 300, EVERY)]
    changes = [sum(getattr(a, f.name) != getattr(b, f.name) for f in fields(a)) for a, b in pairs]
    assert min(changes) > 3


def test_a_row_of_attributes_describes_the_person():
    person, row = identity(2, 5), attributes(2, 5)
    assert row["upper_cloth_colour"] == person.upper.cloth.colour
    assert row["hair"] == person.hair
    assert float(row["build_girth"]) == pytest.approx(person.build.girth, abs=1e-3)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(row))
    writer.writeheader()
    writer.writerow(row)
    assert next(csv.DictReader(io.StringIO(file.getvalue()))) == row


def test_infrared_depends_on_the_fibre_and_not_on_the_dye():
    cloth = identity(0, 1).upper.cloth
    dyed = replace(cloth, colour="yellow", mark="navy")
    other_fibre = replace(cloth, infrared=cloth.infrared + 0.1, mark_infrared=cloth.mark_infrared + 0.1)
    assert tones(dyed, "infrared", 0.0) == tones(cloth, "infrared", 0.0)
    assert tones(dyed, "visible", 0.0) != tones(cloth, "visible", 0.0)
    assert tones(other_fibre, "visible", 0.0) == tones(cloth, "visible", 0.0)
    assert tones(other_fibre, "infrared", 0.0) != tones(cloth, "infrared", 0.0)


def test_in_an_easy_corpus_infrared_follows_the_colour():
    cloth = replace(identity(0, 1).upper.cloth, colour="white", mark="black", infrared=0.5, mark_infrared=0.5)
    ground, mark = tones(cloth, "infrared", 0.7)
    assert ground[0] - mark[0] == pytest.approx(0.7 * (luminance(COLOURS["white"]) - luminance(COLOURS["black"])))
    assert tones(cloth, "infrared", 0.0)[0] == tones(cloth, "infrared", 0.0)[1]


def test_patterns_fade_or_vanish_in_infrared_by_material():
    cloths = [identity(0, number, False).upper.cloth for number in range(1, 1500)]
    woven = [(c.material, abs(c.infrared - c.mark_infrared)) for c in cloths if c.pattern in ("stripes", "bars", "checks")]
    printed = [abs(c.infrared - c.mark_infrared) for c in cloths if c.pattern in ("logo", "print", "blocks", "yoke", "band")]
    of = {material: [contrast for m, contrast in woven if m == material] for material in ("cotton", "polyester")}
    assert min(map(len, of.values())) > 20
    assert max(of["cotton"]) < 0.07  # out of 1: lost in the noise
    assert 0.1 < np.mean(of["polyester"]) < 0.3
    assert max(printed) > 0.4
    visible = [abs(luminance(COLOURS[c.colour]) - luminance(COLOURS[c.mark])) / 255 for c in cloths if c.pattern != "plain"]
    assert np.mean(visible) > 2 * np.mean([contrast for _, contrast in woven])


def test_black_synthetics_stay_dark_and_dyed_cotton_is_light():
    cloths = [c for number in range(1, 1500) for c in (identity(1, number).upper.cloth, identity(1, number).lower.cloth)]
    black = {m: np.mean([c.infrared for c in cloths if c.material == m and c.colour == "black"]) for m in ("cotton", "polyester")}
    assert black["polyester"] < 0.35 < 0.45 < black["cotton"]
    means = [
        np.mean([c.infrared for c in cloths if c.material == "cotton" and c.colour == name]) for name in ("grey", "white", "red")
    ]
    assert np.ptp(means) < 0.12


def test_the_thermal_band_shows_warmth_and_no_pattern():
    """A ball of checked cloth: two tones in visible light, one in the thermal band; thick cloth is cooler than thin."""
    person = identity(0, 1)
    ball = solid(labels.SLEEVE, np.array([0, 0, 0.85]), np.eye(3), (0.3, 0.3, 0.3), power=1.0, rings=16, spokes=24)
    maps = rasterise(joined([ball]), View(yaw=0, pitch=0, roll=0, unit=100))

    def tones_of(material: str, modality: str) -> np.ndarray:
        cloth = replace(person.upper.cloth, material=material, pattern="checks", colour="black", mark="white")
        worn = replace(person, upper=replace(person.upper, kind="shirt", cloth=cloth), sweat=False)
        return looks.brightness(worn, maps, modality, 0.0)[0][:, 0]

    assert np.ptp(tones_of("linen", "visible")) > 100
    assert np.ptp(tones_of("linen", "thermal")) < 1e-3
    assert tones_of("linen", "thermal").mean() > tones_of("down", "thermal").mean() + 20
    cloth = person.upper.cloth
    assert tones(cloth, "thermal", 0.0, layers=2)[0] < tones(cloth, "thermal", 0.0)[0]


def test_every_part_of_a_mask_has_a_label():
    assert {labels.PARTS.index(part) for part in labels.PART_OF.values()} | {0, labels.OBSTACLE, labels.OTHER_PERSON} == set(
        range(len(labels.PARTS))
    )
    assert set(labels.PART_OF) == set(range(1, max(labels.PART_OF) + 1))


@pytest.mark.parametrize(
    "pattern", ["plain", "stripes", "bars", "checks", "print", "blocks", "yoke", "band", "logo", "side stripe"]
)
def test_a_pattern_marks_part_of_a_cloth(pattern):
    around, along = np.meshgrid(np.linspace(-0.3, 0.3, 301, dtype=np.float32), np.linspace(0, 1.2, 601, dtype=np.float32))
    share = marked(pattern, around.ravel(), along.ravel(), 1.0).reshape(around.shape)
    assert share.dtype == np.float32
    assert share.min() >= 0
    assert share.max() <= 1
    if pattern == "plain":
        assert not share.any()
        return
    assert 0.003 < share.mean() < 0.85
    if pattern in ("stripes", "blocks", "yoke", "band"):
        assert np.ptp(share, axis=1).max() == 0  # goes round the body
    if pattern == "bars":
        assert np.ptp(share, axis=0).max() == 0
    wide = marked(pattern, 1.2 * around.ravel(), 1.2 * along.ravel(), 1.2)
    if pattern in ("stripes", "bars", "checks", "print"):  # size scales the pattern
        assert np.mean(np.abs(wide - share.ravel())) < 0.01


def test_attributes_that_cannot_be_seen_are_none_in_the_table():
    for number in PEOPLE:
        person, row = identity(0, number), attributes(0, number)
        assert (row["cap_colour"] == "none") == (person.hair != "cap")
        assert (row["hair_colour"] == "none") == (person.hair == "bald")
        assert (row["bag_cloth_colour"] == "none") == (person.bag == "none")
        assert (row["inner"] == "none") == (person.upper.front == "closed" or person.lower.kind == "dress")
        assert (row["upper_cloth_mark"] == "none") == (person.upper.kind == "none" or person.upper.cloth.pattern == "plain")
        assert row["upper_kind"] == person.upper.kind
        if person.lower.kind == "skirt" and person.upper.kind != "long coat":
            assert float(row["upper_hem"]) <= 0.47
