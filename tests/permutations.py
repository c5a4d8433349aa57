"""Writes a small rand_perm_cam.mat, as in the archive of SYSU-MM01, for a data set in its layout."""

from pathlib import Path

import numpy as np
from scipy.io import savemat

CAMERAS, TRIALS = 6, 10


def permutations_of(root: Path, seed: int = 0) -> list[list[np.ndarray]]:
    """For each camera and each number of an identity, a (10, n) matrix of permutations of 1 … n for n files on disk."""
    draw = np.random.default_rng(seed)
    most = max(int(folder.name) for folder in root.glob("cam*/*"))
    number = [[len(list((root / f"cam{c}" / f"{i:04d}").glob("*.jpg"))) for i in range(1, most + 1)] for c in range(1, CAMERAS + 1)]
    orders = [[[draw.permutation(n) + 1 for _ in range(TRIALS)] for n in of_camera] for of_camera in number]
    return [[np.array(rows, np.float64).reshape(TRIALS, -1) for rows in of_camera] for of_camera in orders]


def cells(contents: list) -> np.ndarray:
    """A column of MATLAB cells."""
    found = np.empty((len(contents), 1), dtype=object)
    for place, content in enumerate(contents):
        found[place, 0] = content
    return found


def write_permutations(root: Path, matrices: list[list[np.ndarray]], file: str = "exp/rand_perm_cam.mat", **options) -> Path:
    """The file with these matrices; options: those of scipy.io.savemat."""
    savemat(root / file, {"other": 1.0, "rand_perm_cam": cells([cells(camera) for camera in matrices])}, **options)
    return root / file
