"""How hard a corpus is: four presets, described by what they switch on, one that every world draws for itself, and a mixture."""

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from fsclib.data.drawing.chance import WORLD, between, stream, uniform

HARDNESS = 0  # streams of random numbers below WORLD


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
    quality: tuple[int, int] = (68, 92)  # of JPEG files, from camera to camera
    dark: float = 0.62  # exposure of a visible camera at night, of that by day
    contrast: float = 1.0  # factor: of near infrared, about the picture's mean
    gain: float = 1.0  # factor: contrast of thermal pictures, which real cameras stretch to the scale they have
    level: float = 1.0  # factor: mean of thermal pictures
    edges: float = 0.0  # how much thermal cameras sharpen, in shares of the difference from a blurred picture
    motion: float = 0.0  # share of the image's height that the worst picture is smeared sideways, either way
    lamps: float = 0.0  # how far lamps at night are coloured
    steepest: float = 18.0  # degrees that a camera looks down at most

    def tone(self, modality: str) -> tuple[float, float]:
        """Factors for the mean of pictures of a modality, and for what differs from it."""
        return {"infrared": (1.0, self.contrast), "thermal": (self.level, self.gain)}.get(modality, (1.0, 1.0))


DIFFICULTIES = MappingProxyType({
    # studio: daylight, clean crops, nothing in the way, no twins, and patterns that stay visible in infrared
    "easy": Difficulty(0.0, 0.0, 0.4, 0.35, 0.4, 0.5, 15.0, 0.7, False),
    # campus: milder than the street in everything, near twins all the same; infrared shows half of what it would for "easy"
    "moderate": Difficulty(0.2, 0.08, 0.7, 0.7, 0.7, 0.8, 20.0, 0.4, True),
    # street: some cameras at night, one image in eight occluded, detector jitter, near twins;
    # infrared shows the fibre, and dyes a little
    "standard": Difficulty(0.35, 0.12, 1.0, 1.0, 1.0, 1.0, 25.0, 0.15, True),
    # bad luck: half the street at night, a third occluded, loose crops, stronger blur, noise and light, straying walkers;
    # infrared shows the fibre alone
    "hard": Difficulty(0.6, 0.33, 1.8, 1.6, 1.8, 1.8, 55.0, 0.0, True),
})  # fmt: skip

WIDE = "wide"  # for training what will be tried on real crops: each world has its own cameras, good ones and bad ones
RANGES = MappingProxyType({
    "night": (0.1, 0.8),
    "obstacles": (0.0, 0.3),
    "jitter": (0.5, 2.2),
    "light": (0.5, 2.2),
    "blur": (0.3, 3.0),
    "noise": (0.3, 3.0),
    "turn": (15.0, 70.0),
    "colour_in_infrared": (0.0, 0.7),
    "dark": (0.2, 0.6),
    "contrast": (0.7, 1.7),
    "gain": (1.0, 2.2),
    "level": (0.7, 1.0),
    "edges": (0.0, 1.5),
    "motion": (0.0, 0.012),
    "lamps": (0.0, 0.3),
    "steepest": (12.0, 35.0),
})  # fmt: skip
RARELY_MUCH = ("blur", "noise", "motion")  # most real cameras are good, a few are very bad
WORST_QUALITY = (20, 70)  # the lower end of the range of JPEG quality

MIXED = "mixed"  # worlds of even seeds are wide, the others standard
LEVELS = (*DIFFICULTIES, WIDE, MIXED)


def difficulty_of(name: str, seed: int) -> Difficulty:
    """What one of LEVELS means in the world `seed`; "wide" and "mixed" differ from world to world. ValueError for other names."""
    if name == MIXED:
        name = "standard" if seed % 2 else WIDE
    if name == WIDE:
        return _wide(seed)
    if name not in DIFFICULTIES:
        raise ValueError(f"difficulty is {name!r}, expected one of {', '.join(LEVELS)}")
    return DIFFICULTIES[name]


@lru_cache(maxsize=64)
def _wide(seed: int) -> Difficulty:
    rng = stream(WORLD, HARDNESS, seed)
    drawn = {}
    for name, (low, high) in RANGES.items():
        part = uniform(rng, 0, 1)
        drawn[name] = low + (high - low) * (part * part if name in RARELY_MUCH else part)
    return Difficulty(**drawn, twins=True, quality=(between(rng, *WORST_QUALITY), DIFFICULTIES["standard"].quality[1]))
