"""Outdoor places: a street with houses, a park, a yard."""

from numpy.random import Generator
from PIL import ImageFilter

from synthpeople.randomness import between, pick, uniform
from synthpeople.scenery import fixtures, furniture
from synthpeople.scenery.fixtures import ASPHALT, CONCRETE, DAY, DUSK, FAR, LAWN, LEAF, STEEL
from synthpeople.scenery.layout import Box, across, along, facade, furnish, pave, sized, some
from synthpeople.scenery.perspective import View, Wall
from synthpeople.scenery.texture import SHADOW, Matter

MARKING = Matter((206, 205, 196), 190, 88)  # white paint on a road


def street(view: View, rng: Generator) -> None:
    left, near, right, deep = view.span
    view.ground.box(*view.span, CONCRETE.lit(0.85))
    unit = pick(rng, {(0.3, 0.3): 2, (0.5, 0.5): 1, (0.2, 0.1): 1, (0.6, 0.4): 1})
    slab = CONCRETE.varied(rng, 0.2).lit(0.85)
    view.ground.masonry(rng, unit, 0.5, slab.lit(0.6), 0.014, slab.lit(0.75), 0.7)
    road = pick(rng, {view.far - uniform(rng, 0.9, 1.4): 2, near: 1})
    if road > near:  # a lane in front of the pavement
        tar = ASPHALT.varied(rng)
        view.ground.box(left, near, right, road, tar)
        pave(rng, view.ground, (left, near, right, road), tar)
        view.ground.box(left, road, right, road + 0.03, SHADOW)
        view.ground.box(left, road + 0.03, right, road + 0.17, CONCRETE.lit(1.1))
        if rng.random() < 0.5:
            view.ground.box(left, road - 0.4, right, road - 0.28, MARKING)
        else:
            start = uniform(rng, left, right)
            for stripe in range(3):
                view.ground.box(start + stripe, near, start + stripe + 0.5, road - 0.3, MARKING)
        view.ground.weather(rng, (left, near, right, road), tar, (0.012, 0.02), 0.3, 3, 0.7)
    pave(rng, view.ground, (left, max(near, road + 0.2), right, deep), slab, 0.8)
    wall = across(view, rng, 3.6)
    facade(rng, wall)
    shop = sized(fixtures.window, (1.3, 2.4), (0.3, 0.6), (2.5, 2.5))
    small = sized(fixtures.window, (0.8, 1.2), (0.9, 1.1), (2.3, 2.3))
    gate = sized(fixtures.shutter, (1.4, 2.4))
    along(rng, [wall], [shop, small, gate, fixtures.door, fixtures.poster, fixtures.pipe], (0.2, 0.7))
    view.lay([wall])
    things = (furniture.pole, furniture.bollard, furniture.bin_, furniture.bicycle, furniture.car, furniture.pot, furniture.tree)
    furnish(view, rng, some(rng, between(rng, 2, 3), *things), view.far * 0.82, view.far * 0.95)


def park(view: View, rng: Generator) -> None:
    _behind(view, rng)
    left, near, right, deep = view.span
    _meadow(rng, view, view.span)
    path = pick(rng, {ASPHALT: 1, Matter((158, 144, 122), 140, 90): 2, CONCRETE: 1}).varied(rng)
    bend, x = uniform(rng, -0.5, 0.5), uniform(rng, -0.8, 0.8)
    wide = uniform(rng, 0.8, 1.5)
    steps = [(near + (deep - near) * i / 12, i / 12) for i in range(13)]
    bound = [(x + bend * 3 * t * t - wide, z) for z, t in steps] + [(x + bend * 3 * t * t + wide, z) for z, t in reversed(steps)]
    view.ground.fill(bound, path)
    pave(rng, view.ground, (left, near, right, deep), path, 0.5)
    view.lay([_hedge(view, rng)] if rng.random() < 0.65 else _fenced(view, rng))
    things = (furniture.tree, furniture.bush, furniture.bench, furniture.lantern, furniture.bin_, furniture.pole)
    furnish(view, rng, [(furniture.tree, 0.4), *some(rng, between(rng, 2, 3), *things)], view.far * 0.8, view.far * 0.97)


def yard(view: View, rng: Generator) -> None:
    _behind(view, rng)
    slab = CONCRETE.varied(rng, 0.15)
    view.ground.box(*view.span, slab)
    size = uniform(rng, 1.0, 2.0)
    view.ground.masonry(rng, (size, size), pick(rng, {0: 2, 0.5: 1}), slab.lit(0.45), 0.02, slab.lit(0.85), 0.6)
    pave(rng, view.ground, view.span, slab)
    if rng.random() < 0.5:
        walls = _fenced(view, rng)
    else:
        wall = across(view, rng, pick(rng, {3.4: 2, 1.9: 1}))
        walls = [wall]
        facade(rng, wall)
        gate = sized(fixtures.shutter, (1.6, 2.6))
        if wall.high > 3:
            along(rng, [wall], [gate, fixtures.door, fixtures.pipe], (0.5, 1.6))
    view.lay(walls)
    things = (
        furniture.bicycle,
        furniture.bin_,
        furniture.bollard,
        furniture.bush,
        furniture.car,
        furniture.lantern,
        furniture.pole,
    )
    furnish(view, rng, some(rng, between(rng, 3, 4), *things), view.far * 0.8, view.far * 0.97)


def _fenced(view: View, rng: Generator) -> list[Wall]:
    """A fence, with a house or a hedge behind it, out of focus."""
    depth = view.deep * 0.85
    if rng.random() < 0.5:
        behind = _hedge(view, rng, depth)
    else:
        behind = across(view, rng, 4.5, depth)
        facade(rng, behind)
        small = sized(fixtures.window, (0.8, 1.2), (0.9, 1.1), (2.3, 2.3))
        along(rng, [behind], [small, fixtures.door, small, fixtures.pipe], (0.5, 1.5))
    sheet = behind.surface.image.convert("RGBa")  # otherwise the transparent part would leave a dark seam
    behind.surface.image = sheet.filter(ImageFilter.GaussianBlur(view.height / 250)).convert("RGBA")
    return [behind, _mesh(view, rng)]


def _hedge(view: View, rng: Generator, depth: float | None = None) -> Wall:
    wall, top = across(view, rng, 3.4, depth), uniform(rng, 1.0, 2.6)
    heaps = [(wall.length * (i + rng.random()) / 14, top * uniform(rng, 0.55, 0.9), 0.5, uniform(rng, 0.2, 0.5)) for i in range(14)]
    wall.surface.foliage(
        rng, [*heaps, *((wall.length * i / 9, 0.2, 1.0, top * 0.75) for i in range(10))], LEAF.varied(rng, 0.2), 0.05
    )
    return wall


def _mesh(view: View, rng: Generator) -> Wall:
    """A fence of wire or bars."""
    wall, metal = across(view, rng, 3.4), pick(rng, {Matter((58, 78, 64), 80, 66): 2, STEEL.lit(0.7): 1, STEEL.lit(0.3): 1})
    high, step = uniform(rng, 1.4, 2.2), pick(rng, {0.06: 2, 0.11: 1})
    for i in range(int(wall.length / step) + 1):
        wall.surface.stroke([(step * i, 0.05), (step * i, high)], 0.012 if step < 0.1 else 0.022, metal)
    for i in range(int(high / 0.2) + 1):
        wall.surface.stroke([(0, 0.05 + 0.2 * i), (wall.length, 0.05 + 0.2 * i)], 0.012, metal)
    for i in range(int(wall.length / 2.4) + 1):
        wall.surface.box(2.4 * i + 0.5, 0, 2.4 * i + 0.57, high + 0.08, metal.lit(0.8))
    return wall


def _meadow(rng: Generator, view: View, span: Box) -> None:
    grass = LAWN.varied(rng, 0.15)
    view.ground.box(*span, grass)
    view.ground.weather(rng, span, grass.lit(0.7), (0.03, 0.08), 0.5, 3, 0.8)
    view.ground.weather(rng, span, grass.lit(1.3), (0.02, 0.05), 0.25, 4, 0.7)
    view.ground.weather(rng, span, Matter((128, 112, 78), 130, 84), (0.12, 0.16), 0.15, 2.5, 0.6)


def _behind(view: View, rng: Generator) -> None:
    """The far background behind a hedge or a fence: sky, a building, trees, all out of focus."""
    sky = view.afar(40.0)
    left, right = view.edge(0, 40.0), view.edge(1, 40.0)
    sky.box(left, -30, right, 60, DUSK if view.place.night else DAY)
    sky.fade((left, 0, right, 30), FAR, 0.5)
    mass = FAR.varied(rng, 0.3)
    x = left + (right - left) * uniform(rng, 0, 0.6)
    sky.box(x, -30, x + uniform(rng, 6, 14), uniform(rng, 8, 30), mass)
    for column in range(8):
        for row in range(9):
            sky.box(x + 1 + 1.6 * column, 1 + 3 * row, x + 1.9 + 1.6 * column, 2.6 + 3 * row, mass.lit(0.6))
    sky.box(left, -30, right, 1, LAWN.lit(0.6))
    copse = [(left + (right - left) * rng.random(), uniform(rng, 0, 3), uniform(rng, 1.5, 3), uniform(rng, 2, 6)) for _ in range(9)]
    sky.foliage(rng, copse, LEAF.lit(0.8), 0.3)
    view.show_afar(sky)
