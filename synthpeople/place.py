"""A camera's place and its light, the same for all modalities and people."""

from dataclasses import dataclass
from functools import lru_cache

from synthpeople.randomness import CAMERA, pick, stream, uniform

INDOOR, OUTDOOR = ("corridor", "hall"), ("street", "park", "yard")


@dataclass(frozen=True)
class Place:
    """A camera's place. Angles are degrees, light is relative to what the sensor expects."""

    kind: str  # one of INDOOR or OUTDOOR
    night: bool  # after dark, lit by lamps; outdoors only
    pitch: float  # downward pitch of the camera, at least 2
    light: tuple[float, float, float]  # unit vector to the main light: right, up, towards the camera
    ambient: float  # share of the light that comes from all directions
    tint: tuple[float, float, float]  # colour of the light, red, green, blue, about 1
    path: float  # direction in which most people walk, degrees: 0 towards the camera, 90 to the right


@lru_cache(maxsize=64)
def place(seed: int, number: int, night_share: float, steepest: float = 18.0) -> Place:
    """Place of camera `number` in the world `seed`. A share `night_share` of outdoor cameras is at night; pitch is at most
    `steepest` degrees."""
    rng = stream(CAMERA, number, seed)
    kind = pick(rng, {"corridor": 2, "hall": 2, "street": 3, "park": 2, "yard": 2})
    night = rng.random() < night_share and kind in OUTDOOR
    warm = uniform(rng, 0.08, 0.26) if night else uniform(rng, -0.10, 0.14)  # sodium lamps; daylight to tungsten
    side, up = uniform(rng, -0.8, 0.8), uniform(rng, 0.5, 1.0)
    front = uniform(rng, 0.25, 0.7)
    norm = (side * side + up * up + front * front) ** 0.5
    return Place(
        kind=kind,
        night=bool(night),
        pitch=uniform(rng, 2, steepest),
        light=(side / norm, up / norm, front / norm),
        ambient=uniform(rng, 0.5, 0.75) if kind in INDOOR else uniform(rng, 0.35, 0.65),
        tint=(1 + warm, 1 + uniform(rng, -0.03, 0.03), 1 - warm),
        path=uniform(rng, 0, 180),
    )
