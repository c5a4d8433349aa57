"""One image of one person, drawn from (seed, identity, camera, modality, index) alone: the same bytes in any order, anywhere.

    who they are (identity.py) → how they walk (pose.py)
    → a map of materials (scene.py, figure.py and accessories.py on easel.py, patterns.py)
    → the colours of one modality (materials.py) → light and sensor (camera.py)

It is a stand-in that costs milliseconds: shape, cut and pattern are shared by the modalities, colour is visible only.
"""

from functools import lru_cache

import numpy as np
from numpy.random import Generator

from fsclib.data.drawing import accessories
from fsclib.data.drawing.camera import Camera, camera, develop
from fsclib.data.drawing.easel import Easel
from fsclib.data.drawing.figure import Figure
from fsclib.data.drawing.identity import IMAGE, Identity, between, identity, pick, stream
from fsclib.data.drawing.materials import MODALITIES, SHADE, Material, person_palette, with_shades
from fsclib.data.drawing.pose import SIDES, Moment, Pose, pose
from fsclib.data.drawing.scene import scene

DRAWING = 1  # changes whenever the same arguments give other pixels, so that an old corpus is not mistaken for a new one
HARDNESS = 1.0  # 0 studio, 1 street, 2 worse: light, blur, noise, crops, things in the way, and how little infrared tells of colour
SIDEWAYS = 0.35  # sine of the yaw from which on one arm and one leg count as the far ones

person = lru_cache(maxsize=256)(identity)


def draw_person(
    seed: int, identity: int, camera_: int, modality: str, index: int, height: int, width: int, hardness: float = HARDNESS
) -> np.ndarray:
    """uint8 (height, width, 3). modality: "visible", "infrared" (near) or "thermal"; the last two have equal channels."""
    rng = stream(IMAGE, identity, camera_, MODALITIES.index(modality), index, seed)
    who, view = person(seed, identity), camera(seed, camera_, modality, hardness)
    h, w = 2 * height, 2 * width  # drawn at double size: averaging smooths the edges
    parts = _crop(rng, scene(seed, camera_, h, w), h, w)
    moment = Moment(between(rng, 0, 359), 0.25 + 0.75 * rng.random(), pick(rng, {0: 7, 100: 1}), pick(rng, {-1: 1, 1: 1}))
    _paint(who, pose(who, moment), _easel(rng, view, parts, hardness))
    _obstruct(rng, parts, hardness)
    palette = with_shades(np.concatenate([view.scenery, person_palette(who, modality, hardness)]))
    return develop(palette[parts], view, rng, hardness)


def _crop(rng: Generator, place: np.ndarray, height: int, width: int) -> np.ndarray:
    top, left = between(rng, 0, place.shape[0] - height), between(rng, 0, place.shape[1] - width)
    return place[top : top + height, left : left + width].copy()


def _easel(rng: Generator, view: Camera, parts: np.ndarray, hardness: float) -> Easel:
    """Where the person stands in the frame, how large and turned how: along the camera's way, one direction or the other."""
    jitter = lambda reach: (rng.random() * 2 - 1) * reach * hardness  # noqa: E731
    height, width = parts.shape
    unit = min(height, width * 8 / 3)
    yaw = view.yaw + pick(rng, {0: 1, 180: 1}) + int(jitter(30))
    x = width / 2 + unit * jitter(0.025)
    y = height * (0.975 - view.tilt * 0.1) + unit * jitter(0.02)
    scale = unit * view.size * (1 + jitter(0.05))
    return Easel(parts, scale, x, y, yaw, stretch=view.stretch, tilt=view.tilt, light=view.light)


def _paint(person: Identity, pose: Pose, easel: Easel) -> None:
    """Draws the person on the easel's canvas, back to front."""
    easel.disc(easel.x0, easel.y0, easel.scale * 0.14, easel.scale * 0.025, Material.FLOOR + 2 * SHADE)
    figure = Figure(person, pose, easel)
    far, near = sorted(SIDES, key=lambda side: easel.near(side, 0))
    sideways = abs(easel.sin) > SIDEWAYS
    accessories.on_the_back(figure, before_the_body=True)
    if sideways:
        accessories.in_the_hand(figure, far)
        figure.arm(far, far=1)
    for side in sorted(SIDES, key=lambda side: easel.near(pose.legs[side][1][0], pose.legs[side][1][2])):
        figure.leg(side, far=int(side == far and sideways))
    figure.lower_trunk()
    figure.upper_trunk()
    accessories.across_the_body(figure)
    accessories.head(figure)
    for side in (near,) if sideways else (far, near):
        accessories.in_the_hand(figure, side)
        figure.arm(side)
    accessories.on_the_back(figure, before_the_body=False)
    figure.patterned()


def _obstruct(rng: Generator, parts: np.ndarray, hardness: float) -> None:
    """Now and then something stands between the camera and the person: a wall of knee height, a post."""
    if rng.random() >= 0.12 * hardness:
        return
    height, width = parts.shape
    if rng.random() < 0.5:
        parts[height * between(rng, 72, 90) // 100 :] = Material.OBSTACLE
    else:
        x = width * between(rng, 0, 80) // 100
        parts[:, x : x + width * between(rng, 12, 22) // 100] = Material.OBSTACLE
