"""Draws a dressed body on a map of materials, part by part: legs, arms, trunk, and the patterns of the cloths."""

from itertools import pairwise

import numpy as np

from fsclib.data.drawing.easel import Easel, Station
from fsclib.data.drawing.identity import Identity
from fsclib.data.drawing.materials import SHADE, Material
from fsclib.data.drawing.patterns import marked
from fsclib.data.drawing.pose import Pose, upper_part

M = Material
HEMS = {"waist": 0.085, "hip": 0.01, "thigh": -0.10, "knee": -0.235, "calf": -0.345}  # height above the crotch


class Figure:
    """One person before one easel, with the heights that clothes hang from. Heights are above the ground."""

    def __init__(self, person: Identity, pose: Pose, easel: Easel):
        self.person, self.pose, self.easel = person, pose, easel
        self.neck = pose.neck
        self.crotch, self.waist = pose.crotch, pose.crotch + 0.125
        self.facing, self.averted = easel.cos > 0.3, easel.cos < -0.3

    def sway(self, y: float) -> float:
        """z of the trunk's axis at height y: people lean forward from the hips."""
        return max(0.0, y - self.crotch) * self.pose.lean

    def sections(self, top: float, bottom: float, extra: float) -> list[Station]:
        """Sections of the trunk between two heights, wider by `extra` than the body; below the hips they flare gently."""
        person, neck, crotch = self.person, self.neck, self.crotch
        shoulders, waist, hips, belly = (n / 1000 for n in (person.shoulders, person.waist, person.hips, person.belly))
        body = [
            (neck + 0.012, 0.034, 0.034),
            (neck - 0.008, shoulders * 0.72, 0.040),
            (neck - 0.03, shoulders * 0.97, 0.052),
            (neck - 0.10, shoulders * 0.93, 0.066),
            (self.waist, waist, belly),
            (crotch + 0.02, hips, 0.078),
            (crotch - 0.36, hips + 0.02, 0.085),
        ]

        def section(y: float) -> Station:
            above, below = next((a, b) for a, b in pairwise(body) if y >= b[0] or b is body[-1])
            t = (above[0] - y) / (above[0] - below[0])
            loose = extra if y < neck - 0.02 else 0.0
            width, depth = (a + (b - a) * t + loose for a, b in zip(above[1:], below[1:], strict=True))
            return y, width, depth, self.sway(y)

        return [section(y) for y in (top, *(y for y, _, _ in body if top > y > bottom), bottom)]

    def leg(self, side: int, far: int) -> None:
        person, easel, joints = self.person, self.easel, self.pose.legs[side]
        heel, toe = self.pose.feet[side]
        ankle = joints[-1]
        easel.limb(joints, M.SKIN, far)
        if person.shoes == "socks":
            easel.limb([upper_part(joints, 0.78)[-1], ankle], M.SOCKS, far)
        easel.limb([heel, toe], M.SHOES, far)
        if person.bottom != "skirt":
            cloth = [(x, y, z, r + 0.006) for x, y, z, r in joints]
            hem = person.bottom_width / 1000 * (0.8 + 0.2 * person.bulk / 100)
            cloth = upper_part(cloth, person.bottom_length / 100, hem)
            easel.limb(cloth, M.LOWER, far, cut=True)
            if person.lower.pattern == "side-stripe" and easel.near(side, 0) > -0.5:
                easel.limb([(x + side * r * 0.75, y, z, 0.012) for x, y, z, r in cloth], M.LOWER_MARK, far, cut=True)
        if person.shoes in ("ankle-boots", "boots") and (person.bottom_length < 70 or person.bottom_width < 40):
            top = upper_part(joints, 0.88 if person.shoes == "ankle-boots" else 0.62)[-1]
            easel.limb([(*top[:3], max(top[3] * 1.2, 0.036)), (*ankle[:3], 0.032), heel], M.SHOES, far)

    def arm(self, side: int, far: int = 0) -> None:
        person, joints = self.person, self.pose.arms[side]
        self.easel.limb(joints, M.SKIN, far)
        if person.sleeves:
            slack = [(x, y, z, r + person.fit / 2500 + 0.003) for x, y, z, r in joints]
            self.easel.limb(upper_part(slack, person.sleeves / 100 * 0.86), M.SLEEVE, far, cut=True)

    def lower_trunk(self) -> None:
        person = self.person
        if person.bottom == "skirt":
            hem = self.crotch * (1 - person.bottom_length / 100)
            self.hanging(self.waist, hem, 0.006, person.bottom_width / 1000 - 0.09, M.LOWER)
        else:
            self.easel.barrel(self.sections(self.waist, self.crotch - 0.015, 0.004), M.LOWER)

    def upper_trunk(self) -> None:
        person, easel, neck = self.person, self.easel, self.neck
        hem, fit, z = self.crotch + HEMS[person.hem], person.fit / 1000, self.sway(neck)
        easel.limb([(0, neck + 0.045, z, 0.030), (0, neck - 0.01, z, 0.034)], M.SKIN)
        self.hanging(neck + 0.006, hem, fit, 0.02 + fit if HEMS[person.hem] < 0 else 0.0, M.UPPER)
        front = 0.07 + fit
        if self.facing and person.front != "closed":
            top, low, material = (0.016, 0.040, M.INNER) if person.front == "open" else (0.005, 0.005, M.ZIP)
            easel.patch([(-top, neck - 0.004, front), (top, neck - 0.004, front), (low, hem, front), (-low, hem, front)], material)
        if person.upper.pattern.startswith("logo") and (self.facing or self.averted):
            self.logo(person.upper.pattern, front if self.facing else -front)

    def hanging(self, top: float, hem: float, extra: float, flare: float, material: int) -> None:
        """A garment round the trunk that hangs over the legs below the hips, wider by `flare` at its hem."""
        hips = self.crotch + 0.02
        sections, reaches = [], []
        for y, width, depth, z in self.sections(top, hem, extra):
            wider = flare * max(0.0, hips - y) / max(0.01, hips - hem)
            sections.append((y, width + wider, depth + wider, z))
            middle = self.easel.at(0, y, z)[0]
            reaches.append(self.reach(y) if y < hips else (middle, middle))
        self.easel.barrel(sections, material, reaches)

    def reach(self, height: float) -> tuple[float, float]:
        """Pixels, leftmost and rightmost, of the legs at a height: what hangs over them cannot be narrower."""
        middle = self.easel.at(0, height, 0)[0]
        left, right = middle, middle
        for joints in self.pose.legs.values():
            for (xa, ya, za, ra), (xb, yb, zb, rb) in pairwise(joints):
                if ya >= height >= yb:
                    t = (ya - height) / (ya - yb) if ya > yb else 0.0
                    x = self.easel.at(xa + (xb - xa) * t, height, za + (zb - za) * t)[0]
                    r = (ra + (rb - ra) * t + 0.008) * self.easel.scale
                    left, right = min(left, x - r), max(right, x + r)
        return left, right

    def logo(self, shape: str, z: float) -> None:
        """A print on chest and back."""
        easel, y, size = self.easel, self.neck - 0.135, 0.058
        if shape == "logo-disc":
            (px, py), half = easel.at(0, y, z), easel.half(size, 0)
            easel.disc(px, py, half, size * easel.scale, M.UPPER_MARK)
            return
        bars = [(size, size)] if shape == "logo-square" else [(size * 1.3, size * 0.35), (size * 0.35, size * 1.3)]
        for w, h in bars:
            easel.patch([(-w, y + h, z), (w, y + h, z), (w, y - h, z), (-w, y - h, z)], M.UPPER_MARK)

    def patterned(self) -> None:
        """Marks the cloths. A pattern hangs on the body: it moves, leans and turns with it."""
        easel, person, parts = self.easel, self.person, self.easel.canvas
        front = 1 if easel.cos >= 0 else -1
        garments = (
            (person.upper.pattern, self.neck, 0.07, ((M.UPPER, M.UPPER_MARK), (M.SLEEVE, M.SLEEVE_MARK))),
            (person.lower.pattern, self.waist, 0.06, ((M.LOWER, M.LOWER_MARK),)),
            (person.extra.pattern, self.neck - 0.02, 0.0, ((M.BAG, M.BAG_MARK),)),
        )
        material = parts % SHADE
        columns, rows = (np.arange(n, dtype=np.int32) for n in parts.shape[::-1])
        for pattern, top, depth, pairs in garments:
            x, y = easel.at(0, top, depth * front)
            u = (columns - int(x))[None] * (front * 1000) // int(easel.scale * easel.stretch)
            v = (rows - int(y))[:, None] * 1000 // int(easel.scale)
            mask = marked(pattern, u, v)
            if mask.any():
                for ground, mark in pairs:
                    parts[(material == ground) & mask] += mark - ground
