"""Who a drawn person is: build, gait, cut and pattern of the clothes, colours and infrared reflectances.

Shape, cut and pattern are seen in both modalities. Colour exists in visible light only, reflectance in infrared only, and
the two are drawn independently; what they share is which of a cloth's two tones is the lighter one.

Every random number of the synthetic corpora comes from `stream`, keyed by what it is for, so that anything can be drawn
again alone.
"""

from dataclasses import asdict, dataclass

from numpy.random import PCG64, Generator, SeedSequence

IDENTITY, APPEARANCE, SCENE, CAMERA, IMAGE, CORPUS = range(1, 7)  # what a stream of random numbers is for

RGB = tuple[int, int, int]

COLOURS: tuple[RGB, ...] = (
    (22, 22, 26), (58, 60, 66), (120, 122, 126), (182, 184, 188), (236, 236, 234), (228, 214, 180),  # black to white, cream
    (28, 36, 82), (40, 84, 172), (126, 178, 226), (26, 128, 138), (24, 78, 48), (92, 158, 70),  # navy, blue, sky, teal, greens
    (108, 108, 52), (236, 208, 70), (206, 150, 38), (230, 112, 34), (196, 36, 42), (112, 22, 36),  # olive, yellows, orange, reds
    (234, 158, 184), (206, 52, 128), (112, 58, 138), (92, 60, 38), (174, 138, 98),  # pinks, purple, brown, tan
)  # fmt: skip
SKINS: tuple[RGB, ...] = ((244, 212, 188), (228, 186, 152), (198, 148, 112), (150, 100, 70), (98, 64, 46))
HAIRS: tuple[RGB, ...] = ((24, 20, 20), (52, 34, 26), (98, 64, 38), (188, 150, 92), (142, 66, 36), (176, 174, 172))

UPPER_PATTERNS = {
    "plain": 4, "stripes-medium": 2, "stripes-broad": 2, "bars": 2, "diagonal": 2, "checks": 2, "dots": 2, "yoke": 2, "band": 2,
    "halves": 1, "sleeves": 2, "logo-square": 1, "logo-disc": 1, "logo-cross": 1,
}  # fmt: skip
LOWER_PATTERNS = {
    "plain": 6, "stripes-medium": 1, "stripes-broad": 1, "bars": 1, "checks": 2, "dots": 1, "hem": 2, "side-stripe": 2,
}  # fmt: skip


@dataclass(frozen=True)
class Cloth:
    """A material of two tones: the ground and the mark on it. Colours are RGB 0-255, infrared reflectances 0-255."""

    pattern: str
    ground: RGB
    mark: RGB
    ground_infrared: int
    mark_infrared: int


@dataclass(frozen=True)
class Identity:
    """What stays the same from image to image. Lengths are thousandths of the stature, angles degrees, shares per cent."""

    shoulders: int  # half widths
    waist: int
    hips: int
    belly: int  # half depth
    legs: int  # height of the crotch
    head: int  # half height
    bulk: int  # thickness of the limbs, per cent
    stride: int  # swing of the thigh
    arm_swing: int
    arm_spread: int
    stoop: int
    stance: int  # half distance of the feet
    hair: str
    hat: str
    sleeves: int  # share of the arm covered
    hem: str  # where the upper garment ends
    fit: int  # what the upper garment adds to the half widths
    front: str  # closed, zip, open
    hood: bool
    scarf: bool
    bottom: str
    bottom_length: int  # share of the leg covered
    bottom_width: int  # half width at the hem
    shoes: str
    bag: str
    bag_side: int  # -1 the person's left, 1 right
    upper: Cloth
    lower: Cloth
    extra: Cloth  # bag, hat and scarf
    skin: RGB
    hair_colour: RGB
    hair_infrared: int
    shoe_colour: RGB
    shoe_infrared: int


def stream(purpose: int, *key: int) -> Generator:
    """Random numbers that depend on nothing but (purpose, *key), non-negative integers."""
    return Generator(PCG64(SeedSequence((purpose, *key))))


def luminance(rgb: RGB) -> int:
    """0-255, ITU-R BT.601 weights in integers."""
    return (77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2]) >> 8


def pick(rng: Generator, weights: dict):
    """A key of `weights`, as often as its integer weight says."""
    ticket = int(rng.integers(sum(weights.values())))
    for choice, weight in weights.items():
        ticket -= weight
        if ticket < 0:
            return choice
    raise AssertionError("unreachable: the ticket is below the sum of the weights")


def between(rng: Generator, low: int, high: int) -> int:
    """A uniform integer, both ends included."""
    return int(rng.integers(low, high + 1))


def _cloth(rng: Generator, patterns: dict[str, int]) -> Cloth:
    ground = mark = COLOURS[0]
    while abs(luminance(ground) - luminance(mark)) < 80:
        ground, mark = COLOURS[between(rng, 0, len(COLOURS) - 1)], COLOURS[between(rng, 0, len(COLOURS) - 1)]
    gap = between(rng, 75, 125)
    dark = between(rng, 40, 215 - gap)
    tones = (dark, dark + gap) if luminance(mark) > luminance(ground) else (dark + gap, dark)
    return Cloth(pick(rng, patterns), ground, mark, *tones)


def identity(seed: int, number: int) -> Identity:
    """Person `number` of the world `seed`."""
    body, look = stream(IDENTITY, number, seed), stream(APPEARANCE, number, seed)
    bottom = pick(look, {"trousers": 6, "shorts": 3, "skirt": 3})
    lengths = {"trousers": {100: 4, 78: 1}, "shorts": {28: 1, 46: 2}, "skirt": {26: 1, 46: 2, 66: 1, 88: 1}}
    widths = {"trousers": {34: 2, 42: 3, 56: 2, 74: 1}, "shorts": {56: 1, 76: 1}, "skirt": {92: 1, 118: 2, 150: 1}}
    waist = between(body, 64, 106)
    return Identity(
        shoulders=between(body, 82, 122),
        waist=waist,
        hips=max(waist, between(body, 78, 110)),
        belly=between(body, 52, 92),
        legs=between(body, 420, 508),
        head=between(body, 58, 78),
        bulk=between(body, 76, 132),
        stride=between(body, 14, 30),
        arm_swing=between(body, 8, 34),
        arm_spread=between(body, 4, 16),
        stoop=between(body, -2, 12),
        stance=between(body, 28, 62),
        hair=pick(look, {"bald": 1, "short": 4, "bob": 2, "long": 2, "ponytail": 2, "bun": 1, "afro": 1}),
        hat=pick(look, {"none": 7, "cap": 2, "beanie": 2, "brim": 1}),
        sleeves=pick(look, {0: 1, 30: 3, 55: 1, 97: 5}),
        hem=pick(look, {"waist": 2, "hip": 6, "thigh": 2, "knee": 2, "calf": 1}),
        fit=pick(look, {4: 3, 10: 3, 22: 2}),
        front=pick(look, {"closed": 5, "zip": 2, "open": 2}),
        hood=pick(look, {False: 4, True: 1}),
        scarf=pick(look, {False: 5, True: 1}),
        bottom=bottom,
        bottom_length=pick(look, lengths[bottom]),
        bottom_width=pick(look, widths[bottom]),
        shoes=pick(look, {"shoes": 4, "ankle-boots": 1, "boots": 2, "socks": 1}),
        bag=pick(look, {"none": 5, "backpack": 3, "cross-body": 2, "tote": 2, "case": 1}),
        bag_side=pick(look, {-1: 1, 1: 1}),
        upper=_cloth(look, UPPER_PATTERNS),
        lower=_cloth(look, LOWER_PATTERNS),
        extra=_cloth(look, {"plain": 2, "stripes-medium": 1}),
        skin=SKINS[between(look, 0, len(SKINS) - 1)],
        hair_colour=HAIRS[between(look, 0, len(HAIRS) - 1)],
        hair_infrared=between(look, 60, 130),
        shoe_colour=COLOURS[between(look, 0, len(COLOURS) - 1)],
        shoe_infrared=between(look, 40, 200),
    )


def attributes(person: Identity) -> dict[str, str]:
    """One row of attributes.csv: nested cloths are flattened, colours written as rrggbb."""
    row = {}
    for name, value in asdict(person).items():
        for part, entry in value.items() if isinstance(value, dict) else [("", value)]:
            text = "".join(f"{c:02x}" for c in entry) if isinstance(entry, tuple) else str(entry)
            row[f"{name}_{part}" if part else name] = text
    return row
