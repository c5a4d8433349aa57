"""How hard a corpus is: four presets, "wide", which each world draws at random, and "mixed"."""

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from synthpeople.randomness import WORLD, between, stream, uniform

HARDNESS = 0  # streams of random numbers below WORLD


@dataclass(frozen=True)
class Difficulty:
    """How hard a world is. Shares are of images or cameras, 0 … 1; factors scale the effects of the standard corpus."""

    night: float  # share of outdoor cameras that see after dark
    obstacles: float  # share of images in which a pole, a parapet or a passer-by stands in front
    jitter: float  # factor: how far crops miss the person
    light: float  # factor: variation of exposure and light colour between cameras and images
    blur: float  # factor
    noise: float  # factor
    turn: float  # degrees that walkers deviate from the camera's path, either way
    colour_in_infrared: float  # share of a cloth's visible brightness that infrared shows; 0: the fibre alone determines it
    twins: bool  # whether every sixth identity differs from the previous one in one attribute only
    quality: tuple[int, int] = (68, 92)  # range of JPEG quality over cameras
    dark: float = 0.62  # exposure of a visible camera at night, relative to daytime
    contrast: float = 1.0  # factor: of near infrared, about the picture's mean
    gain: float = 1.0  # factor: contrast of thermal pictures, which real cameras stretch to their range
    level: float = 1.0  # factor: mean of thermal pictures
    edges: float = 0.0  # sharpening by thermal cameras, as a share of the difference from a blurred picture
    motion: float = 0.0  # largest sideways motion blur, either way, as a share of the image's height
    lamps: float = 0.0  # colourfulness of lamps at night
    steepest: float = 18.0  # largest downward pitch of a camera, degrees

    def tone(self, modality: str) -> tuple[float, float]:
        """Factors for the mean of a modality's pictures, and for deviations from it."""
        return {"infrared": (1.0, self.contrast), "thermal": (self.level, self.gain)}.get(modality, (1.0, 1.0))


DIFFICULTIES = MappingProxyType({
    # studio: daylight, clean crops, nothing in the way, no twins, and patterns that stay visible in infrared
    "easy": Difficulty(0.0, 0.0, 0.4, 0.35, 0.4, 0.5, 15.0, 0.7, False),
    # campus: milder than the street in every respect, but with near twins; infrared shows about half as much colour as in "easy"
    "moderate": Difficulty(0.2, 0.08, 0.7, 0.7, 0.7, 0.8, 20.0, 0.4, True),
    # street: some cameras at night, one image in eight occluded, detector jitter, near twins;
    # infrared shows the fibre and a little of the dye
    "standard": Difficulty(0.35, 0.12, 1.0, 1.0, 1.0, 1.0, 25.0, 0.15, True),
    # worst case: half the street at night, a third occluded, loose crops, more blur, noise and light variation, irregular paths;
    # infrared shows the fibre alone
    "hard": Difficulty(0.6, 0.33, 1.8, 1.6, 1.8, 1.8, 55.0, 0.0, True),
})  # fmt: skip

WIDE = "wide"  # for training networks that are applied to real crops: each world has its own cameras, good and bad
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
    """The difficulty `name`, one of LEVELS, in the world `seed`; "wide" and "mixed" differ between worlds.

    Errors: ValueError for other names.
    """
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
