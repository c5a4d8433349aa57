"""RegDB (Nguyen et al., Sensors 2017): 412 people, one visible and one thermal camera, ten images each.

idx/{train,test}_{visible,thermal}_{trial}.txt, trial 1 … 10, contain lines `relative/path label`. Each trial is a 206/206
split that needs its own model; equal training and test labels of a trial are different people.
"""

from pathlib import Path

import pandas as pd

from fsclib.config.specs import REGDB, DatasetSpec
from fsclib.data.layouts.listing import existing, read_images
from fsclib.data.records import INFRARED, VISIBLE, Problem, table

TREE = "Visible and Thermal with .bmp images, and idx/train_visible_1.txt … idx/test_thermal_10.txt"


def training_index(trial: int = 1) -> str:
    return f"idx/train_visible_{trial}.txt and idx/train_thermal_{trial}.txt"


def retrieval_index(trial: int = 1) -> str:
    return f"idx/test_visible_{trial}.txt and idx/test_thermal_{trial}.txt"


def read(root: Path, trial: int = 1, spec: DatasetSpec = REGDB) -> tuple[pd.DataFrame, list[Problem]]:
    """Records of one trial of a folder with RegDB's layout and its problems. ValueError if it has no such trial."""
    if problem := spec.trial_problem(trial):
        raise ValueError(f"trial of {spec.title}: {problem}")
    indexes = {
        f"idx/{split}_{name}_{int(trial)}.txt": (spec.cameras[modality][0], modality, split)
        for split in ("train", "test")
        for name, modality in (("visible", VISIBLE), ("thermal", INFRARED))
    }
    problems: list[Problem] = []
    if (present := existing(root, list(indexes), problems, spec, TREE)) is None:
        return table([]), problems
    images = read_images(root, present, problems)
    return table([(path, label, *indexes[index]) for index, path, label in images]), problems
