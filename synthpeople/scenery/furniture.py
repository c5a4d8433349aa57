"""Objects in public places, each drawn on an upright surface through its foot, x = 0, upwards from the ground, y = 0."""

from numpy.random import Generator

from synthpeople.randomness import between, pick, uniform
from synthpeople.scenery.fixtures import (
    BARK,
    CONCRETE,
    GLASS,
    HEATER,
    HUES,
    LAMP,
    LEAF,
    PLASTER,
    PLATE,
    RUBBER,
    STEEL,
    WARM,
    WOOD,
    paint,
)
from synthpeople.scenery.texture import SHADOW, Matter, Surface


def _round(surface: Surface, box: tuple[float, float, float, float], matter: Matter, side: str) -> None:
    """A round shape: lighter towards one side, dark at the other."""
    left, bottom, right, top = box
    surface.box(*box, matter)
    middle = left + (right - left) * 0.45
    if side == "right":
        surface.fade((middle, bottom, right, top), matter.lit(0.45), 0.9, "right")
        surface.fade((left, bottom, middle, top), matter.lit(0.75), 0.9, "left")
    else:
        surface.fade((left, bottom, middle, top), matter.lit(0.45), 0.9, "left")
        surface.fade((middle, bottom, right, top), matter.lit(0.75), 0.9, "right")


def column(surface: Surface, rng: Generator, side: str) -> None:
    """A column up to the ceiling, round or square."""
    half, matter = uniform(rng, 0.14, 0.26), pick(rng, {CONCRETE: 2, PLASTER: 2, STEEL: 1}).varied(rng)
    box = (-half, 0, half, 4)
    if rng.random() < 0.5:
        _round(surface, box, matter, side)
    else:
        surface.box(*box, matter)
        surface.box(half * 0.45, 0, half, 4, matter.lit(0.72))
    surface.weather(rng, box, matter.lit(0.8), (0.05, 0.3), 0.4, 2, 0.5)
    surface.box(-half, 0, half, 0.09, matter.lit(0.45))
    surface.fade((-half, 0, half, 0.6), SHADOW, 0.2)


def pole(surface: Surface, rng: Generator, side: str) -> None:
    """A lamp post or sign post."""
    half, matter = uniform(rng, 0.03, 0.07), pick(rng, {STEEL.lit(0.8): 2, paint(rng, STEEL.warmth): 1})
    _round(surface, (-half, 0, half, 4), matter, side)
    _round(surface, (-1.6 * half, 0, 1.6 * half, 0.35), matter.lit(0.85), side)
    if rng.random() < 0.3:  # a retroreflective traffic sign
        low, hue = uniform(rng, 1.5, 1.9), Matter(HUES[between(rng, 0, 1)], 200, PLATE.warmth)
        surface.disc(0, low, 0.25, 0.25, PLATE)
        surface.disc(0, low, 0.235, 0.235, hue)
        if hue.colour[0] > 100:  # no entry
            surface.box(-0.16, low - 0.035, 0.16, low + 0.035, PLATE)
        else:  # ahead only
            surface.fill([(-0.03, low - 0.16), (-0.03, low + 0.04), (0.03, low + 0.04), (0.03, low - 0.16)], PLATE)
            surface.fill([(-0.11, low + 0.03), (0, low + 0.16), (0.11, low + 0.03)], PLATE)
    else:  # a sticker, or its remains
        low = uniform(rng, 1.0, 1.6)
        surface.box(-half, low, half, low + 0.14, pick(rng, {PLATE.lit(0.8): 1, paint(rng, STEEL.warmth): 1}))


def bollard(surface: Surface, rng: Generator, side: str) -> None:
    half, high = uniform(rng, 0.05, 0.09), uniform(rng, 0.7, 1.0)
    matter = pick(rng, {STEEL.lit(0.5): 2, CONCRETE: 1, paint(rng): 1})
    _round(surface, (-half, 0, half, high), matter, side)
    surface.disc(0, high, half, half * 0.4, matter.lit(1.15))
    surface.box(-half, high - 0.16, half, high - 0.1, PLATE)


def lantern(surface: Surface, rng: Generator, side: str) -> None:
    """A low lamp beside a path."""
    half, high = uniform(rng, 0.05, 0.08), uniform(rng, 0.8, 1.1)
    _round(surface, (-half, 0, half, high), STEEL.lit(0.45), side)
    surface.box(-half, high, half, high + 0.2, LAMP)
    surface.box(-half * 1.2, high + 0.2, half * 1.2, high + 0.25, STEEL.lit(0.4))
    surface.shine(-half, high, half, high + 0.2, WARM)


def bin_(surface: Surface, rng: Generator, side: str) -> None:
    """A litter bin, or a wheeled one."""
    half, high = uniform(rng, 0.2, 0.3), uniform(rng, 0.75, 1.1)
    matter = pick(rng, {Matter((56, 74, 60), 90, 70): 2, STEEL.lit(0.7): 2, paint(rng, 70).lit(0.65): 2}).varied(rng)
    if rng.random() < 0.4:
        half, high = 0.8 * half, 0.85 * high
        _round(surface, (-half, 0, half, high), matter, side)
        surface.weather(rng, (-half, 0, half, high), matter.lit(0.6), (0.04, 0.1), 0.25, 3, 0.6)
        for y in (0.1, 0.8):
            surface.box(-half, high * y, half, high * y + 0.02, matter.lit(0.5))
        surface.disc(0, high, half, half * 0.3, matter.lit(1.2))
        surface.disc(0, high, half * 0.8, half * 0.22, SHADOW)
        return
    surface.fill([(-half * 0.85, 0.03), (-half, high), (half, high), (half * 0.85, 0.03)], matter)
    surface.fade((-half * 0.1 if side == "right" else -half * 0.9, 0.03, half * 0.9 if side == "right" else half * 0.1, high),
                 matter.lit(0.45), 0.8, side)  # fmt: skip
    surface.weather(rng, (-half * 0.85, 0.03, half * 0.85, high), matter.lit(0.7), (0.05, 0.12), 0.2, 3, 0.6)
    surface.fill([(-half * 1.06, high - 0.04), (-half * 0.9, high + 0.09), (half * 0.9, high + 0.09), (half * 1.06, high - 0.04)],
                 matter.lit(1.15))  # fmt: skip
    surface.box(-half * 1.06, high - 0.07, half * 1.06, high - 0.03, matter.lit(0.6))
    surface.box(-half * 0.5, high - 0.34, half * 0.4, high - 0.18, pick(rng, {PLATE.lit(0.8): 1, matter.lit(0.4): 2}))
    for x in (-half * 0.7, half * 0.7):
        surface.disc(x, 0.06, 0.06, 0.06, RUBBER)


def bench(surface: Surface, rng: Generator, side: str) -> None:
    half, plank = uniform(rng, 0.6, 0.95), pick(rng, {WOOD.lit(0.75): 3, STEEL.lit(0.8): 1, paint(rng): 1}).varied(rng)
    for x in (-half * 0.8, half * 0.8):
        surface.box(x - 0.03, 0, x + 0.03, 0.84, STEEL.lit(0.35))
        surface.box(x - 0.09, 0, x + 0.11, 0.04, STEEL.lit(0.3))
    for y in (0.42, 0.56, 0.68, 0.80):
        surface.box(-half, y, half, y + 0.09, plank.lit(0.85 if y > 0.5 else 1.15))
        surface.weather(rng, (-half, y, half, y + 0.09), plank.lit(0.65), (0.3, 0.015), 0.4, 2, 0.7)
        surface.box(-half, y, half, y + 0.012, plank.lit(0.4))
    surface.soft(0, 0.05, half * 1.1, 0.2, SHADOW, 0.4)


def pot(surface: Surface, rng: Generator, side: str) -> None:
    """A plant in a pot."""
    half, high = uniform(rng, 0.16, 0.26), uniform(rng, 0.3, 0.5)
    clay = pick(rng, {Matter((138, 88, 66), 130, 78): 1, CONCRETE: 1, Matter((54, 54, 56), 60, 78): 1})
    surface.fill([(-half * 0.75, 0), (-half, high), (half, high), (half * 0.75, 0)], clay)
    surface.fade((-half * 0.8, 0, half * 0.8, high), clay.lit(0.4), 0.8, side)
    crown = [(0, high + 0.12, half, 0.16)]
    crown += [
        (uniform(rng, -0.2, 0.2), high + uniform(rng, 0.1, 0.7), uniform(rng, 0.1, 0.22), uniform(rng, 0.12, 0.25))
        for _ in range(6)
    ]
    surface.foliage(rng, crown, LEAF.varied(rng, 0.2), 0.045)


def bush(surface: Surface, rng: Generator, side: str) -> None:
    wide, high = uniform(rng, 0.4, 0.8), uniform(rng, 0.35, 0.75)
    heaps = [
        (uniform(rng, -wide, wide), uniform(rng, 0.3, 0.6) * high, wide * 0.45, high * uniform(rng, 0.35, 0.5)) for _ in range(7)
    ]
    surface.foliage(rng, [(0, 0.35 * high, wide, 0.35 * high), *heaps], LEAF.varied(rng, 0.2), uniform(rng, 0.03, 0.06))


def tree(surface: Surface, rng: Generator, side: str) -> None:
    """A trunk, the lowest branches and the lower part of the crown."""
    half, bark = uniform(rng, 0.08, 0.2), BARK.varied(rng, 0.2)
    trunk = [
        (-half * 1.5, 0),
        (-half * 1.15, 0.12),
        (-half, 0.4),
        (-half * 0.9, 3.5),
        (half * 0.9, 3.5),
        (half, 0.4),
        (half * 1.2, 0.12),
    ]
    for way in (-1, 1):
        low = uniform(rng, 1.5, 2.1)
        surface.stroke([(0, low), (way * 0.4, low + 0.5), (way * 0.9, low + 0.8)], half * 0.5, bark.lit(0.7))
    surface.fill([*trunk, (half * 1.6, 0)], bark)
    surface.weather(rng, (-half, 0.05, half, 3.4), bark.lit(0.45), (0.016, 0.07), 0.4, 3, 0.8)
    surface.weather(rng, (-half, 0.05, half, 3.4), bark.lit(1.4), (0.012, 0.05), 0.2, 3, 0.6)
    surface.fade((-half, 0.05, half, 3.4), bark.lit(0.3), 0.8, side)
    surface.foliage(rng, [(uniform(rng, -0.15, 0.15), 0.03, half * 1.8, 0.06)], LEAF.lit(0.9), 0.03)
    crown = [(uniform(rng, -1.1, 1.1), uniform(rng, 2.1, 3.2), uniform(rng, 0.25, 0.6), uniform(rng, 0.15, 0.4)) for _ in range(9)]
    surface.foliage(rng, crown, LEAF.varied(rng, 0.2), 0.05)


def car(surface: Surface, rng: Generator, side: str) -> None:
    """A parked car from the side; `side`: the direction of its front."""
    way = 1 if side == "right" else -1
    body = paint(rng, 68)
    outline = [(-2.1, 0.3), (-2.15, 0.75), (-2.0, 0.95), (-1.75, 1.02), (-1.3, 1.38), (-0.9, 1.46), (0.1, 1.46), (0.45, 1.38)]
    outline += [(1.05, 1.0), (1.8, 0.88), (2.08, 0.72), (2.14, 0.5), (2.1, 0.3)]
    surface.box(-1.9, 0.14, 1.9, 0.4, SHADOW)
    surface.soft(0, 0.06, 2.5, 0.3, SHADOW, 0.9)
    surface.fill([(way * x, y) for x, y in outline], body)
    surface.weather(rng, (-2.0, 0.35, 2.0, 0.9), body.lit(1.2), (0.5, 0.05), 0.3, 2, 0.4)
    surface.weather(rng, (-2.0, 0.32, 2.0, 0.6), body.lit(0.6), (0.08, 0.06), 0.35, 2, 0.6)
    surface.fade((-2.1, 0.28, 2.1, 0.85), body.lit(0.4), 0.9)
    glass = [(-1.55, 1.02), (-1.22, 1.32), (-0.9, 1.39), (0.1, 1.39), (0.4, 1.32), (0.9, 1.0)]
    surface.fill([(way * x, y) for x, y in glass], GLASS.lit(0.5))
    surface.weather(rng, (-1.0, 1.04, 0.4, 1.34), GLASS.lit(1.5), (0.3, 0.12), 0.3, 3, 0.6)
    for x in (-0.5, 0.42):
        surface.stroke([(way * x, 0.35), (way * x, 0.95), (way * (x - 0.06), 1.4)], 0.03, body.lit(0.4))
    surface.stroke([(way * -2.0, 0.82), (way * 1.9, 0.78)], 0.02, body.lit(1.25))
    surface.fill(
        [(way * 1.1, 0.7), (way * 1.1, 0.95), (way * 1.8, 0.86), (way * 2.05, 0.7)], Matter(body.lit(1.08).colour, body.nir, 104)
    )
    surface.fill([(way * 1.86, 0.68), (way * 1.8, 0.8), (way * 2.06, 0.7)], PLATE.lit(0.9))
    surface.fill(
        [(way * -2.12, 0.72), (way * -1.95, 0.74), (way * -1.97, 0.9), (way * -2.06, 0.88)], Matter((130, 24, 24), 240, 70)
    )
    for x in (-1.35, 1.3):
        surface.disc(way * x, 0.33, 0.39, 0.39, SHADOW)
        surface.disc(way * x, 0.31, 0.31, 0.31, Matter(RUBBER.colour, RUBBER.nir, 100))
        surface.disc(way * x, 0.31, 0.19, 0.19, STEEL.lit(0.85))
        surface.disc(way * x, 0.31, 0.07, 0.07, STEEL.lit(0.4))


def bicycle(surface: Surface, rng: Generator, side: str) -> None:
    """A bicycle leaning on a rack."""
    way, frame = 1 if side == "right" else -1, paint(rng, STEEL.warmth)
    surface.stroke([(-0.35, 0), (-0.35, 0.75), (-0.3, 0.8), (0.3, 0.8), (0.35, 0.75), (0.35, 0)], 0.045, STEEL)
    for x in (-0.52, 0.52):
        surface.ring(x, 0.34, 0.34, 0.035, RUBBER)
        surface.ring(x, 0.34, 0.305, 0.012, STEEL)
    crank, seat, head = (way * -0.08, 0.3), (way * -0.2, 0.82), (way * 0.36, 0.82)
    for line in ([crank, seat, head, crank], [seat, (way * -0.52, 0.34), crank], [(way * 0.34, 0.95), head, (way * 0.52, 0.34)]):
        surface.stroke(line, 0.035, frame)
    surface.box(seat[0] - 0.12, 0.86, seat[0] + 0.12, 0.91, RUBBER)
    surface.stroke([(way * 0.3, 1.0), (way * 0.42, 0.98)], 0.04, RUBBER)
    surface.box(way * -0.84 - 0.02, 0.5, way * -0.84 + 0.02, 0.55, Matter((150, 30, 26), 255, 70))


def vending(surface: Surface, rng: Generator, side: str) -> None:
    """A vending machine with a lit window."""
    case = paint(rng, 92)
    surface.box(-0.45, 0.05, 0.45, 1.83, case)
    surface.box(-0.38, 0.0, 0.38, 0.05, SHADOW)
    surface.box(-0.39, 0.5, 0.2, 1.72, Matter((120, 124, 126), 110, 84))
    for row in range(5):
        y = 0.54 + 0.235 * row
        for place in range(7):
            x = -0.36 + 0.08 * place
            surface.box(x, y, x + 0.055, y + uniform(rng, 0.1, 0.17), paint(rng, 78))
        surface.box(-0.39, y - 0.03, 0.2, y, STEEL.lit(0.8))
    surface.shine(-0.39, 0.5, 0.2, 1.72, (34, 36, 40))
    surface.box(0.26, 1.0, 0.4, 1.5, case.lit(0.5))
    surface.box(-0.3, 0.18, 0.15, 0.36, SHADOW)
    surface.box(-0.45, 0.05, 0.45, 0.14, HEATER.lit(0.25))
    surface.fade((0.2, 0.05, 0.45, 1.83) if side == "right" else (-0.45, 0.05, -0.2, 1.83), SHADOW, 0.4, side)
