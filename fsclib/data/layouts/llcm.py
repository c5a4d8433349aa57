"""LLCM (Zhang & Wang, CVPR 2023): nine cameras in low light, each visible and near-infrared.

idx/train_vis.txt and idx/train_nir.txt contain lines `path label`, idx/test_id.txt the test identities; test images are in
test_{vis,nir}/cam{1..9}/{ID:04d}/. The camera is part of a training image's name (_c06_) and of a test image's folder. Camera 3
has no near-infrared test images, and an identity need not appear on every camera.
"""

import re
from pathlib import Path

import pandas as pd

from fsclib.config.specs import LLCM, DatasetSpec
from fsclib.data.layouts.folders import camera_images
from fsclib.data.layouts.listing import existing, has_folder, read_ids, read_images
from fsclib.data.records import INFRARED, MISNAMED, VISIBLE, Problem, table

TRAINING = {"idx/train_vis.txt": VISIBLE, "idx/train_nir.txt": INFRARED}
TEST_INDEX = "idx/test_id.txt"
TEST_FOLDERS = {"test_vis": VISIBLE, "test_nir": INFRARED}
DARK = ("test_nir", 3)  # every other camera has test images of both modalities
CAMERA_IN_NAME = re.compile(r"_c(\d{1,3})_")
TREE = "vis, nir, test_vis and test_nir with .jpg images, and idx/train_vis.txt, train_nir.txt and test_id.txt"


def training_index(trial: int = 1) -> str:
    return "idx/train_vis.txt and idx/train_nir.txt"


def retrieval_index(trial: int = 1) -> str:
    return TEST_INDEX


def read(root: Path, trial: int = 1, spec: DatasetSpec = LLCM) -> tuple[pd.DataFrame, list[Problem]]:
    """Records of a folder with LLCM's layout and its problems. There is one split: `trial` has no effect."""
    problems: list[Problem] = []
    if (present := existing(root, [*TRAINING, TEST_INDEX], problems, spec, TREE)) is None:
        return table([]), problems
    training = read_images(root, [index for index in TRAINING if index in present], problems)
    rows = [(path, label, _camera(path), TRAINING[index], "train") for index, path, label in training]

    listed = read_ids(root, TEST_INDEX, problems) if TEST_INDEX in present else {}
    folders = [folder for folder in TEST_FOLDERS if has_folder(root, folder, problems)]
    if len(folders) == len(TEST_FOLDERS):
        _compare_cameras(root, spec, problems)
    found_somewhere: set[int] = set()
    for folder in folders:
        seen = {
            camera: camera_images(root, f"{folder}/cam{camera}", listed, problems, may_be_empty=(folder, camera) == DARK)
            for camera in spec.cameras[TEST_FOLDERS[folder]]
        }
        for identity in sorted(listed):
            for camera, (images, misnamed) in seen.items():
                paths = images.get(identity, [])
                rows += [(path, identity, camera, TEST_FOLDERS[folder], "test") for path in paths]
                found_somewhere.update([identity] * (bool(paths) or identity in misnamed))
    for identity in sorted(listed.keys() - found_somewhere):
        found = f"identity {identity} has no image in test_vis/cam*/{identity:04d} or test_nir/cam*/{identity:04d}"
        fix = "restore its folders or remove it from the list"
        problems.append(Problem(TEST_INDEX, listed[identity], found, fix, "missing identity"))
    return table(rows), problems


def _compare_cameras(root: Path, spec: DatasetSpec, problems: list[Problem]) -> None:
    """Reports cameras missing in one modality only, which would reduce the test set; a small corpus may lack a camera in both."""
    for camera in spec.cameras[VISIBLE]:
        lost: list[Problem] = []
        exists = [has_folder(root, f"{folder}/cam{camera}", lost) for folder in TEST_FOLDERS if (folder, camera) != DARK]
        problems += lost if any(exists) else [problem for problem in lost if problem.kind == MISNAMED]


def _camera(path: str) -> int:
    """Camera of a training image, 0 if its name does not contain it."""
    match = CAMERA_IN_NAME.search(path.rsplit("/", 1)[-1])
    return int(match[1]) if match else 0
