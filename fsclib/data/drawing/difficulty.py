"""How hard a corpus is: three presets, described by what they switch on."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Difficulty:
    """Shares are of images or cameras, 0 … 1; factors multiply what a camera of the standard corpus does."""

    night: float  # share of outdoor cameras that see after dark
    obstacles: float  # share of images in which a pole, a parapet or a passer-by stands in front
    jitter: float  # factor: how far crops miss the person
    light: float  # factor: how far exposure and colour of light differ between cameras and images
    blur: float  # factor
    noise: float  # factor
    turn: float  # degrees that walkers stray from the camera's path, either way
    colour_in_infrared: float  # share of a cloth's visible brightness that infrared shows; 0: fibre alone decides
    twins: bool  # whether every sixth identity differs from the one before in one attribute only


DIFFICULTIES = MappingProxyType({
    # studio: daylight, clean crops, nothing in the way, no twins, and patterns that stay visible in infrared
    "easy": Difficulty(0.0, 0.0, 0.4, 0.35, 0.4, 0.5, 15.0, 0.7, False),
    # street: some cameras at night, one image in eight occluded, detector jitter, near twins;
    # infrared shows the fibre, and dyes a little
    "standard": Difficulty(0.35, 0.12, 1.0, 1.0, 1.0, 1.0, 25.0, 0.15, True),
    # bad luck: half the street at night, a third occluded, loose crops, stronger blur, noise and light, straying walkers;
    # infrared shows the fibre alone
    "hard": Difficulty(0.6, 0.33, 1.8, 1.6, 1.8, 1.8, 55.0, 0.0, True),
})  # fmt: skip
