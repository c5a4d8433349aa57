"""RegDB (Nguyen et al., Sensors 2017): 412 people, one visible and one thermal camera, ten images each.

idx/{train,test}_{visible,thermal}_{trial}.txt, trial 1 … 10, contain lines `relative/path label`. Each trial is a 206/206
split that needs its own model; equal training and test labels of a trial are different people.
"""

from pathlib import Path

import pandas as pd

from fsclib.data.layouts.listing import Source, read_images
from fsclib.data.records import INFRARED, VISIBLE, Problem, table

TRIALS = range(1, 11)
SOURCE = Source(
    "regdb",
    "RegDB",
    "Dongguk University",
    "Visible and Thermal with .bmp images, and idx/train_visible_1.txt … idx/test_thermal_10.txt",
)


def training_index(trial: int = 1) -> str:
    return f"idx/train_visible_{trial}.txt and idx/train_thermal_{trial}.txt"


def retrieval_index(trial: int = 1) -> str:
    return f"idx/test_visible_{trial}.txt and idx/test_thermal_{trial}.txt"


def read(root: Path, trial: int = 1) -> tuple[pd.DataFrame, list[Problem]]:
    """Records of one trial of a RegDB folder and its problems. ValueError if trial is not 1 … 10."""
    if trial not in TRIALS:
        raise ValueError(f"RegDB trial is {trial!r}, expected a whole number from 1 to 10: pass the number of one of its splits")
    trial = int(trial)
    names = (("visible", VISIBLE, 1), ("thermal", INFRARED, 2))
    indexes = {
        f"idx/{split}_{name}_{trial}.txt": (camera, modality, split)
        for split in ("train", "test")
        for name, modality, camera in names
    }
    problems: list[Problem] = []
    if not (present := SOURCE.present(root, list(indexes), problems)):
        return table([]), problems
    images = read_images(root, present, problems)
    return table([(path, label, *indexes[index]) for index, path, label in images]), problems
