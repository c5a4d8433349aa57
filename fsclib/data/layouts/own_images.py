"""One's own images: a folder or a table (own_folder, own_table), whose people and cameras may have any names.

Names of people and cameras that are whole numbers are kept, others become 1, 2, … in sorted order; without cameras, visible images
have camera 1 and infrared ones camera 2. If no image has a split, half of the people with images in both modalities are drawn for
training, by the seed `trial`; all other people are for the test, where those with one modality have no match. People who share a
group stay on one side.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from fsclib.config.own import TABLE
from fsclib.config.specs import DatasetSpec
from fsclib.data.layouts import own_folder, own_table
from fsclib.data.records import COLUMNS, INFRARED, NO_TRAINING, OVERLAP, SPLITS, VISIBLE, Problem, seen_by_both, table

LEAST = 4  # people with both modalities: two for training and two for the test
CAMERAS = {VISIBLE: "1", INFRARED: "2"}


def training_index(trial: int = 1) -> str:
    return "the training images"


def retrieval_index(trial: int = 1) -> str:
    return "the test images"


def read(root: Path, trial: int = 1, spec: DatasetSpec | None = None) -> tuple[pd.DataFrame, list[Problem]]:
    """Records of one's own images and their problems. trial: seed of the split, if the images have none."""
    problems: list[Problem] = []
    reader = own_table if root.suffix.lower() == TABLE else own_folder
    images = pd.DataFrame(reader.read(root, problems), columns=[*COLUMNS, "group"], dtype=str)
    if not len(images):
        return table([]), problems
    for column, word in (("split", "split"), ("camera", "camera")):
        without = images[column] == ""
        if without.any() and not without.all():
            found = f"{without.sum()} of {len(images)} images have no {word}, such as {images['path'][without.argmax()]!r}"
            problems.append(Problem(root.name, None, found, f"give every image a {word}, or none", "incomplete column"))
    problems += _overlaps(images, root.name)
    where = images["camera"].where(images["camera"] != "", images["modality"].map(CAMERAS))
    images = images.assign(identity=_numbers(images["identity"]), camera=_numbers(where))
    if (images["split"] == "").all():
        images["split"] = _drawn(images, trial, root, problems)
    images = images[images["split"].isin(SPLITS)]
    return table(list(images[list(COLUMNS)].itertuples(index=False, name=None))), problems


def _numbers(names: pd.Series) -> np.ndarray:
    """The names as whole numbers, (N,) int64; text is numbered from 1 in sorted order."""
    distinct = sorted(set(names))
    numbers = [name for name in distinct if name.isascii() and name.isdigit() and len(name) <= 18]
    if len(set(map(int, numbers))) == len(distinct):  # not both 7 and 007
        return names.map(int).to_numpy(np.int64)
    return names.map({name: number for number, name in enumerate(distinct, 1)}).to_numpy(np.int64)


def _drawn(images: pd.DataFrame, trial: int, root: Path, problems: list[Problem]) -> np.ndarray:
    """A split for each image, "train" or "test"."""
    both = seen_by_both(images)
    if len(both) < LEAST:
        found = f"{len(both)} people have images in both modalities"
        problems.append(Problem(root.name, None, found, f"at least {LEAST} are needed to train and test", NO_TRAINING))
    side = _sides(images)
    eligible = np.unique(side[images["identity"].isin(both)])
    order = np.random.Generator(np.random.PCG64(trial)).permutation(eligible)
    return np.where(np.isin(side, order[: len(order) // 2]), "train", "test")


def _sides(images: pd.DataFrame) -> np.ndarray:
    """A number for each image, (N,), equal for images that must be on one side: of one identity or group, or linked by others."""
    from scipy.sparse import coo_array  # here, since importing it takes longer than opening a data set
    from scipy.sparse.csgraph import connected_components

    identity = np.unique(images["identity"], return_inverse=True)[1]
    alone = "\0" + images["identity"].astype(str)  # without a group, a person is one of their own
    group = np.unique(images["group"].where(images["group"] != "", alone), return_inverse=True)[1]
    people = identity.max() + 1
    links = coo_array((np.ones(len(images)), (identity, people + group)), shape=(people + group.max() + 1,) * 2)
    return connected_components(links, directed=False)[1][identity]


def _overlaps(images: pd.DataFrame, name: str) -> list[Problem]:
    """One problem for people, and one for groups, on both sides of the split: test results on known people mean nothing."""
    problems = []
    known = images[images["split"] != ""].assign(side=images["split"].replace("val", "train"))
    for column, word in (("identity", "people"), ("group", "groups")):
        sides = known[known[column] != ""].groupby(column)["side"].nunique()
        if len(both := sides.index[sides > 1]):
            found = f"{word} with training and test images: {len(both)}, such as {both[0]!r}"
            problems.append(Problem(name, None, found, f"put all images of {word} on one side", OVERLAP))
    return problems
