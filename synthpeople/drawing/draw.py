"""Draws one image of one person from (seed, identity, camera, modality, index) alone: the same pixels in any order, on any machine.

identity (identity.py) and pose (bodies.py) → dressed surfaces (dress.py, headwear.py, bags.py)
→ maps of what each pixel shows (raster.py) → brightness in one spectrum (looks.py, shading.py)
→ onto the camera's background (backdrop.py, compose.py) → through its optics and sensor (camera.py)
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from synthpeople.difficulty import Difficulty, difficulty_of
from synthpeople.drawing.camera import camera, develop
from synthpeople.drawing.compose import Frame
from synthpeople.drawing.figure import Cutout, figure
from synthpeople.people.bodies import Moment
from synthpeople.people.identity import Identity
from synthpeople.people.labels import OBSTACLE, OTHER_PERSON
from synthpeople.people.looks import MODALITIES
from synthpeople.people.twins import identity
from synthpeople.place import Place, place
from synthpeople.randomness import IMAGE, TRACK, TRACK_LENGTH, between, pick, stream, uniform
from synthpeople.scenery.backdrop import Backdrop, backdrop

DRAWING = 2  # changes whenever the same arguments give other pixels, so that an old corpus is not mistaken for a new one
CANVAS = 264  # largest height, in pixels, at which a person is usually drawn; enlarged a little for the largest images
STRANGERS = 1_000_000  # identities from here on are passers-by in other people's images


@dataclass(frozen=True, eq=False)
class Drawn:
    """One image. parts: index into PARTS, 0 is the background; quality: of the camera's JPEG files."""

    pixels: np.ndarray  # uint8 (H, W, 3)
    parts: np.ndarray  # uint8 (H, W)
    quality: int


def draw(
    seed: int, number: int, camera_number: int, modality: str, index: int, height: int, width: int, difficulty: str = "standard"
) -> Drawn:
    """Draws image `index` of identity `number` at a camera, of `height` × `width` pixels.

    modality: one of MODALITIES; infrared and thermal have equal channels. difficulty: one of LEVELS. Numbers are non-negative
    integers, identities below STRANGERS. Errors: ValueError for an unknown modality or difficulty.

    Five consecutive images are one walk past the camera: direction and gait continue, while the background window and the light are
    drawn again, so that the background does not reveal the walk.
    """
    if modality not in MODALITIES:
        raise ValueError(f"modality is {modality!r}, expected one of {', '.join(MODALITIES)}")
    level = difficulty_of(difficulty, seed)
    key = (number, camera_number, MODALITIES.index(modality))
    walk, rng = stream(TRACK, *key, index // TRACK_LENGTH, seed), stream(IMAGE, *key, index, seed)
    who, where = identity(seed, number, level.twins), place(seed, camera_number, level.night, level.steepest)
    behind, view = (
        backdrop(seed, camera_number, modality, height, width, where),
        camera(seed, camera_number, modality, where, level),
    )

    base, glow = _window(rng, behind, height, width)
    frame = Frame(base)
    size = max(min(int(height * 1.35), CANVAS), int(height * 0.62))
    cutout = _walker(walk, rng, who, where, modality, level, size, index % TRACK_LENGTH)
    x, y, scale = _stand(rng, frame, cutout, level)
    hidden = rng.random() < level.obstacles
    way = pick(rng, {"pole": 1, "parapet": 1, "passer-by": 1})
    if modality == "visible":  # near infrared comes from the camera, and heat from all sides
        frame.shadow(x + cutout.foot[0] * scale[0], y + cutout.foot[1] * scale[1], height * 0.16, 0.55)
    frame.paste(cutout, x, y, scale)
    if hidden:
        _hide(rng, frame, way, seed, where, modality, level, size, scale)
    if glow is not None:
        glow = glow * (frame.parts == 0)[..., None]  # lamps hang behind people
    return Drawn(develop(frame.pixels, glow, view, rng, modality, level), frame.parts, view.quality)


def _window(rng: Generator, behind: Backdrop, height: int, width: int) -> tuple[np.ndarray, np.ndarray | None]:
    top, left = between(rng, 0, behind.base.shape[0] - height), between(rng, 0, behind.base.shape[1] - width)
    area = (slice(top, top + height), slice(left, left + width))
    glow = behind.glow[area]
    return behind.base[area], glow if glow.any() else None


def _walker(
    walk: Generator, rng: Generator, who: Identity, where: Place, modality: str, level: Difficulty, size: int, step: int
) -> Cutout:
    """The person at one step of a walk."""
    yaw = where.path + pick(walk, {0: 1, 180: 1}) + level.turn * uniform(walk, -1, 1)
    start, swing, standing = uniform(walk, 0, 1), pick(walk, {0.0: 2, 0.5: 1, 1.0: 3}), pick(walk, {False: 9, True: 1})
    bend = uniform(walk, -4, 4)  # degrees from image to image, as the person passes the camera
    phase = start + step * 0.31 + uniform(rng, -0.06, 0.06)
    moment = Moment(phase, 0.0 if standing else who.stride * uniform(rng, 0.85, 1.0), swing)
    turn = yaw + step * bend + uniform(rng, -4, 4)
    return figure(who, moment, turn, where, modality, level, size, rng, roll=level.jitter * uniform(rng, -1.2, 1.2))


def _stand(rng: Generator, frame: Frame, cutout: Cutout, level: Difficulty) -> tuple[float, float, tuple[float, float]]:
    """The person's position in a detector's crop: left and top of the cut-out's canvas, and its scale across and down."""
    height, width = frame.parts.shape
    left, top, right, bottom = cutout.box
    jitter = lambda reach: level.jitter * uniform(rng, -reach, reach)  # noqa: E731
    down = height * (0.90 + jitter(0.05)) / (bottom - top)
    across = min(
        down * (width / height * 8 / 3) * (1 + jitter(0.05)), width * 0.97 / (right - left)
    )  # wide boxes are squeezed to the format
    x = width / 2 + width * jitter(0.05) - (left + right) / 2 * across
    y = height * (0.5 + jitter(0.022)) - (top + bottom) / 2 * down
    return x, y, (across, down)


def _hide(
    rng: Generator,
    frame: Frame,
    way: str,
    seed: int,
    where: Place,
    modality: str,
    level: Difficulty,
    size: int,
    scale: tuple[float, float],
) -> None:
    """Puts something between camera and person: a pole, a parapet or another person."""
    height, width = frame.parts.shape
    if way == "passer-by":
        stranger = identity(seed, STRANGERS + between(rng, 0, 9999), False)
        moment = Moment(uniform(rng, 0, 1), stranger.stride, pick(rng, {0.0: 1, 1.0: 1}))
        other = figure(stranger, moment, uniform(rng, 0, 360), where, modality, level, size, rng, 0.0)
        side = pick(rng, {-1: 1, 1: 1})
        grow = uniform(rng, 1.0, 1.18)
        middle = width / 2 + side * width * uniform(rng, 0.36, 0.58)
        left, _, right, bottom = other.box
        top = height * uniform(rng, 1.0, 1.1) - bottom * scale[1] * grow
        frame.paste(other, middle - (left + right) / 2 * scale[0] * grow, top, (scale[0] * grow, scale[1] * grow), OTHER_PERSON)
        return
    tone = uniform(rng, 45, 150) if modality != "thermal" else uniform(rng, 60, 100)
    hue = np.array([uniform(rng, 0.9, 1.1) if modality == "visible" else 1.0 for _ in range(3)], np.float32)
    if way == "pole":
        thick = max(2, int(width * uniform(rng, 0.10, 0.2)))
        left = between(rng, -thick // 3, width - thick * 2 // 3)
        x0, x1 = max(left, 0), min(left + thick, width)
        round_ = 1 - (((np.arange(x0, x1, dtype=np.float32) + 0.5 - left) / thick * 2 - 0.8) ** 2) * np.float32(0.55)
        frame.block((slice(None), slice(x0, x1)), np.clip(tone * round_[:, None] * hue, 0, 255).astype(np.uint8)[None], OBSTACLE)
    else:
        top = int(height * uniform(rng, 0.68, 0.86))
        shade = np.linspace(1.0, 0.82, height - top, dtype=np.float32)
        shade[: max(1, height // 90)] = 1.25
        frame.block(
            (slice(top, None), slice(None)), np.clip(tone * shade[:, None] * hue, 0, 255).astype(np.uint8)[:, None], OBSTACLE
        )
