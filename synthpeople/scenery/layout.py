"""Composition of a place: worn surfaces, fixtures along walls, objects on the ground."""

from collections.abc import Callable
from itertools import cycle

from numpy.random import Generator

from synthpeople.randomness import pick, uniform
from synthpeople.scenery import furniture
from synthpeople.scenery.fixtures import BRICK, CONCRETE, PLASTER, WARM
from synthpeople.scenery.perspective import View, Wall
from synthpeople.scenery.texture import Matter, Surface

Box = tuple[float, float, float, float]  # left, bottom, right, top


def sized(item: Callable, *ranges: tuple[float, float]) -> Callable:
    """An item with sizes drawn from these ranges."""

    def drawn(surface: Surface, rng: Generator, x: float) -> float:
        return item(surface, rng, x, *(uniform(rng, *limits) for limits in ranges))

    return drawn


def coat(rng: Generator, surface: Surface, box: Box, matter: Matter, wear: float = 1.0) -> None:
    """A weathered surface of paint, plaster or concrete: patchy, water-stained, spotted."""
    surface.box(*box, matter)
    surface.weather(rng, box, matter.lit(0.86), (0.12, 0.12), 0.4, 1.6, wear)
    surface.weather(rng, box, matter.lit(1.1), (0.025, 0.025), 0.35, 1.6, 0.7 * wear)
    surface.weather(rng, box, matter.lit(0.7), (0.05, 0.5), 0.2, 2.2, 0.6 * wear)
    surface.fade((box[0], box[1], box[2], min(box[3], box[1] + 0.5)), matter.lit(0.55), 0.35 * wear)


def pave(rng: Generator, ground: Surface, span: Box, matter: Matter, wear: float = 1.0) -> None:
    """Worn ground."""
    ground.weather(rng, span, matter.lit(0.8), (0.25, 0.3), 0.4, 1.8, 0.7 * wear)
    ground.weather(rng, span, matter.lit(1.3), (0.008, 0.016), 0.3, 2.5, 0.4 * wear)
    ground.weather(rng, span, matter.lit(0.6), (0.008, 0.016), 0.25, 2.5, 0.45 * wear)
    ground.weather(rng, span, matter.lit(0.55), (0.12, 0.16), -0.1, 3, 0.35 * wear)


def facade(rng: Generator, wall: Wall) -> None:
    matter = pick(rng, {BRICK: 2, PLASTER: 2, CONCRETE: 1}).varied(rng, 0.2)
    if rng.random() < 0.5:
        wall.surface.box(0, 0, wall.length, wall.high, matter)
        wall.surface.masonry(rng, (0.25, 0.083), 0.5, matter.lit(pick(rng, {1.35: 2, 0.65: 1})), 0.012, matter.lit(0.7), 0.7)
        wall.surface.weather(rng, (0, 0, wall.length, wall.high), matter.lit(0.7), (0.1, 0.2), 0.3, 2, 0.5)
    else:
        coat(rng, wall.surface, (0, 0, wall.length, wall.high), matter)
        wall.surface.box(0, 0, wall.length, 0.45, matter.lit(0.72))
        wall.surface.weather(rng, (0, 0, wall.length, 0.45), matter.lit(0.5), (0.08, 0.08), 0.4, 2, 0.6)


def across(view: View, rng: Generator, high: float, depth: float | None = None) -> Wall:
    """A wall across the whole picture, at a slight angle to the camera."""
    turn, depth = uniform(rng, -0.15, 0.15), depth or view.far
    near, far = depth * (1 - turn), depth * (1 + turn)
    return Wall(view, (view.edge(-0.01, near), near), (view.edge(1.01, far), far), high)


def along(rng: Generator, walls: list[Wall], items: list[Callable], gap: tuple[float, float]) -> None:
    """Items side by side along the walls; none repeats before all others have appeared."""
    deck = cycle([items[i] for i in rng.permutation(len(items))])
    for wall in walls:
        x = uniform(rng, -0.4, 0.5)
        while x < wall.length - 0.2:
            x += next(deck)(wall.surface, rng, x) + uniform(rng, *gap)


def some(rng: Generator, count: int, *items: Callable) -> list[tuple[Callable, float]]:
    """`count` different items at random, each with its half width."""
    half = {furniture.car: 2.0, furniture.bench: 0.85, furniture.bicycle: 0.75, furniture.vending: 0.45, furniture.bush: 0.6}
    return [(items[i], half.get(items[i], 0.22)) for i in rng.permutation(len(items))[:count]]


def furnish(view: View, rng: Generator, items: list[tuple[Callable, float]], nearest: float, farthest: float) -> None:
    """Places items (drawing function, half width) on the ground, the farthest first, without overlaps."""
    side = "right" if view.place.light[0] < 0 else "left"
    slots = [(i + uniform(rng, 0.15, 0.85)) / len(items) for i in range(len(items))]
    depths = sorted((uniform(rng, nearest, farthest) for _ in items), reverse=True)
    order = rng.permutation(len(items))
    if view.place.night:  # street lamps above the picture
        for _ in range(2):
            z = uniform(rng, view.span[1], view.far * 0.95)
            view.pools.append((view.edge(uniform(rng, 0, 1), z), z, uniform(rng, 0.8, 1.6), tuple(c // 3 for c in WARM)))
        items = [*items, (furniture.lantern, 0.2)]
        slots, depths, order = [*slots, rng.random()], sorted([*depths, nearest], reverse=True), [*order, len(items) - 1]
    for z, slot in zip(depths, order, strict=True):
        item, half = items[slot]
        x = view.edge(slots[slot], z)
        item(view.stand(x, z, half), rng, side)
        if item is furniture.lantern:
            view.pools.append((x, z, 0.9, tuple(c // 4 for c in WARM)))
