"""Things in or on walls, each drawn on a wall's surface starting at `x` metres; most functions return the width used."""

from numpy.random import Generator

from synthpeople.randomness import between, pick, uniform
from synthpeople.scenery.texture import SHADOW, Matter, Surface

ASPHALT, CONCRETE = Matter((96, 96, 98), 72, 92), Matter((150, 147, 140), 118, 86)
BRICK, PLASTER = Matter((128, 86, 70), 138, 84), Matter((192, 185, 170), 165, 80)
GLASS, STEEL = Matter((66, 78, 86), 34, 52), Matter((138, 142, 146), 108, 68)
LEAF, LAWN, BARK = Matter((60, 84, 42), 178, 66), Matter((92, 108, 60), 172, 72), Matter((84, 71, 58), 96, 76)
WOOD, RUBBER, PAPER = Matter((134, 100, 68), 160, 82), Matter((34, 34, 36), 30, 88), Matter((222, 219, 208), 205, 80)
PLATE, LAMP, HEATER = Matter((224, 222, 200), 255, 66), Matter((250, 246, 232), 255, 122), Matter((208, 207, 200), 160, 124)
DAY, DUSK, FAR = Matter((186, 200, 212), 40, 34), Matter((26, 28, 36), 4, 32), Matter((112, 116, 112), 60, 62)

HUES = ((150, 42, 38), (36, 70, 120), (196, 158, 52), (52, 96, 72), (176, 176, 172), (70, 74, 82), (196, 196, 196), (40, 42, 48))
WARM = (255, 206, 140)  # light of bulbs


def paint(rng: Generator, warmth: int = 76) -> Matter:
    """A random coat of paint; its near-infrared reflectance is independent of its colour."""
    hue, share = HUES[between(rng, 0, len(HUES) - 1)], uniform(rng, 0.2, 0.7)  # muted by weather and dust
    red, green, blue = (round(c * share + (1 - share) * (sum(hue) / 3 + 12)) for c in hue)
    return Matter((red, green, blue), between(rng, 60, 180), warmth).varied(rng, 0.2)


def print_(surface: Surface, rng: Generator, left: float, bottom: float, right: float, top: float) -> None:
    """A poster or sheet of paper: a picture, lines of text."""
    ground = pick(rng, {PAPER: 3, paint(rng, PAPER.warmth): 2}).varied(rng)
    surface.box(left, bottom, right, top, ground)
    wide, high, y = right - left, top - bottom, top
    picture = top - high * uniform(rng, 0.3, 0.6)
    box = (left + 0.08 * wide, picture, right - 0.08 * wide, top - 0.06 * high)
    surface.box(*box, paint(rng, PAPER.warmth))
    surface.weather(rng, box, paint(rng, PAPER.warmth), (wide / 7, high / 9), uniform(rng, 0.3, 0.6), 4)
    y = picture - 0.08 * high
    while y > bottom + 0.08 * high:
        surface.box(left + 0.1 * wide, y, right - wide * uniform(rng, 0.1, 0.5), y + 0.02 * high, ground.lit(0.45))
        y -= 0.055 * high


def door(surface: Surface, rng: Generator, x: float) -> float:
    """A door in its frame."""
    wide, high = pick(rng, {0.9: 3, 1.6: 1}), uniform(rng, 2.0, 2.15)
    leaf = pick(rng, {WOOD.lit(0.8): 2, paint(rng): 2, PLASTER.lit(0.9): 1, STEEL.lit(0.8): 1}).varied(rng)
    frame = pick(rng, {STEEL.lit(0.7): 1, leaf.lit(0.7): 1, PAPER.lit(0.9): 1})
    surface.box(x, 0, x + wide + 0.14, high + 0.07, frame)
    surface.box(x + 0.05, 0, x + wide + 0.09, high + 0.02, SHADOW)
    surface.box(x + 0.07, 0.01, x + wide + 0.07, high, leaf)
    surface.weather(rng, (x + 0.07, 0.01, x + wide + 0.07, high), leaf.lit(0.86), (0.02, 0.5), 0.45, 1.5, 0.8)
    glazed, handle = pick(rng, {"slit": 2, "pane": 1, "none": 2}), pick(rng, {0.12: 1, 0.88: 1})
    for part in range(round(wide / 0.85)):
        left = x + 0.07 + part * wide / round(wide / 0.85)
        if glazed != "none":
            a, b, c, d = (0.62, 1.1, 0.76, 1.85) if glazed == "slit" else (0.2, 1.15, 0.7, 1.9)
            surface.box(left + a - 0.02, b - 0.02, left + c + 0.02, d + 0.02, leaf.lit(0.6))
            surface.box(left + a, b, left + c, d, GLASS)
            surface.fade((left + a, b, left + c, d), GLASS.lit(2.0), 0.6, "up")
        surface.box(left + 0.08, 0.06, left + 0.74, 0.3, pick(rng, {leaf: 1, STEEL: 1, leaf.lit(0.9): 2}))
        surface.stroke([(left + handle * 0.82, 1.03), (left + (handle * 0.6 + 0.2) * 0.82, 1.03)], 0.025, STEEL.lit(1.2))
        surface.box(left, 0.01, left + 0.012, high, SHADOW)
    surface.fade((x + 0.07, high - 0.35, x + wide + 0.07, high), SHADOW, 0.25, "up")
    return wide + 0.14


def window(surface: Surface, rng: Generator, x: float, wide: float, sill: float, top: float) -> float:
    """A window with bars and things behind it, sometimes lit at night."""
    frame, bars = pick(rng, {STEEL.lit(0.5): 2, PAPER.lit(0.95): 2, paint(rng): 1}), max(1, round(wide / uniform(rng, 0.6, 1.1)))
    surface.box(x - 0.06, sill - 0.06, x + wide + 0.06, top + 0.06, frame.lit(0.8))
    surface.box(x, sill, x + wide, top, GLASS)
    inside = (x, sill, x + wide, top)
    surface.weather(rng, inside, GLASS.lit(0.4), (0.12, 0.3), 0.5, 3, 0.8)
    for _ in range(round(wide * 9)):  # things inside, and reflections of the street
        left, low, half = (
            x + wide * uniform(rng, 0, 0.85),
            sill + (top - sill) * uniform(rng, 0, 0.8),
            uniform(rng, 0.04, 0.15) * wide,
        )
        thing = Matter(paint(rng).colour, GLASS.nir + between(rng, -10, 30), GLASS.warmth)
        left, tall = max(left, x + half), uniform(rng, 0.1, 0.6)
        surface.soft(left, min(low, top - tall), half, tall, thing, uniform(rng, 0.3, 0.9))
    surface.fade(inside, GLASS.lit(2.4), uniform(rng, 0.2, 0.6), pick(rng, {"up": 2, "left": 1, "right": 1}))
    if rng.random() < 0.4:  # a blind, partly lowered
        low = top - (top - sill) * uniform(rng, 0.2, 0.6)
        surface.box(x, low, x + wide, top, PLASTER.lit(0.85))
        for step in range(int((top - low) / 0.05)):
            surface.box(x, low + 0.05 * step, x + wide, low + 0.05 * step + 0.012, PLASTER.lit(0.6))
    lit = rng.random() < 0.5
    for bar in range(bars + 1):
        middle = x + wide * bar / bars
        surface.box(middle - 0.03, sill, middle + 0.03, top, frame)
        if lit and bar:
            surface.shine(middle - wide / bars + 0.04, sill, middle - 0.04, top, tuple(c * 3 // 4 for c in WARM))
    surface.fade((x, top - 0.12, x + wide, top), SHADOW, 0.6, "up")
    surface.box(x - 0.1, sill - 0.1, x + wide + 0.1, sill - 0.05, frame.lit(1.1))
    surface.fade((x - 0.1, sill - 0.3, x + wide + 0.1, sill - 0.1), SHADOW, 0.25, "up")
    return wide + 0.2


def board(surface: Surface, rng: Generator, x: float) -> float:
    """A notice board with sheets of paper."""
    wide, low, top = uniform(rng, 0.8, 1.5), uniform(rng, 0.9, 1.1), uniform(rng, 1.75, 2.0)
    cloth = pick(rng, {WOOD.lit(1.15): 2, paint(rng, WOOD.warmth): 1})
    surface.fade((x, low - 0.1, x + wide, low), SHADOW, 0.3, "up")
    surface.box(x, low, x + wide, top, STEEL.lit(1.1))
    surface.box(x + 0.03, low + 0.03, x + wide - 0.03, top - 0.03, cloth)
    surface.weather(rng, (x + 0.03, low + 0.03, x + wide - 0.03, top - 0.03), cloth.lit(0.85), (0.03, 0.03))
    left = x + 0.07
    while left + 0.34 < x + wide:
        size, base = uniform(rng, 0.16, 0.26), low + uniform(rng, 0.06, 0.2)
        while base + 1.42 * size < top - 0.05:
            if rng.random() < 0.75:
                print_(surface, rng, left, base, left + size, base + 1.38 * size)
            base += 1.38 * size + uniform(rng, 0.03, 0.12)
        left += 0.26 + uniform(rng, 0.03, 0.12)
    return wide


def poster(surface: Surface, rng: Generator, x: float) -> float:
    wide, low = uniform(rng, 0.4, 0.85), uniform(rng, 0.7, 1.1)
    surface.box(x - 0.03, low - 0.03, x + wide + 0.03, low + 1.41 * wide + 0.03, pick(rng, {STEEL: 1, SHADOW.lit(3): 1}))
    print_(surface, rng, x, low, x + wide, low + 1.41 * wide)
    return wide


def radiator(surface: Surface, rng: Generator, x: float) -> float:
    wide = uniform(rng, 0.7, 1.3)
    surface.fade((x - 0.03, 0.72, x + wide + 0.03, 1.1), HEATER, 0.2)
    surface.box(x, 0.14, x + wide, 0.72, HEATER)
    for rib in range(int(wide / 0.07)):
        surface.fade((x + 0.07 * rib, 0.14, x + 0.07 * rib + 0.05, 0.72), HEATER.lit(0.6), 0.8, "right")
    surface.box(x, 0.69, x + wide, 0.72, HEATER.lit(1.1))
    return wide


def extinguisher(surface: Surface, rng: Generator, x: float) -> float:
    red = Matter((164, 34, 30), between(rng, 120, 190), 74)
    surface.box(x - 0.02, 1.25, x + 0.16, 1.43, red.lit(1.1))
    surface.box(x + 0.01, 0.5, x + 0.15, 0.95, red)
    surface.disc(x + 0.08, 0.95, 0.07, 0.06, red)
    surface.fade((x + 0.01, 0.5, x + 0.15, 0.95), red.lit(0.4), 0.7, "right")
    surface.box(x + 0.05, 1.0, x + 0.11, 1.07, RUBBER)
    surface.box(x + 0.03, 0.66, x + 0.13, 0.8, PAPER.lit(0.9))
    return 0.2


def shutter(surface: Surface, rng: Generator, x: float, wide: float) -> float:
    """A roller shutter or garage door."""
    metal, high, slat = pick(rng, {STEEL: 2, paint(rng): 1}).varied(rng), uniform(rng, 2.2, 2.6), pick(rng, {0.09: 2, 0.3: 1})
    surface.box(x, 0, x + wide, high + 0.1, metal.lit(0.5))
    for step in range(int(high / slat)):
        surface.box(x + 0.05, slat * step, x + wide - 0.05, slat * (step + 1), metal)
        surface.fade((x + 0.05, slat * step, x + wide - 0.05, slat * (step + 0.4)), metal.lit(0.55), 0.9)
    surface.weather(rng, (x, 0, x + wide, high), metal.lit(0.7), (0.15, 0.5), 0.2, 3, 0.5)
    if rng.random() < 0.4:  # a tag
        tag, y = paint(rng, metal.warmth), uniform(rng, 0.6, 1.2)
        steps = [(x + wide * uniform(rng, 0.1, 0.8), y + uniform(rng, 0, 0.5)) for _ in range(7)]
        surface.stroke(sorted(steps), 0.04, tag)
    surface.fade((x, high - 0.3, x + wide, high), SHADOW, 0.5, "up")
    return wide


def pipe(surface: Surface, rng: Generator, x: float) -> float:
    """A drainpipe with damp patches beside it."""
    metal = pick(rng, {STEEL.lit(0.8): 1, paint(rng, STEEL.warmth): 1})
    surface.weather(rng, (x - 0.2, 0, x + 0.3, 3), SHADOW, (0.05, 0.6), 0.2, 3, 0.3)
    surface.box(x, 0, x + 0.09, 3.2, metal)
    surface.fade((x + 0.03, 0, x + 0.09, 3.2), metal.lit(0.35), 0.9, "right")
    for y in (0.5, 1.7):
        surface.box(x - 0.02, y, x + 0.11, y + 0.05, metal.lit(0.7))
    return 0.12
