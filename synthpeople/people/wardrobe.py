"""Clothing: colours, materials and their behaviour in three spectra, and frequencies of materials and patterns.

In near infrared the fibre matters, not the dye: most dyes are transparent beyond 800 nm, so dyed cotton looks light whatever its
colour, while fabric pigmented with carbon black stays dark. The values are plausible, not measured.
"""

from dataclasses import dataclass
from types import MappingProxyType

RGB = tuple[int, int, int]

COLOURS = MappingProxyType({
    "black": (30, 30, 33), "charcoal": (58, 60, 65), "grey": (118, 121, 125), "silver": (172, 175, 178), "white": (226, 226, 222),
    "cream": (216, 204, 176), "beige": (188, 168, 134), "brown": (92, 66, 48), "rust": (146, 78, 46), "navy": (34, 42, 76),
    "blue": (52, 88, 158), "sky": (132, 172, 208), "teal": (38, 112, 118), "forest": (40, 76, 54), "olive": (98, 98, 62),
    "green": (84, 138, 78), "yellow": (212, 180, 72), "orange": (208, 112, 52), "red": (176, 44, 46), "wine": (96, 32, 46),
    "pink": (210, 142, 160), "purple": (98, 66, 126),
})  # fmt: skip
CLOTHES = MappingProxyType({
    "black": 6, "charcoal": 3, "grey": 3, "silver": 1, "white": 4, "cream": 2, "beige": 2, "brown": 2, "rust": 1, "navy": 4,
    "blue": 3, "sky": 2, "teal": 1, "forest": 1,
    "olive": 2, "green": 1, "yellow": 1, "orange": 1, "red": 2, "wine": 1, "pink": 1, "purple": 1,
})  # fmt: skip
LOWER_COLOURS = MappingProxyType(
    {
        "black": 5,
        "charcoal": 3,
        "grey": 2,
        "navy": 4,
        "blue": 3,
        "sky": 1,
        "beige": 3,
        "brown": 1,
        "olive": 1,
        "white": 1,
        "wine": 1,
    }
)
SHOE_COLOURS = MappingProxyType({"black": 5, "white": 4, "brown": 3, "grey": 2, "navy": 1, "red": 1, "beige": 1})
SKINS: tuple[RGB, ...] = ((232, 192, 168), (214, 170, 140), (188, 140, 108), (142, 98, 72), (96, 66, 50))
HAIRS = MappingProxyType(
    {
        "black": (28, 25, 26),
        "dark brown": (54, 40, 32),
        "brown": (92, 66, 44),
        "blond": (176, 144, 96),
        "red": (128, 66, 40),
        "grey": (150, 148, 146),
    }
)


@dataclass(frozen=True)
class Material:
    """A fabric. infrared: near-infrared reflectance 0 … 1, and spread, its variation; dark: reflectance in black; warmth: share of
    the body's heat that reaches the outside, 0 … 1; sheen: strength of highlights; folds: strength of creases."""

    infrared: float
    spread: float
    dark: float
    warmth: float
    sheen: float
    folds: float
    weave: float  # near-infrared contrast that remains between yarns of two colours, as reflectance


MATERIALS = MappingProxyType({
    "cotton": Material(0.68, 0.13, 0.52, 0.62, 0.0, 1.0, 0.05),
    "linen": Material(0.74, 0.10, 0.60, 0.66, 0.0, 1.3, 0.04),
    "denim": Material(0.52, 0.12, 0.42, 0.56, 0.0, 0.8, 0.10),
    "wool": Material(0.50, 0.14, 0.34, 0.36, 0.0, 0.7, 0.20),
    "fleece": Material(0.60, 0.14, 0.20, 0.40, 0.0, 0.8, 0.16),
    "polyester": Material(0.56, 0.18, 0.13, 0.64, 0.15, 1.1, 0.24),
    "nylon": Material(0.42, 0.16, 0.12, 0.40, 0.3, 1.2, 0.22),
    "down": Material(0.46, 0.15, 0.14, 0.26, 0.25, 1.6, 0.18),
    "leather": Material(0.30, 0.12, 0.17, 0.44, 0.4, 0.6, 0.15),
    "canvas": Material(0.58, 0.14, 0.40, 0.34, 0.0, 0.3, 0.08),
})  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of garment: weights of its materials and patterns, distance from the body at regular fit in metres, and ranges of
    sleeve length and hem in metres (`along`)."""

    materials: dict[str, int]
    patterns: dict[str, int]
    stand_off: float
    sleeves: tuple[float, float]
    hem: tuple[float, float]


SHIRT_PATTERNS = {"plain": 5, "stripes": 3, "bars": 1, "checks": 2, "print": 2, "blocks": 2, "yoke": 1, "logo": 3, "band": 2}
OUTER_PATTERNS = {"plain": 7, "blocks": 2, "yoke": 2, "band": 1, "checks": 1}
HOODIE_PATTERNS = OUTER_PATTERNS | {"logo": 3, "stripes": 1}
TROUSER_PATTERNS = {"plain": 10, "side stripe": 2, "checks": 1}
SHORTS_PATTERNS = {"plain": 6, "side stripe": 2, "checks": 1, "print": 1}
SKIRT_PATTERNS = {"plain": 5, "stripes": 2, "checks": 2, "print": 3, "bars": 1}
UPPERS = MappingProxyType({
    "t-shirt": Kind({"cotton": 4, "polyester": 2}, SHIRT_PATTERNS, 0.008, (0.10, 0.24), (0.52, 0.60)),
    "shirt": Kind({"cotton": 4, "linen": 1, "polyester": 1}, SHIRT_PATTERNS | {"logo": 0}, 0.010, (0.22, 0.49), (0.50, 0.62)),
    "jacket": Kind({"nylon": 3, "leather": 2, "denim": 2, "wool": 1}, OUTER_PATTERNS, 0.020, (0.49, 0.50), (0.47, 0.62)),
    "hoodie": Kind({"cotton": 3, "fleece": 2, "polyester": 1}, HOODIE_PATTERNS, 0.018, (0.48, 0.50), (0.50, 0.58)),
    "long coat": Kind({"wool": 3, "down": 2, "nylon": 2}, OUTER_PATTERNS | {"yoke": 0}, 0.026, (0.49, 0.51), (0.84, 1.14)),
})  # fmt: skip
LOWERS = MappingProxyType({
    "trousers": Kind({"denim": 4, "cotton": 3, "wool": 1, "polyester": 2}, TROUSER_PATTERNS, 0.007, (0, 0), (1.24, 1.33)),
    "shorts": Kind({"cotton": 3, "denim": 2, "polyester": 2}, SHORTS_PATTERNS, 0.012, (0, 0), (0.74, 0.93)),
    "skirt": Kind({"cotton": 3, "wool": 2, "polyester": 2, "denim": 1}, SKIRT_PATTERNS, 0.010, (0, 0), (0.78, 1.18)),
    "dress": Kind({"cotton": 3, "polyester": 3, "linen": 1}, SKIRT_PATTERNS, 0.009, (0.06, 0.46), (0.80, 1.22)),
})  # fmt: skip
SHOES = MappingProxyType(
    {"sneakers": {"canvas": 2, "polyester": 2, "leather": 1}, "shoes": {"leather": 1}, "boots": {"leather": 3, "nylon": 1}}
)
BAGS = MappingProxyType({
    "none": {}, "backpack": {"nylon": 4, "canvas": 2, "leather": 1}, "shoulder bag": {"leather": 2, "canvas": 2, "nylon": 2},
    "handbag": {"leather": 3, "canvas": 1},
})  # fmt: skip
BAG_PATTERNS = MappingProxyType({"plain": 4, "blocks": 2, "band": 1})
FITS = MappingProxyType({"tight": 0.55, "regular": 1.0, "loose": 2.1})  # of the stand-off
