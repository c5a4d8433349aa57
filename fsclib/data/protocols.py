"""Queries and galleries of a retrieval protocol, as rows of a data set's records.

Trial t draws its gallery as the published programs do: random.seed(t), then random.choice(sorted(files)) for each identity and
each camera in ascending order, if there are files. Multi-shot galleries are drawn in the same order by
random.sample(sorted(files), min(10, len(files))). The original MATLAB evaluation of SYSU-MM01 (Wu et al., ICCV 2017) fixes its
galleries by permutations instead: for each visible camera and identity it takes the first image, or the first ten, of row t + 1.
"""

import random
from collections.abc import Iterable

import numpy as np
import pandas as pd

from fsclib.config.specs import Protocol
from fsclib.data.layouts.permutations import Permutations
from fsclib.data.records import INFRARED, VISIBLE, select

DIRECTIONS = {"ir2vis": "infrared → visible", "vis2ir": "visible → infrared"}


def gallery_draw(
    records: pd.DataFrame, trial: int, cameras: Iterable[int], modality: str = VISIBLE, split: str = "test", shots: int = 1
) -> np.ndarray:
    """Random images of each (identity, camera) of a split, if there are any: rows, (G,) int64, by identity, then camera.

    trial: seed of the draw, at least 0; the same trial draws the same gallery. The global state of `random` is not changed.
    shots: images per identity and camera; with fewer images all of them, in random order.
    """
    if trial < 0:
        raise ValueError(f"gallery trial is {trial}, expected 0 or more")  # random.seed(-t) equals random.seed(t)
    draw = random.Random(int(trial))
    rows = select(records, split, modality)
    images = records.iloc[rows][["identity", "camera", "path"]].assign(row=rows)
    images = images[images["camera"].isin(list(cameras))].sort_values("path")
    files = [group.tolist() for _, group in images.groupby(["identity", "camera"])["row"]]
    if shots == 1:  # choice and sample consume the random numbers differently
        return np.array([draw.choice(each) for each in files], dtype=np.int64)
    return np.array([row for each in files for row in draw.sample(each, min(shots, len(each)))], dtype=np.int64)


def official_gallery(records: pd.DataFrame, protocol: Protocol, trial: int, permutations: Permutations) -> np.ndarray:
    """The first images of each (identity, camera) in the permutations of a trial: rows, (G,) int64, by identity, then camera.

    Images that are missing from the records, because they are broken, are passed over.
    """
    row = dict(zip(records["path"].tolist(), range(len(records)), strict=True))
    found: list[int] = []
    for (_, camera), orders in sorted(permutations.items()):
        if camera in protocol.cameras:
            found += [row[path] for path in orders[trial] if path in row][: protocol.shots]
    return np.array(found, dtype=np.int64)


def query_and_gallery(
    records: pd.DataFrame, protocol: Protocol, trial: int = 0, split: str = "test", permutations: Permutations | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Query rows (Q,) and gallery rows (G,), int64, of gallery `trial` under a protocol; both from one split, "test" or "val".

    LLCM's as-coded protocol is swapped, so its queries are infrared: the published program draws one infrared image per
    (identity, camera), takes every visible image, and swaps the two before scoring. permutations: those of the data set, which
    official protocols need; they cover the test split only.
    """
    if trial not in range(protocol.trials):
        raise ValueError(f"gallery trial is {trial!r}, expected 0 to {protocol.trials - 1} for {protocol}")
    queries, searched = (VISIBLE, INFRARED) if protocol.direction == "vis2ir" else (INFRARED, VISIBLE)
    query = select(records, split, queries)
    if protocol.official:
        if not permutations or split != "test":
            found = f"split {split!r}" if permutations else "no permutations"
            raise ValueError(f"{protocol}: found {found}, expected the test split and the data set's official permutations")
        gallery = official_gallery(records, protocol, trial, permutations)
    elif protocol.cameras:
        gallery = gallery_draw(records, trial, protocol.cameras, searched, split, protocol.shots)
    else:
        gallery = select(records, split, searched)
    return (gallery, query) if protocol.swapped else (query, gallery)


def training_rows(records: pd.DataFrame, include_val: bool) -> np.ndarray:
    """Training rows, (N,) int64: split "train", and also "val" unless those identities are held out."""
    return select(records, ("train", "val") if include_val else "train")
