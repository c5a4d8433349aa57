"""Draws what is on top of a person and what is carried: head, hair, hat, scarf and bags (see `fsclib.data.drawing.figure`)."""

from fsclib.data.drawing.figure import Figure
from fsclib.data.drawing.materials import Material
from fsclib.data.drawing.pose import SIDES

M = Material
FACE = -0.5  # cosine of the yaw from which on something of the face is seen


def head(figure: Figure) -> None:
    """Head, face, hair, scarf and hat."""
    person, easel, neck = figure.person, figure.easel, figure.neck
    tall = person.head / 1000
    wide, deep = tall * 0.72, tall * 0.86
    y, z = neck + 0.038 + tall, figure.sway(neck) + 0.012 + person.stoop / 1500
    if person.hair == "afro":
        easel.ball(0, y + 0.02, z - 0.01, wide * 1.5, deep * 1.35, tall * 1.12, M.HAIR)
    if person.hair == "bun":
        easel.ball(0, y + tall * 0.75, z - deep * 0.75, 0.03, 0.03, 0.03, M.HAIR)
    easel.ball(0, y, z, wide, deep, tall, M.SKIN if person.hair == "bald" else M.HAIR)
    if person.hair != "bald" and easel.cos > FACE:  # a smaller ellipse, towards where the person looks
        (x, py), half = easel.at(0, y - tall * 0.24, z), easel.half(wide, deep)
        turn = (easel.cos - FACE) / (1 - FACE)
        easel.disc(x + half * 0.48 * easel.sin, py, half * (0.30 + 0.62 * turn), tall * easel.scale * 0.74, M.SKIN)
    if easel.cos > 0.3:
        for side in SIDES:
            x, py = easel.at(side * wide * 0.42, y + tall * 0.05, z + deep * 0.8)
            easel.disc(x, py, easel.scale * 0.006, easel.scale * 0.005, M.EYES)
    if abs(easel.sin) > 0.6 and easel.cos > FACE:
        nose = ((0.1, 0.85), (-0.15, 1.25), (-0.25, 0.8))
        easel.patch([(0, y + tall * up, z + deep * out) for up, out in nose], M.SKIN)
    if person.hair in ("long", "bob") and not _seen_from_front(figure):
        _mane(figure)
    if person.hair == "ponytail" and easel.cos < 0.75:
        tail = ((0.35, 0.9, 0.014), (-0.4, 1.35, 0.021), (-1.7, 1.15, 0.010))
        easel.limb([(0, y + tall * up, z - deep * back, r) for up, back, r in tail], M.HAIR)
    if person.scarf:
        shape = ((0.035, 0.045), (0.012, 0.062), (-0.022, 0.06))
        easel.barrel([(neck + up, out, out, figure.sway(neck)) for up, out in shape], M.HAT)
        if figure.facing:
            easel.limb([(0.03, neck, 0.06, 0.018), (0.035, neck - 0.13, 0.085, 0.022)], M.HAT)
    _hat(figure, y, z, tall, wide, deep)


def _hat(figure: Figure, y: float, z: float, tall: float, wide: float, deep: float) -> None:
    kind, easel = figure.person.hat, figure.easel
    if kind == "none":
        return
    crown, rim = (1.22, 0.22) if kind == "beanie" else (1.08, 0.38)  # heights above the middle of the head
    shape = ((crown, 0.45), (crown - 0.16, 0.82), (0.62, 1.08), (rim, 1.1))
    easel.barrel([(y + tall * up, wide * out, deep * out, z) for up, out in shape], M.HAT)
    if kind == "brim":
        easel.ball(0, y + tall * rim, z, wide * 1.9, deep * 1.75, 0.012, M.HAT, 1)
    if kind == "cap" and easel.cos > FACE:
        easel.ball(0, y + tall * rim - 0.004, z + deep * 1.2, wide * 0.8, deep * 0.62, 0.011, M.HAT, 1)


def _mane(figure: Figure) -> None:
    """Hair below the head: long to the shoulder blades, a bob to the chin."""
    head, z = figure.person.head / 1000, figure.sway(figure.neck)
    top = figure.neck + 0.05 + head * 1.2
    length = 0.20 if figure.person.hair == "long" else 0.075
    figure.easel.barrel(
        [
            (top, head * 0.6, head * 0.5, z - 0.012),
            (top - head * 0.9, head * 0.86, head * 0.55, z - 0.022),
            (top - head - length * 0.8, head * 0.9, head * 0.5, z - 0.03),
            (top - head - length, head * 0.6, head * 0.3, z - 0.03),
        ],
        M.HAIR,
    )


def on_the_back(figure: Figure, before_the_body: bool) -> None:
    """Backpack, hood and loose hair: behind the body where the person faces the camera, before it otherwise."""
    person, easel, neck = figure.person, figure.easel, figure.neck
    if before_the_body != _seen_from_front(figure):
        return
    if person.bag == "backpack":
        z = figure.sway(neck - 0.1) - 0.075 - person.fit / 2000
        shape = ((0.0, 0.055, 0.03, 0.0), (0.03, 0.085, 0.05, 0.02), (0.22, 0.095, 0.06, 0.025), (0.26, 0.08, 0.05, 0.02))
        easel.barrel([(neck - down, width, depth, z - back) for down, width, depth, back in shape], M.BAG)
    if person.hood:
        easel.ball(0, neck + 0.005, figure.sway(neck) - 0.05, 0.07, 0.04, 0.035, M.UPPER, 1)
    if person.hair in ("long", "bob") and before_the_body:
        _mane(figure)


def across_the_body(figure: Figure) -> None:
    """The straps of a backpack, or a bag worn across the body."""
    person, easel, neck = figure.person, figure.easel, figure.neck
    if person.bag == "backpack" and figure.facing:
        for side in SIDES:
            x = side * person.shoulders / 1000 * 0.6
            easel.limb([(x, neck - 0.01, 0.06, 0.011), (x * 1.05, neck - 0.2, 0.09, 0.011)], M.BAG)
    if person.bag == "cross-body":
        side, z, y = person.bag_side, 0.045 if easel.cos > 0 else -0.045, figure.crotch
        x = side * (max(person.hips, person.waist) / 1000 + person.fit / 1000)
        easel.limb([(-side * 0.06, neck - 0.005, z, 0.009), (x, y + 0.08, z, 0.009)], M.BAG)
        if easel.near(side, 0) > -0.6:
            corners = ((y + 0.06, -0.03), (y + 0.06, 0.03), (y, 0.03), (y, -0.03))
            easel.limb([(x + side * 0.01, up, out, 0.035) for up, out in corners], M.BAG)


def in_the_hand(figure: Figure, side: int) -> None:
    """A tote or a case, if it hangs from this hand."""
    person, easel = figure.person, figure.easel
    if person.bag not in ("tote", "case") or side != person.bag_side:
        return
    x, y, z, _ = figure.pose.arms[side][-1]
    wide, high, handle = (0.063, 0.17, 0.07) if person.bag == "tote" else (0.10, 0.12, 0.02)
    easel.limb([(x, y, z, 0.007), (x, y - handle, z, 0.007)], M.BAG)
    easel.barrel([(y - handle, 0.02, wide * 0.9, z), (y - handle - high, 0.025, wide, z)], M.BAG, x=x)


def _seen_from_front(figure: Figure) -> bool:
    return figure.easel.cos > -0.1
