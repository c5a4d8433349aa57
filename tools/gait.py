"""Joint angles of a walk, and linear blend skinning, to pose the meshes of the bank of bodies.

Axes of the mesh: x to the person's left, y backwards, z up, metres; a positive rotation about x moves hanging limbs backwards.
Angles of the lower limbs follow the normative curves of gait analysis (Winter, Biomechanics and Motor Control of Human Movement,
2009), read off coarsely: heel strike of a foot is at phase 0 of its side, toe-off at about 0.62.
"""

import numpy as np

# degrees of flexion by phase of the gait cycle; periodic, interpolated by a smooth curve
HIP = {0.0: 28, 0.12: 24, 0.3: 6, 0.5: -11, 0.62: -3, 0.75: 22, 0.87: 31}
KNEE = {0.0: 4, 0.13: 17, 0.38: 5, 0.5: 10, 0.62: 36, 0.73: 60, 0.87: 28, 0.96: 4}
ANKLE = {0.0: 0, 0.08: -6, 0.3: 6, 0.46: 9, 0.63: -17, 0.78: 0, 0.9: 1}
# shoulder and elbow: amplitude and mean
ARMS = {"swinging": (23.0, -2.0, 20.0, 12.0), "hanging": (3.0, 0.0, 9.0, 2.0)}
ADDUCTION = {"swinging": 36.0, "hanging": 38.0}  # from the rest pose, whose arms are raised by about 42°
STANCE = 5.0  # degrees of leg adduction from the rest pose


def periodic(table: dict[float, float], phase: float) -> float:
    """Trigonometric least-squares fit to a table over one period, three harmonics."""
    at = np.array(list(table))

    def terms(x: np.ndarray) -> np.ndarray:
        return np.stack([np.ones_like(x), *(f(2 * np.pi * k * x) for k in (1, 2, 3) for f in (np.cos, np.sin))], -1)

    smooth = np.diag([0, *(0.02 * k**2 for k in (1, 1, 2, 2, 3, 3))])  # keeps the curve from oscillating between the points
    design = terms(at)
    weights = np.linalg.solve(design.T @ design + smooth, design.T @ np.array(list(table.values()), float))
    return float(terms(np.array(phase)) @ weights)


def rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """(3, 3) rotation about a unit vector, right-handed."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def walk(phase: float | None, arms: str, heads: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rotation of each moving bone, in the axes of the rest pose; phase None: standing.

    heads: the bones' heads at rest, (3,).
    """
    x, y, z = np.eye(3)
    still, phase = phase is None, phase or 0.0
    bones = {
        "root": rotation(z, -4 * np.cos(2 * np.pi * phase)) @ rotation(y, 2.5 * np.sin(2 * np.pi * phase)),
        "spine03": rotation(z, 5 * np.cos(2 * np.pi * phase)),
        "spine01": rotation(z, 4 * np.cos(2 * np.pi * phase)) @ rotation(x, 2),
        "neck02": rotation(z, -5 * np.cos(2 * np.pi * phase)),
    }
    swing, forward, bend, swing_bend = ARMS[arms]
    if still:
        bones, swing, swing_bend = {}, 0.0, 0.0
    for side, sign, own in (("L", 1, phase), ("R", -1, phase + 0.5)):
        bones[f"upperleg01.{side}"] = rotation(y, sign * STANCE) @ rotation(x, -2 if still else -periodic(HIP, own))
        bones[f"lowerleg01.{side}"] = rotation(x, 4 if still else periodic(KNEE, own))
        bones[f"foot.{side}"] = rotation(x, -2 if still else -periodic(ANKLE, own) - 2)
        against = np.cos(2 * np.pi * (own + 0.5 - 0.04))  # an arm swings with the opposite leg, a little later
        flexion = forward + swing * against
        bones[f"shoulder01.{side}"] = rotation(y, sign * 6)
        bones[f"upperarm01.{side}"] = rotation(x, -flexion) @ rotation(y, sign * (ADDUCTION[arms] - 2))
        upper = heads[f"lowerarm01.{side}"] - heads[f"upperarm01.{side}"]
        fore = heads[f"wrist.{side}"] - heads[f"lowerarm01.{side}"]
        hinge = np.cross(upper, fore)
        at_rest = np.degrees(np.arccos(upper @ fore / np.linalg.norm(upper) / np.linalg.norm(fore)))
        bones[f"lowerarm01.{side}"] = rotation(hinge, bend + swing_bend * max(against, 0) - at_rest)
    return bones


def skin(
    vertices: np.ndarray, heads: np.ndarray, parents: list[int], turns: dict[int, np.ndarray], weights: np.ndarray
) -> np.ndarray:
    """Linear blend skinning: vertices (V, 3) at rest, bone heads (B, 3), weights (V, B) → posed vertices (V, 3)."""
    linear, offset = np.empty((len(parents), 3, 3)), np.empty((len(parents), 3))
    for bone, parent in enumerate(parents):
        turn = turns.get(bone, np.eye(3))
        own_offset = heads[bone] - turn @ heads[bone]
        if parent < 0:
            linear[bone], offset[bone] = turn, own_offset
        else:
            linear[bone], offset[bone] = linear[parent] @ turn, linear[parent] @ own_offset + offset[parent]
    posed = np.einsum("bij,vj->vbi", linear, vertices) + offset
    return np.einsum("vb,vbi->vi", weights, posed)
