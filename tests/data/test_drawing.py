"""Images of synthetic people: what they depend on, what a difficulty switches on, and masks that say what is where."""

import hashlib
import importlib
from dataclasses import replace

import numpy as np
import pytest

from fsclib.data.drawing import DIFFICULTIES, DRAWING, PARTS, draw
from fsclib.data.drawing.difficulty import Difficulty
from fsclib.data.drawing.people.twins import identity

module = importlib.import_module("fsclib.data.drawing.draw")  # the package's `draw` is the function
SIZE = (128, 48)
PERSON = [PARTS.index(part) for part in PARTS if part not in ("background", "obstacle", "other person")]
CALM = Difficulty(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, False)  # nothing but the drawing itself


@pytest.fixture
def calm(monkeypatch):
    monkeypatch.setattr(module, "DIFFICULTIES", {"calm": CALM})


@pytest.mark.parametrize("modality", ["visible", "infrared", "thermal"])
@pytest.mark.parametrize(("height", "width"), [(48, 16), (97, 61), (64, 128)])
@pytest.mark.parametrize("difficulty", ["easy", "hard"])
def test_a_drawing_fits_any_frame(modality, height, width, difficulty):
    drawn = draw(1, 2, 3, modality, 0, height, width, difficulty)
    assert drawn.pixels.dtype == drawn.parts.dtype == np.uint8
    assert drawn.pixels.shape == (height, width, 3)
    assert drawn.parts.shape == (height, width)
    assert drawn.pixels.std() > 2
    assert 0.05 < np.isin(drawn.parts, PERSON).mean() < 0.9
    assert drawn.parts.max() < len(PARTS)
    assert 50 <= drawn.quality <= 95


def test_every_argument_of_a_drawing_counts():
    base = (0, 1, 1, "visible", 0, *SIZE, "standard")
    changes = {0: 1, 1: 2, 2: 2, 3: "infrared", 4: 1, 7: "hard"}
    drawn = [draw(*base).pixels.tobytes()]
    drawn += [draw(*base[:place], value, *base[place + 1 :]).pixels.tobytes() for place, value in changes.items()]
    assert len(set(drawn)) == len(drawn)
    assert draw(*base).pixels.tobytes() == drawn[0]


@pytest.mark.parametrize("modality", ["infrared", "thermal"])
def test_only_visible_light_has_colour(modality):
    for number in range(1, 6):
        grey = draw(0, number, 1, modality, 0, *SIZE).pixels
        assert np.ptp(grey, axis=2).max() == 0
        assert np.ptp(draw(0, number, 1, "visible", 0, *SIZE).pixels.astype(int), axis=2).max() > 20


def _at_one_spot(rng, frame, cutout, level):
    """Foot and scale the same whatever a person carries, which makes canvases differ."""
    scale = 0.36
    return 24 - cutout.foot[0] * scale, 118 - cutout.foot[1] * scale, (scale, scale)


@pytest.mark.parametrize("bag", ["backpack", "shoulder bag", "handbag"])
def test_a_bag_changes_pixels_where_its_mask_says(monkeypatch, calm, bag):
    """The same person twice, with and without: the images differ inside the bag's mask, and not away from it."""
    plain = replace(identity(0, 3, False), bag="none")
    monkeypatch.setattr(module, "_stand", _at_one_spot)
    seen = 0
    for camera in range(1, 7):
        images = {}
        for what in ("none", bag):
            monkeypatch.setattr(module, "identity", lambda *_, what=what: replace(plain, bag=what))
            images[what] = draw(0, 3, camera, "visible", 0, *SIZE, "calm")
        mask = images[bag].parts == PARTS.index("bag")
        assert not (images["none"].parts == PARTS.index("bag")).any()
        if mask.sum() < 20:
            continue  # hidden behind the body
        seen += 1
        change = np.abs(images[bag].pixels.astype(int) - images["none"].pixels).max(2)
        near = np.zeros_like(mask)
        for down in range(-4, 5):
            for across in range(-4, 5):
                near |= np.roll(mask, (down, across), (0, 1))
        assert (change[mask] > 8).mean() > 0.6
        assert (change[~near] > 8).mean() < 0.005
    assert seen >= 2


def test_masks_lie_on_the_person(calm):
    """A person's pixels change from one identity to another; the background of the same image does not."""
    a, b = (draw(0, number, 2, "visible", 0, *SIZE, "calm") for number in (1, 1))
    np.testing.assert_array_equal(a.pixels, b.pixels)
    heads = np.argwhere(np.isin(a.parts, [PARTS.index(part) for part in ("hair", "headwear")]))
    shoes = np.argwhere(a.parts == PARTS.index("shoes"))
    lower = np.argwhere(a.parts == PARTS.index("lower garment"))
    upper = np.argwhere(a.parts == PARTS.index("upper garment"))
    assert heads[:, 0].mean() < upper[:, 0].mean() < lower[:, 0].mean() < shoes[:, 0].mean()


def test_difficulties_switch_on_what_they_say():
    assert list(DIFFICULTIES) == ["easy", "standard", "hard"]
    hidden = {}
    for name in DIFFICULTIES:
        parts = [draw(3, number, 1 + number % 5, "visible", 0, 64, 24, name).parts for number in range(1, 60)]
        obstacles = [PARTS.index("obstacle"), PARTS.index("other person")]
        hidden[name] = np.mean([np.isin(image, obstacles).any() for image in parts])
    assert hidden["easy"] == 0 < hidden["standard"] < hidden["hard"] < 0.6
    easy, standard, hard = DIFFICULTIES.values()
    for name in ("night", "obstacles", "jitter", "light", "blur", "noise", "turn"):
        assert getattr(easy, name) < getattr(standard, name) < getattr(hard, name)
    assert (easy.twins, standard.twins, hard.twins) == (False, True, True)


def test_a_walk_goes_on_from_image_to_image(monkeypatch, calm):
    turns, moments = [], []
    monkeypatch.setattr(module, "figure", lambda who, moment, yaw, *rest, **named: (turns.append(yaw), moments.append(moment))[0])
    for index in range(10):
        with pytest.raises(AttributeError):  # the stub draws nothing
            draw(0, 1, 1, "visible", index, *SIZE, "calm")
    one, other = np.array(turns[:5]), np.array(turns[5:])
    assert np.abs(np.diff(one)).max() < 20
    assert np.abs(np.diff(other)).max() < 20
    assert len({moment.swing for moment in moments[:5]}) == 1
    steps = np.diff([moment.phase for moment in moments[:5]])
    assert steps.min() > 0.1


def test_backgrounds_are_drawn_anew_for_each_image(calm, monkeypatch):
    """Two images of one walk share no window of the background more than images of two people do."""
    windows = []
    original = module._window

    def spy(rng, behind, height, width):
        state = rng.bit_generator.state
        windows.append((rng.integers(10_000), rng.integers(10_000)))
        rng.bit_generator.state = state
        return original(rng, behind, height, width)

    monkeypatch.setattr(module, "_window", spy)
    for number in (1, 2):
        for index in range(4):
            draw(0, number, 1, "visible", index, *SIZE, "calm")
    assert len(set(windows)) == 8


def test_pixels_are_the_same_on_every_machine():
    """A digest made on x86-64 with Python 3.11: whoever sees another has found a machine on which corpora differ."""
    digest = hashlib.blake2b(digest_size=16)
    for modality in ("visible", "infrared", "thermal"):
        for who in (1, 2, 3):
            digest.update(draw(7, who, 1, modality, 0, 96, 36).pixels.tobytes())
    assert (DRAWING, digest.hexdigest()) == (2, "f164b7ed62e495288592ef7e745eb692")
