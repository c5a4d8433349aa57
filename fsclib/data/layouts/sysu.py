"""SYSU-MM01 (Wu et al., ICCV 2017): six cameras, cam{1..6}/{ID:04d}/{NNNN}.jpg; 3 and 6 are infrared.

exp/{train,val,test}_id.txt list the identities. Training is train ∪ val, sorted by identity, then camera; an identity need
not appear on every camera.
"""

from pathlib import Path

import pandas as pd

from fsclib.config.specs import SYSU, DatasetSpec
from fsclib.data.layouts.folders import camera_images
from fsclib.data.layouts.listing import existing, has_folder, read_ids
from fsclib.data.records import Problem, table

INDEXES = {split: f"exp/{split}_id.txt" for split in ("train", "val", "test")}
TREE = "cam1 … cam6 with a folder of .jpg images for each identity, and exp/train_id.txt, val_id.txt and test_id.txt"


def training_index(trial: int = 1) -> str:
    return "exp/train_id.txt and exp/val_id.txt"


def retrieval_index(trial: int = 1) -> str:
    return INDEXES["test"]


def read(root: Path, trial: int = 1, spec: DatasetSpec = SYSU) -> tuple[pd.DataFrame, list[Problem]]:
    """Records of a folder with SYSU-MM01's layout and its problems. There is one split: `trial` has no effect."""
    problems: list[Problem] = []
    if (present := existing(root, list(INDEXES.values()), problems, spec, TREE)) is None:
        return table([]), problems
    modality_of = {camera: modality for modality, cameras in spec.cameras.items() for camera in cameras}
    cameras = [camera for camera in sorted(modality_of) if has_folder(root, f"cam{camera}", problems)]
    listed: dict[int, tuple[str, int]] = {}  # identity → its split and the line that lists it
    for split, index in INDEXES.items():
        if index not in present:
            continue
        for identity, line in read_ids(root, index, problems).items():
            if identity in listed:
                first = f"{INDEXES[listed[identity][0]]}:{listed[identity][1]}"
                found, fix = f"identity {identity} is already at {first}", "an identity belongs to one split; remove one entry"
                problems.append(Problem(index, line, found, fix, "contradiction"))
            else:
                listed[identity] = (split, line)

    seen = {camera: camera_images(root, f"cam{camera}", listed, problems) for camera in cameras}
    misnamed = {identity for camera in seen.values() for identity in camera.misnamed}
    rows: list[tuple[str, int, int, str, str]] = []
    for identity, (split, line) in sorted(listed.items(), key=lambda item: (item[1][0] == "test", item[0])):
        before = len(rows)
        for camera, (images, _) in seen.items():
            rows += [(path, identity, camera, modality_of[camera], split) for path in images.get(identity, [])]
        if len(rows) == before and identity not in misnamed:
            found = f"identity {identity} has no image in cam1/{identity:04d} … cam6/{identity:04d}"
            fix = "restore its folders or remove it from the list"
            problems.append(Problem(INDEXES[split], line, found, fix, "missing identity"))
    return table(rows), problems
