"""A walking person as joints in body coordinates (see easel.py): build and gait of the identity at one moment."""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from fsclib.data.drawing.easel import Joint, cosine, sine
from fsclib.data.drawing.identity import Identity

SIDES = (-1, 1)  # the person's right and left: the sign of x
NECK = 0.832  # height of its root in a person who stands upright


@dataclass(frozen=True)
class Moment:
    """What one image catches of a gait: phase in degrees, effort as a share of the full stride, one forearm lifted."""

    phase: int
    effort: float
    lift: int  # degrees
    lift_side: int


@dataclass(frozen=True)
class Pose:
    """Joints by side, with the radii of the bare limb, and heights above the ground."""

    legs: dict[int, list[Joint]]  # hip, knee, ankle
    feet: dict[int, list[Joint]]  # heel, toe
    arms: dict[int, list[Joint]]  # shoulder, elbow, wrist, hand
    neck: float
    crotch: float
    lean: float  # z per unit of height above the crotch


def pose(person: Identity, moment: Moment) -> Pose:
    """Legs and arms swing in opposition; the body is set down so that its lowest foot touches the ground."""
    crotch, lean = person.legs / 1000, sine(person.stoop)
    legs, feet, arms = {}, {}, {}
    for side in SIDES:
        phase = moment.phase + (180 if side > 0 else 0)
        legs[side], feet[side] = _leg(person, moment, side, phase)
        arms[side] = _arm(person, moment, side, phase, (NECK - crotch) * lean)
    drop = min(y - radius for foot in feet.values() for _, y, _, radius in foot)

    def lowered(limbs: dict[int, list[Joint]]) -> dict[int, list[Joint]]:
        return {side: [(x, y - drop, z, r) for x, y, z, r in joints] for side, joints in limbs.items()}

    return Pose(lowered(legs), lowered(feet), lowered(arms), NECK - drop, crotch - drop, lean)


def _leg(person: Identity, moment: Moment, side: int, phase: int) -> tuple[list[Joint], list[Joint]]:
    """The thigh swings, the knee bends while the leg comes forward."""
    bulk, crotch = person.bulk / 100, person.legs / 1000
    swing = int(person.stride * moment.effort * sine(phase))
    bend = 4 + int(46 * moment.effort * max(0.0, cosine(phase + 20)))
    x, y, z = side * (person.hips / 1000 - 0.05 * bulk), crotch + 0.02, 0.0
    joints = [(x, y, z, 0.054 * bulk)]
    for angle, length, radius in ((swing, crotch * 0.49, 0.042), (swing - bend, crotch * 0.46, 0.028)):
        x, y, z = x + (side * person.stance / 1000 - x) / 2, y - length * cosine(angle), z + length * sine(angle)
        joints.append((x, y, z, radius * bulk))
    pitch = sine((swing - bend) // 2)
    heel = (x, y - 0.018 - 0.02 * pitch, z - 0.022, 0.024)
    toe = (x + side * 0.018, y - 0.026 + 0.09 * pitch, z + 0.082, 0.019)
    return joints, [heel, toe]


def _arm(person: Identity, moment: Moment, side: int, phase: int, z: float) -> list[Joint]:
    """The arm swings against the leg of its side, unless its forearm is lifted."""
    bulk = person.bulk / 100
    lift = moment.lift if moment.lift_side == side else 0
    swing = 0 if lift else -int(person.arm_swing * moment.effort * sine(phase))
    x, y = side * (person.shoulders / 1000 - 0.018), NECK - 0.03
    joints = [(x, y, z, 0.031 * bulk)]
    segments = (
        (swing, person.arm_spread, 0.165, 0.027 * bulk),
        (swing + lift + 14, person.arm_spread // 3, 0.145, 0.020 * bulk),
        (swing + lift + 18, person.arm_spread // 3, 0.05, 0.019),
    )
    for angle, spread, length, radius in segments:
        x, y, z = x + side * length * sine(spread), y - length * cosine(angle), z + length * sine(angle)
        joints.append((x, y, z, radius))
    return joints


def upper_part(joints: list[Joint], share: float, radius: float | None = None) -> list[Joint]:
    """The first `share` of a chain's length, as clothes cover it; `radius` replaces the radius at the cut."""
    spans, length = [], 0.0
    for a, b in pairwise(joints):
        dx, dy, dz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        spans.append(sqrt(dx * dx + dy * dy + dz * dz))
        length += spans[-1]  # sum() rounds otherwise from Python 3.12 on, and pixels would differ
    left, kept = share * length, [joints[0]]
    for (a, b), span in zip(pairwise(joints), spans, strict=True):
        part = min(1.0, left / span)
        x, y, z, r = (p + (q - p) * part for p, q in zip(a, b, strict=True))
        left -= span
        kept.append((x, y, z, r if radius is None or left > 0 else radius))
        if left <= 0:
            break
    return kept
