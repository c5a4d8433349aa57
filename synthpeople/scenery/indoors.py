"""Indoor places, with reflecting floors."""

from numpy.random import Generator

from synthpeople.randomness import between, pick, uniform
from synthpeople.scenery import fixtures, furniture
from synthpeople.scenery.fixtures import CONCRETE, LAMP, PLASTER, paint
from synthpeople.scenery.layout import across, along, coat, furnish, pave, sized, some
from synthpeople.scenery.perspective import View, Wall
from synthpeople.scenery.texture import Matter


def corridor(view: View, rng: Generator) -> None:
    plain, dado = PLASTER.varied(rng, 0.1), pick(rng, {None: 2, paint(rng).lit(0.8): 1, PLASTER.lit(0.75): 2})
    floor = pick(rng, {CONCRETE: 2, Matter((128, 116, 100), 110, 88): 2, Matter((96, 112, 108), 100, 86): 1}).varied(rng, 0.15)
    view.ground.box(*view.span, floor)
    if rng.random() < 0.6:
        tile = pick(rng, {0.3: 2, 0.45: 1, 0.6: 2})
        view.ground.masonry(rng, (tile, tile), 0, floor.lit(0.6), 0.012, floor.lit(0.8), 0.5)
    pave(rng, view.ground, view.span, floor, 0.5)
    if rng.random() < 0.5:  # a passage with an end; otherwise one long wall
        shift, half, end = uniform(rng, -0.5, 0.5), uniform(rng, 1.1, 1.45), view.far * uniform(rng, 1.15, 1.7)
        near = 0.95 * half * view.focal / view.width
        walls = [Wall(view, (shift - half, end), (shift + half, end), 3.3),
                 Wall(view, (shift - half, near), (shift - half, end), 3.3),
                 Wall(view, (shift + half, end), (shift + half, near), 3.3)]  # fmt: skip
    else:
        walls = [across(view, rng, 3.3)]
    items = [fixtures.door, fixtures.door, fixtures.board, fixtures.poster, fixtures.radiator, fixtures.extinguisher]
    for wall in walls:
        whole = (0, 0, wall.length, wall.high)
        coat(rng, wall.surface, whole, plain, 0.45)
        if dado:
            coat(rng, wall.surface, (0, 0, wall.length, 1.15), dado, 0.5)
            wall.surface.box(0, 1.13, wall.length, 1.17, dado.lit(0.8))
        wall.surface.box(0, 0, wall.length, 0.1, floor.lit(0.5))
        wall.surface.fade((0, 2.0, wall.length, 3.3), plain.lit(1.15), 0.4, "up")
    along(rng, walls, items, (0.25, 0.9))
    view.lay(walls, gloss=uniform(rng, 0.15, 0.4))
    _tubes(view, rng)
    if len(walls) == 1:
        furnish(view, rng, some(rng, 1, furniture.column, furniture.pot, furniture.bin_), view.far * 0.85, view.far * 0.97)


def hall(view: View, rng: Generator) -> None:
    floor = pick(rng, {CONCRETE.lit(1.1): 2, Matter((150, 134, 116), 130, 86): 2, Matter((92, 92, 94), 80, 86): 1}).varied(
        rng, 0.15
    )
    view.ground.box(*view.span, floor)
    tile = pick(rng, {0.4: 1, 0.6: 2, 0.9: 1})
    view.ground.masonry(rng, (tile, tile), pick(rng, {0: 3, 0.5: 1}), floor.lit(0.65), 0.012, floor.lit(0.82), 0.6)
    pave(rng, view.ground, view.span, floor, 0.4)
    wall, panel = across(view, rng, 3.4), PLASTER.varied(rng, 0.15)
    coat(rng, wall.surface, (0, 0, wall.length, 3.4), panel, 0.4)
    for x in range(int(wall.length / 1.2) + 1):  # cladding
        wall.surface.box(1.2 * x, 0, 1.2 * x + 0.015, 3.4, panel.lit(0.6))
    glass = sized(fixtures.window, (1.4, 2.6), (0.12, 0.12), (2.9, 2.9))
    along(rng, [wall], [glass, glass, fixtures.poster, fixtures.door, fixtures.board], (0.15, 0.6))
    wall.surface.box(0, 0, wall.length, 0.12, floor.lit(0.45))
    view.lay([wall], gloss=uniform(rng, 0.15, 0.35))
    _tubes(view, rng)
    items = some(rng, between(rng, 2, 3), furniture.column, furniture.bench, furniture.vending, furniture.pot, furniture.bin_)
    furnish(view, rng, items, view.far * 0.8, view.far * 0.96)


def _tubes(view: View, rng: Generator) -> None:
    """Ceiling lamps reflected in the floor."""
    for _ in range(between(rng, 1, 3)):
        z = uniform(rng, view.span[1], view.far * 0.95)
        spot = view.stand(view.edge(uniform(rng, 0, 1), z), z, 0.01, 0)
        wide, long = uniform(rng, 0.15, 0.5), uniform(rng, 0.3, 0.7)
        if view.modality != "thermal":
            spot.soft(0, 0, wide, long, LAMP, 0.3)
