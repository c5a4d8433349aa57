"""Hair, caps and hoods."""

import numpy as np

from synthpeople.clothing.dress import ramp, shell
from synthpeople.clothing.landmarks import Frame, behind, head, middle, trunk
from synthpeople.people import labels
from synthpeople.people.bodies import HEAD, NECK, Posed, bank
from synthpeople.people.identity import Identity
from synthpeople.people.surfaces import Surface, grid, solid

TURNS = (0.0, 0.8, 1.35, 1.75, 2.2, np.pi)  # angles from the face at which hairlines are given, radians
SHORT = (0.207, 0.192, 0.160, 0.158, 0.085, 0.050)  # metres above the neck
LONG = (0.212, 0.195, 0.090, 0.030, 0.010, 0.0)
CAP = (0.188, 0.186, 0.182, 0.178, 0.168, 0.160)


def headwear(person: Identity, posed: Posed, over: float) -> list[Surface]:
    """Surfaces above the scalp; none for bald people. over: distance of the garment from the back, metres."""
    frame = head(posed)
    hood = [_lowered_hood(posed, over)] if person.upper.kind == "hoodie" and person.hair != "hood" else []
    match person.hair:
        case "bald":
            return hood
        case "short":
            return [_scalp(posed, SHORT, 0.013, labels.HAIR), *hood]
        case "long":
            return [_scalp(posed, LONG, 0.020, labels.HAIR), _curtain(frame, posed, over + (0.05 if hood else 0)), *hood]
        case "tied":
            return [_scalp(posed, SHORT, 0.009, labels.HAIR), _tail(frame), *hood]
        case "cap":
            return [_scalp(posed, SHORT, 0.009, labels.HAIR), _scalp(posed, CAP, 0.019, labels.CAP), _visor(frame), *hood]
        case _:
            return [_scalp(posed, SHORT, 0.008, labels.HAIR), *_hood(posed)]


def turn_of() -> np.ndarray:
    """Angle from the face, 0 … π, of all corners; meaningful for head and neck only."""
    arrays = bank()
    radius = np.where(arrays.part_of_corner == NECK, np.float32(0.07), np.float32(0.09))
    turn = np.abs(arrays.around) / radius
    return np.minimum(turn, np.float32(2 * np.pi) - turn)


def _scalp(posed: Posed, line: tuple[float, ...], thickness: float, label: int) -> Surface:
    height = -bank().along
    keep = height - np.interp(turn_of(), TURNS, line).astype(np.float32)
    return shell(label, posed, (HEAD, NECK), thickness * (0.35 + 0.65 * ramp(keep, 0.0, 0.03)), keep)


def _curtain(frame: Frame, posed: Posed, over: float) -> Surface:
    """Long hair behind and beside the face, down to the shoulder blades, outside neck, back and their clothing."""
    down = np.linspace(-0.05, 0.27, 13)[:, None]  # below the middle of the head
    low = ramp(down, 0.05, 0.17)
    side = 1.35 + 0.8 * low  # the shoulders keep it from the front
    turn = side + (2 * np.pi - 2 * side) * np.linspace(0, 1, 13)
    depth = _depth_behind(frame, posed, down[:, 0])[:, None] + 0.018 + np.float32(over) * ramp(down, 0.08, 0.14)
    width = 0.094 + 0.030 * low
    left, back = width * np.sin(turn), -depth * np.cos(turn)
    flat = np.maximum(back, np.where(low > 0, low * (depth - 0.03), -0.02))
    return grid(labels.HAIR, frame.at(left, flat, -down + 0 * left), turn * 0.09, down, closed=False, two_sided=True)


def _depth_behind(frame: Frame, posed: Posed, down: np.ndarray) -> np.ndarray:
    """How far head, neck and back reach behind the middle of the head, (R,) metres, at heights `down` (R,) below it.

    Hair falls straight down from where the body pushes it out.
    """
    points = posed.body[behind()] - frame.origin
    x, y, z = points.T
    height, back = (x * axis[0] + y * axis[1] + z * axis[2] for axis in (frame.axes[2], frame.axes[1]))
    found: list[float] = []
    for row in down:
        near = back[np.abs(height + row) < 0.045]
        depth = float(near.max()) if len(near) else 0.0
        found.append(max(depth, found[-1] - 0.004 if found else 0.094))
    return np.array(found)


def _tail(frame: Frame) -> Surface:
    """A ponytail."""
    turn = 2 * np.pi * np.arange(8) / 8
    t = np.linspace(0, 1, 8)[:, None]
    radius = 0.008 + 0.026 * np.sqrt(np.clip(4 * t * (1 - 0.92 * t), 0, 1)) * (1 - 0.45 * t)
    back = 0.085 + 0.075 * np.sqrt(t) * (1 - 0.35 * t)
    up = 0.060 + 0.02 * t - 0.26 * t * t
    points = frame.at(radius * np.sin(turn), back - radius * np.cos(turn), up + 0 * turn)
    return grid(labels.HAIR, points, np.append(turn, 2 * np.pi) * 0.03, t * 0.3, closed=True, two_sided=True)


def _visor(frame: Frame) -> Surface:
    turn = np.linspace(-0.95, 0.95, 9)
    out = np.array([0.088, 0.125, 0.165])[:, None] * (1 - 0.12 * (turn / 0.95) ** 2)
    points = frame.at(out * np.sin(turn) * 0.92, -out * np.cos(turn), np.array([0.062, 0.056, 0.044])[:, None] + 0 * turn)
    return grid(labels.CAP, points, turn * 0.1, -0.15, closed=False, two_sided=True)


def _hood(posed: Posed) -> list[Surface]:
    """A hood over the head, open at the face, with folds on the shoulders."""
    turn = turn_of()
    opening = np.maximum(turn - 0.85, (-bank().along - 0.215) / 0.06)  # beside the face or above the forehead
    keep = np.where(bank().part_of_corner == NECK, turn - 0.8, opening) * np.float32(0.09)
    over = shell(labels.HOOD, posed, (HEAD, NECK), 0.024 + 0.014 * ramp(turn, 1.5, 3.0), keep, two_sided=True)
    frame = trunk(posed)
    neck = middle(posed, "jaw") * 0.2 + middle(posed, "shoulders") * 0.8
    return [over, solid(labels.HOOD, neck + frame.axes[1] * 0.02, frame.axes, (0.105, 0.095, 0.034), 0.9, 6, 14)]


def _lowered_hood(posed: Posed, over: float) -> Surface:
    """A hood that lies on the back of the neck."""
    frame = trunk(posed)
    nape = middle(posed, "jaw") * 0.25 + middle(posed, "shoulders") * 0.75
    centre = nape + frame.axes[1] * (0.075 + over) - frame.axes[2] * 0.035
    return solid(labels.HOOD, centre, frame.axes, (0.105, 0.05, 0.062), 0.9, 7, 14)
