"""Random points for the tests of embedding analyses."""

import numpy as np
import torch
import torch.nn.functional as F

from fsclib.analysis.embedding_space.points import Points

CAMERAS = {"sysu": ((1, 2, 4, 5), (3, 6)), "regdb": ((1,), (2,)), "llcm": ((1, 2, 3), (1, 2))}


def points(people=6, each=2, scoring="llcm", size=16, person=1.0, shift=0.0, noise=0.3, seed=0):
    """Random unit vectors of each person in each camera, shuffled: a centre per person, plus noise, with infrared shifted."""
    rng = np.random.default_rng(seed)
    labels = [
        (7 + who, camera, modality)
        for who in range(people)
        for modality, cameras in zip(("visible", "infrared"), CAMERAS[scoring], strict=True)
        for camera in cameras
        for _ in range(each)
    ]
    identity, camera, modality = (np.array(part) for part in zip(*(labels[i] for i in rng.permutation(len(labels))), strict=True))
    vectors = person * rng.normal(size=(people, size))[identity - 7] + noise * rng.normal(size=(len(labels), size))
    vectors[modality == "infrared", 0] += shift
    unit = F.normalize(torch.tensor(vectors, dtype=torch.float32), dim=1)
    return Points(unit, identity, camera, modality, scoring)


def unseen(found, i, j):
    """Whether the protocols exclude comparing points i and j."""
    same, camera = found.identity[i] == found.identity[j], found.camera[i] == found.camera[j]
    if found.modality[i] == found.modality[j]:
        return same and camera
    if found.scoring == "sysu":
        return {found.camera[i], found.camera[j]} == {2, 3}
    return same and camera and found.scoring == "llcm"
