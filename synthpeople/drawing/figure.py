"""A person at one moment, seen by one camera, as a cut-out: brightness, coverage and parts on a separate canvas."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from synthpeople.clothing.bags import bags
from synthpeople.clothing.dress import clothes
from synthpeople.clothing.headwear import headwear
from synthpeople.clothing.skirts import arms_clear, skirts
from synthpeople.difficulty import Difficulty
from synthpeople.people import looks
from synthpeople.people.bodies import Moment, pose
from synthpeople.people.identity import Identity
from synthpeople.people.labels import PART_OF, PARTS
from synthpeople.people.raster import View, rasterise
from synthpeople.people.shading import lit
from synthpeople.people.surfaces import joined
from synthpeople.people.wardrobe import FITS, UPPERS
from synthpeople.place import Place
from synthpeople.randomness import between, uniform

STATURE = 1.72  # approximate metres that fill the canvas
SKIRT_EFFORT = {"tight": 0.38, "regular": 0.72, "loose": 0.8}  # share of a stride that a skirt or long coat allows


@dataclass(frozen=True, eq=False)
class Cutout:
    """A person on a canvas (H, W): premultiplied red, green, blue and coverage, uint8 (H, W, 4), and parts, uint8 (H, W)."""

    pixels: np.ndarray
    parts: np.ndarray
    box: tuple[int, int, int, int]  # left, top, right, bottom of the person on the canvas
    foot: tuple[float, float]  # column and row of the point on the ground below


@lru_cache(maxsize=1)
def _parts() -> np.ndarray:
    table = np.zeros(max(PART_OF) + 1, np.uint8)
    for label, part in PART_OF.items():
        table[label] = PARTS.index(part)
    return table


def figure(
    person: Identity,
    moment: Moment,
    yaw: float,
    place: Place,
    modality: str,
    difficulty: Difficulty,
    size: int,
    rng: Generator,
    roll: float,
) -> Cutout:
    """Draws the person about `size` pixels tall. rng: for the folds of cloth."""
    skirted = [g for g, kinds in ((person.lower, ("skirt", "dress")), (person.upper, ("long coat",))) if g.kind in kinds]
    effort = moment.effort * min((SKIRT_EFFORT[garment.fit] for garment in skirted), default=1.0)
    moment = Moment(moment.phase, effort, moment.swing)
    posed = pose(person.build, moment)
    over = UPPERS[person.upper.kind].stand_off * FITS[person.upper.fit] if person.upper.kind != "none" else 0.01
    hanging = skirts(person, posed, uniform(rng, 0, 1))
    posed = arms_clear(posed, hanging)
    mesh = joined([*clothes(person, posed), *hanging, *headwear(person, posed, over), *bags(person, posed, over, hanging)])
    maps = looks.detailed(person, rasterise(mesh, View(yaw, place.pitch, roll, size / STATURE)))
    values, folds, sheen = looks.brightness(person, maps, modality, difficulty.colour_in_infrared)
    shift = between(rng, 0, 255), between(rng, 0, 255)
    light = lit(maps, values, folds, sheen, modality, place, shift)
    pixels = np.zeros((maps.height * maps.width, 4), np.uint8)
    pixels[maps.pixel, :3] = np.clip(light, 0, 255)
    pixels[maps.pixel, 3] = 255
    parts = np.zeros(maps.height * maps.width, np.uint8)
    parts[maps.pixel] = _parts()[maps.label]
    columns = maps.pixel % maps.width
    box = (int(columns.min()), int(maps.pixel[0]) // maps.width, int(columns.max()) + 1, int(maps.pixel[-1]) // maps.width + 1)
    shape = (maps.height, maps.width)
    return Cutout(pixels.reshape(*shape, 4), parts.reshape(shape), box, maps.foot)
