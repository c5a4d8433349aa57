"""The difficulty `wide`, which every world draws for itself: its ranges and its effect on the pixels."""

from dataclasses import fields, replace

import numpy as np
import pytest

from synthpeople import difficulty as module
from synthpeople.corpus import Corpus
from synthpeople.difficulty import RANGES, Difficulty
from synthpeople.drawing import DIFFICULTIES, LEVELS, PARTS, difficulty_of, draw
from synthpeople.drawing.camera import camera, develop
from synthpeople.place import place
from synthpeople.randomness import IMAGE, stream

CALM = Difficulty(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False)
PERSON = [PARTS.index(part) for part in PARTS if part not in ("background", "obstacle", "other person")]


@pytest.fixture(scope="module")
def drawn():
    return [difficulty_of("wide", seed) for seed in range(400)]


def test_presets_are_the_same_in_every_world():
    assert (*DIFFICULTIES, "wide", "mixed") == LEVELS
    for name, preset in DIFFICULTIES.items():
        assert difficulty_of(name, 1) == difficulty_of(name, 2) == preset
        assert {field.name: getattr(preset, field.name) for field in fields(Difficulty)[9:]} == {
            "quality": (68, 92), "dark": 0.62, "contrast": 1.0, "gain": 1.0, "level": 1.0, "edges": 0.0, "motion": 0.0,
            "lamps": 0.0, "steepest": 18.0,
        }  # fmt: skip
    with pytest.raises(ValueError, match="difficulty is 'wild', expected one of easy, moderate, standard, hard, wide, mixed"):
        difficulty_of("wild", 1)


def test_every_other_world_of_a_mixed_corpus_is_standard():
    for seed in range(10):
        assert difficulty_of("mixed", seed) == difficulty_of("standard" if seed % 2 else "wide", seed)


def test_each_world_draws_its_own_values_within_the_ranges(drawn):
    assert len(set(drawn)) == len(drawn)
    assert drawn[7] == difficulty_of("wide", 7)
    assert set(RANGES) | {"twins", "quality"} == {field.name for field in fields(Difficulty)}
    for name, (low, high) in RANGES.items():
        values = np.array([getattr(level, name) for level in drawn])
        assert low <= values.min() < low + 0.05 * (high - low), name
        assert high - 0.05 * (high - low) < values.max() <= high, name
    lowest, highest = zip(*(level.quality for level in drawn), strict=True)
    assert (min(lowest), max(lowest), set(highest)) == (20, 70, {92})
    assert all(level.twins for level in drawn)


def test_the_values_of_a_world_are_uncorrelated(drawn):
    values = np.array([[getattr(level, name) for name in RANGES] for level in drawn])
    assert np.abs(np.corrcoef(values.T) - np.eye(len(RANGES))).max() < 0.2


def through(modality: str, scene: np.ndarray, **options) -> np.ndarray:
    """A grey scene (H, W) as a camera without blur, noise or haze sees it, float (H, W)."""
    level = replace(CALM, **options)
    view = replace(camera(0, 1, modality, place(0, 1, 0.0), level), falloff=0.0, gain=(1.0, 1.0, 1.0), blur=0.0)
    return develop(scene[..., None].repeat(3, 2), None, view, stream(IMAGE, 0), modality, level)[..., 0].astype(float)


@pytest.mark.parametrize(
    ("modality", "name", "factor"), [("infrared", "contrast", 1.5), ("infrared", "contrast", 0.7), ("thermal", "gain", 1.8)]
)
def test_contrast_is_stretched_about_the_mean(modality, name, factor):
    scene = np.tile(np.repeat(np.array([80, 120], np.uint8), 32), (96, 1))
    plain, stretched = through(modality, scene), through(modality, scene, **{name: factor})
    assert np.ptp(stretched) == pytest.approx(np.ptp(plain) * factor, abs=2)
    assert stretched.mean() == pytest.approx(plain.mean(), abs=1)
    for other in {"visible", "infrared", "thermal"} - {modality}:
        assert np.array_equal(through(other, scene), through(other, scene, **{name: factor}))


def test_the_level_darkens_thermal_pictures_only():
    scene = np.full((96, 64), 100, np.uint8)
    assert through("thermal", scene, level=0.7).mean() == pytest.approx(70, abs=1.5)
    assert through("infrared", scene, level=0.7).mean() == through("infrared", scene).mean()


def test_motion_smears_sideways():
    scene = np.zeros((96, 64), np.uint8)
    scene[40:56, 24:40] = 200
    still, moved = through("visible", scene), through("visible", scene, motion=0.1)
    across, down = ([(picture > 10).any(axis).sum() for picture in (still, moved)] for axis in (0, 1))
    assert across[1] > across[0] + 3
    assert down[1] == down[0]


def test_sharpening_gives_thermal_edges_halos():
    scene = np.tile(np.repeat(np.array([80, 120], np.uint8), 32), (96, 1))
    plain, sharp = through("thermal", scene), through("thermal", scene, edges=1.5)
    assert sharp.max() > plain.max() + 5
    assert sharp.min() < plain.min() - 5
    assert np.array_equal(through("infrared", scene), through("infrared", scene, edges=1.5))


def test_darkness_and_coloured_lamps_occur_only_at_night():
    for number in range(1, 30):
        where, level = place(3, number, 0.5), replace(CALM, dark=0.3, lamps=0.3)
        usual, dark = (camera(3, number, "visible", where, each) for each in (CALM, level))
        if not where.night:
            assert dark == usual
            continue
        factors = np.array(dark.gain) / usual.gain
        assert 0.7 * 0.3 / 0.62 <= factors.min() < factors.max() <= 1.3 * 0.3 / 0.62
        assert camera(3, number, "infrared", where, level) == camera(3, number, "infrared", where, CALM)


def test_steep_cameras_look_down_further():
    usual, steep = ([place(3, number, 0.5, steepest) for number in range(1, 60)] for steepest in (18.0, 35.0))
    assert max(where.pitch for where in usual) < 18 < max(where.pitch for where in steep) < 35
    assert [replace(where, pitch=0) for where in usual] == [replace(where, pitch=0) for where in steep]


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("dark", 0.3, {"visible"}),
        ("contrast", 1.5, {"infrared"}),
        ("gain", 1.5, {"thermal"}),
        ("level", 0.8, {"thermal"}),
        ("edges", 1.0, {"thermal"}),
        ("motion", 0.1, {"visible", "infrared", "thermal"}),
        ("lamps", 0.3, {"visible"}),
        ("steepest", 35.0, {"visible", "infrared", "thermal"}),
    ],
)
def test_every_value_of_a_world_affects_the_pixels(monkeypatch, name, value, seen):
    night = replace(CALM, night=1.0)
    monkeypatch.setattr(module, "DIFFICULTIES", {"night": night, "other": replace(night, **{name: value})})
    camera_number = next(number for number in range(1, 20) if place(3, number, 1.0).night)
    changed = set()
    for modality in ("visible", "infrared", "thermal"):
        usual, other = (draw(3, 1, camera_number, modality, 0, 64, 24, level).pixels for level in ("night", "other"))
        changed |= {modality} if (usual != other).any() else set()
    assert changed == seen


@pytest.mark.parametrize("modality", ["visible", "infrared", "thermal"])
def test_the_most_extreme_world_fits_any_frame(modality, monkeypatch):
    worst = {name: high for name, (_, high) in RANGES.items()}
    monkeypatch.setattr(module, "_wide", lambda seed: Difficulty(**worst, twins=True, quality=(20, 92)))
    for number, size in enumerate([(48, 16), (97, 61), (64, 128)]):
        seen = draw(1, 2, 1 + number, modality, 0, *size, "wide")
        assert seen.pixels.shape == (*size, 3)
        assert 0.05 < np.isin(seen.parts, PERSON).mean() < 0.95
        assert 20 <= seen.quality <= 92


def test_nights_are_dark_but_not_black_and_thermal_people_stand_out():
    nights, usual, thermal = [], [], []
    for seed in range(40):
        level = difficulty_of("wide", seed)
        for number in range(1, 4):
            if place(seed, number, level.night, level.steepest).night:
                nights.append(draw(seed, number, number, "visible", 0, 64, 24, "wide").pixels.mean() / 255)
        if place(seed, 1, 0.35).night:
            usual.append(draw(seed, 1, 1, "visible", 0, 64, 24, "standard").pixels.mean() / 255)
        if seed % 2 == 0:
            thermal.append(draw(seed, 1, 1, "thermal", 0, 64, 24, "wide").pixels.std() / 255)
    assert len(nights) > 15
    assert 0.08 < np.median(nights) < 0.18 < np.median(usual)
    assert min(nights) > 0.02
    assert 0.18 < np.median(thermal) < 0.3


def test_a_corpus_is_drawn_with_the_difficulties_of_its_worlds():
    corpus = Corpus("llcm", 12, 5, 1, height=64, width=24, difficulty="wide", worlds=3)
    for shot in corpus.plan().shots[::23]:
        seed = corpus.seed_of(shot.identity)
        found = corpus.drawn(shot)
        expected = draw(seed, shot.identity, shot.camera, shot.modality, shot.index, 64, 24, "wide")
        assert np.array_equal(found.pixels, expected.pixels)
        assert found.quality >= difficulty_of("wide", seed).quality[0]
