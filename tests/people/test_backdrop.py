"""Backdrops: any size, the same bytes in every process, one geometry for all modalities, and materials as each shows them."""

import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from synthpeople.place import Place
from synthpeople.scenery.backdrop import Backdrop, backdrop
from synthpeople.scenery.fixtures import ASPHALT, LAWN, LEAF
from synthpeople.scenery.texture import Matter

KINDS, MODALITIES = ("corridor", "hall", "street", "park", "yard"), ("visible", "infrared", "thermal")


def at(kind: str, night: bool = False, pitch: float = 8.0) -> Place:
    return Place(kind, night, pitch, light=(0.6, 0.64, 0.48), ambient=0.5, tint=(1.0, 1.0, 1.0), path=0.0)


@cache
def seen(kind: str, number: int, modality: str, night: bool = False, seed: int = 1) -> Backdrop:
    """The pictures that several tests look at, each drawn once."""
    return backdrop(seed, number, modality, 96, 36, at(kind, night))


def luminance(image: np.ndarray) -> np.ndarray:
    return image.astype(float) @ (0.299, 0.587, 0.114)


def edges(image: np.ndarray) -> np.ndarray:
    grey = luminance(image)
    return np.abs(np.diff(grey, axis=0))[:, 1:] + np.abs(np.diff(grey, axis=1))[1:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "width", "pitch"), [(48, 16, 2.0), (97, 33, 18.0), (90, 90, 9.0)])
def test_backdrops_of_every_kind_and_size(kind, height, width, pitch):
    for modality in MODALITIES:
        drawn = backdrop(3, 1, modality, height, width, at(kind, pitch=pitch))
        for image in (drawn.base, drawn.glow):
            assert image.shape == (height * 5 // 4, width * 4, 3)
            assert image.dtype == np.uint8
            assert not image.flags.writeable
        assert 0.4 * len(drawn.base) < drawn.horizon < 0.8 * len(drawn.base)


@pytest.mark.parametrize("kind", KINDS)
def test_no_window_is_left_unpainted(kind):
    for number in range(4):
        base = seen(kind, number, "visible").base
        assert all(base[:, left : left + 36].std() > 3 for left in range(0, base.shape[1] - 35, 12))
        assert (base.max(2) == 0).mean() < 0.01


def test_the_same_bytes_in_another_process():
    code = (
        "import hashlib; from synthpeople.scenery.backdrop import backdrop; from synthpeople.place import Place;"
        "drawn = backdrop(7, 2, 'visible', 64, 24, Place('street', True, 8.0, (0.6, 0.64, 0.48), 0.5, (1.0, 1.0, 1.0), 0.0));"
        "print(drawn.base.tobytes().hex() + drawn.glow.tobytes().hex())"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    drawn = backdrop(7, 2, "visible", 64, 24, at("street", night=True))
    assert output == drawn.base.tobytes().hex() + drawn.glow.tobytes().hex()


@pytest.mark.parametrize("kind", KINDS)
def test_only_visible_pictures_have_chroma(kind):
    for modality in MODALITIES:
        drawn = seen(kind, 1, modality, night=kind == "street")
        for image in drawn.base, drawn.glow:
            grey = np.ptp(image.astype(int), axis=2).max() == 0
            assert grey or modality == "visible"
        if modality == "visible":
            assert np.ptp(drawn.base.astype(int), axis=2).max() > 10


@pytest.mark.parametrize("kind", KINDS)
def test_modalities_share_their_geometry(kind):
    for number in range(3):
        visible, infrared, thermal = (seen(kind, number, modality) for modality in MODALITIES)
        other = seen(kind, (number + 1) % 3, "infrared")
        assert visible.horizon == infrared.horizon == thermal.horizon
        same, chance = (np.corrcoef(edges(visible.base).ravel(), edges(o.base).ravel())[0, 1] for o in (infrared, other))
        assert same > max(0.25, chance + 0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_cameras_see_different_places(kind):
    bases = [seen(kind, number, "visible").base.astype(int) for number in range(4)]
    assert all(np.abs(bases[i] - bases[j]).mean() > 8 for i in range(4) for j in range(i))
    again = seen(kind, 0, "visible", seed=2).base.astype(int)
    assert np.abs(bases[0] - again).mean() > 8


def test_vegetation_is_bright_in_infrared():
    for plant in (LEAF, LAWN):
        visible, infrared = (
            luminance(np.array(plant.tone(modality))) / luminance(np.array(ASPHALT.tone(modality))) for modality in MODALITIES[:2]
        )
        assert infrared > 1.8 * visible
    park, street = (
        [luminance(seen(kind, number, modality).base) for number in range(4) for modality in MODALITIES[:2]]
        for kind in ("park", "street")
    )
    ratio = [np.mean(park[i::2]) / np.mean(street[i::2]) for i in (0, 1)]
    assert ratio[1] > 1.2 * ratio[0]


@pytest.mark.parametrize("kind", KINDS)
def test_thermal_backgrounds_are_colder_than_people(kind):
    for number in range(4):
        base = seen(kind, number, "thermal").base
        assert 40 < base.mean() < 115
        assert np.percentile(base, 99) < 150
        assert edges(base).mean() < 0.7 * edges(seen(kind, number, "visible").base).mean()


def test_lamps_shine_at_night_only():
    for kind in ("street", "park", "yard"):
        assert seen(kind, 1, "visible").glow.max() == 0
        bright, filtered, none = (seen(kind, 1, modality, night=True).glow for modality in MODALITIES)
        assert bright.max() > 60
        assert 0 < filtered.mean() < 0.5 * bright.mean()
        assert none.max() == 0


def test_infrared_light_falls_off_and_ignores_colour():
    red, blue = Matter((150, 30, 30), 120, 80), Matter((30, 30, 150), 120, 80)
    assert red.tone("infrared") == blue.tone("infrared") == (120, 120, 120)
    assert red.tone("infrared", 0.5) == (60, 60, 60)
    assert red.tone("visible", 0.5) == (150, 30, 30)
    assert red.tone("thermal", 0.5) == (80, 80, 80)
