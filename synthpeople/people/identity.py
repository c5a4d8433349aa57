"""The identity of a synthetic person: body, hair, garments, bag, glasses.

It is independent of cameras; looks.py determines its appearance in each modality.
"""

from dataclasses import dataclass, replace

from numpy.random import Generator

from synthpeople.people.bodies import SHAPES, Build
from synthpeople.people.wardrobe import (  # fmt: skip
    BAG_PATTERNS,
    BAGS,
    CLOTHES,
    COLOURS,
    LOWER_COLOURS,
    LOWERS,
    MATERIALS,
    SHOE_COLOURS,
    SHOES,
    SKINS,
    UPPERS,
    Kind,
)
from synthpeople.randomness import APPEARANCE, IDENTITY, between, pick, stream, uniform

OVER_SKIRTS = 0.47  # `along` of the lowest hem over a skirt
BLACKS = ("black", "charcoal", "navy", "wine", "brown")  # dyes that contain carbon black in synthetic fibres


@dataclass(frozen=True)
class Cloth:
    """A fabric with two tones, the ground and the mark of its pattern. infrared: near-infrared reflectances, 0 … 1."""

    material: str
    colour: str
    pattern: str
    mark: str  # colour of the mark
    infrared: float
    mark_infrared: float
    size: float  # of the pattern, and of a bag: 0.8 … 2.2


@dataclass(frozen=True)
class Garment:
    """A garment; kind "none" means that there is none. sleeves and hem: metres along the arm and below the neck, for the mean
    body."""

    kind: str
    fit: str
    cloth: Cloth
    sleeves: float = 0.0
    hem: float = 0.0
    front: str = "closed"  # or "zip", "open"


@dataclass(frozen=True)
class Identity:
    """Everything about a person that stays the same from image to image."""

    build: Build
    stride: float  # effort of the walk, 0 … 1
    skin: int  # index into SKINS
    hair: str  # short, long, tied, bald, cap or hood
    hair_colour: str
    glasses: bool
    sweat: bool  # a damp upper back, visible in thermal images only
    upper: Garment
    inner: str  # colour under an open front
    lower: Garment
    shoes: Garment
    bag: str
    bag_side: int  # −1 the person's right, 1 left
    bag_cloth: Cloth
    cap: Cloth


def original(seed: int, number: int) -> Identity:
    """Person `number` of the world `seed`, ignoring near twins (twins.py)."""
    body, look = stream(IDENTITY, number, seed), stream(APPEARANCE, number, seed)
    male = pick(body, {False: 1, True: 1})
    half = SHAPES // 2
    one = between(body, 0, half - 1)
    other = (one + between(body, 1, half - 1)) % half
    lower_kind = pick(look, {"trousers": 12, "shorts": 4} if male else {"trousers": 7, "shorts": 2, "skirt": 3, "dress": 3})
    over_dress = {"none": 4, "jacket": 2, "long coat": 1}
    upper_kind = pick(
        look, over_dress if lower_kind == "dress" else {"t-shirt": 5, "shirt": 3, "jacket": 3, "hoodie": 3, "long coat": 2}
    )
    lower = _garment(look, lower_kind, LOWERS, LOWER_COLOURS if lower_kind in ("trousers", "shorts") else CLOTHES)
    upper = Garment("none", lower.fit, lower.cloth) if upper_kind == "none" else _garment(look, upper_kind, UPPERS, CLOTHES)
    if lower_kind in ("skirt", "dress") and upper_kind not in ("none", "long coat"):
        upper = replace(upper, hem=min(upper.hem, OVER_SKIRTS))
    if upper_kind == "long coat" and upper.front != "open":  # the lower garment stays visible
        upper = replace(upper, hem=min(upper.hem, lower.hem - 0.08))
    hood = upper.kind in ("hoodie", "long coat")
    hair = pick(
        look,
        {
            "short": 7 if male else 2,
            "long": 1 if male else 5,
            "tied": 0 if male else 4,
            "bald": 2 if male else 0,
            "cap": 2,
            "hood": 3 if hood else 0,
        },
    )
    skin = between(look, 0, len(SKINS) - 1)
    hairs = (
        {"black": 5, "dark brown": 4, "brown": 3, "blond": 2, "red": 1, "grey": 2}
        if skin < 3
        else {"black": 6, "dark brown": 2, "grey": 1}
    )
    shoes = pick(look, {"sneakers": 5, "shoes": 3, "boots": 2})
    bag = pick(look, {"none": 5, "backpack": 4, "shoulder bag": 3, "handbag": 1 if male else 3})
    return Identity(
        build=Build(one + half * male, other + half * male, uniform(body, 0, 1), uniform(body, 0.95, 1.06)),
        stride=uniform(body, 0.6, 1.0),
        skin=skin,
        hair=hair,
        hair_colour=pick(look, hairs),
        glasses=pick(look, {False: 3, True: 1}),
        sweat=pick(look, {False: 3, True: 1}),
        upper=upper,
        inner=pick(look, CLOTHES),
        lower=lower,
        shoes=Garment(shoes, "regular", _cloth(look, SHOES[shoes], {"plain": 1}, SHOE_COLOURS)),
        bag=bag,
        bag_side=pick(look, {-1: 1, 1: 1}),
        bag_cloth=_cloth(look, BAGS[bag] or BAGS["backpack"], BAG_PATTERNS if bag == "backpack" else {"plain": 1}, CLOTHES),
        cap=_cloth(look, {"cotton": 2, "polyester": 1, "wool": 1}, {"plain": 1}, CLOTHES),
    )


def _garment(rng: Generator, name: str, kinds: dict[str, Kind], colours: dict[str, int]) -> Garment:
    kind = kinds[name]
    front = pick(rng, {"closed": 1, "zip": 2, "open": 2}) if name in ("jacket", "long coat") else "closed"
    fit = pick(rng, {"tight": 1, "regular": 2, "loose": 2})
    cloth = _cloth(rng, kind.materials, kind.patterns, colours)
    return Garment(name, fit, cloth, uniform(rng, *kind.sleeves), uniform(rng, *kind.hem), front)


def _cloth(rng: Generator, materials: dict[str, int], patterns: dict[str, int], colours: dict[str, int]) -> Cloth:
    """A fabric with clearly different brightness of ground and mark; in infrared, a dyed mark nearly vanishes, a print may not."""
    material, colour, mark, pattern = pick(rng, materials), pick(rng, colours), pick(rng, colours), pick(rng, patterns)
    while abs(sum(COLOURS[colour]) - sum(COLOURS[mark])) < 150:
        mark = pick(rng, CLOTHES)
    ground = _infrared(rng, material, colour)
    printed = pattern in ("logo", "print", "blocks", "yoke", "band", "side stripe") and pick(rng, {True: 2, False: 1})
    if printed:  # another fabric, or pigmented ink
        reflectance = _infrared(rng, pick(rng, {material: 1, "polyester": 1, "nylon": 1, "cotton": 1}), mark)
    else:  # yarns of one fibre: the remaining contrast is mostly that of light and dark dyes
        darker = (sum(COLOURS[mark]) < sum(COLOURS[colour])) == pick(rng, {True: 3, False: 1})
        reflectance = ground + (-1 if darker else 1) * MATERIALS[material].weave * uniform(rng, 0.6, 1.2)
    return Cloth(
        material,
        colour,
        pattern,
        mark,
        round(ground, 3),
        round(min(max(reflectance, 0.06), 0.95), 3),
        round(uniform(rng, 0.8, 2.2), 3),
    )


def _infrared(rng: Generator, material: str, colour: str) -> float:
    fabric = MATERIALS[material]
    base = fabric.dark if colour in BLACKS and pick(rng, {True: 3, False: 1}) else fabric.infrared
    return min(max(base + fabric.spread * uniform(rng, -1, 1), 0.06), 0.92)
