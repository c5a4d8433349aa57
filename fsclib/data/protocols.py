"""Queries and galleries of a retrieval protocol, as rows of a data set's records.

Trial t draws its gallery as the published programs do: random.seed(t), then random.choice(sorted(files)) for each identity and
each camera in ascending order, if there are files. The original MATLAB evaluation of SYSU-MM01 uses a fixed permutation file
instead, so its galleries differ.
"""

import random
from collections.abc import Iterable

import numpy as np
import pandas as pd

from fsclib.config.specs import Protocol
from fsclib.data.records import INFRARED, VISIBLE, select

DIRECTIONS = {"ir2vis": "infrared → visible", "vis2ir": "visible → infrared"}


def gallery_draw(
    records: pd.DataFrame, trial: int, cameras: Iterable[int], modality: str = VISIBLE, split: str = "test"
) -> np.ndarray:
    """One random image per (identity, camera) of a split, if there is one: rows, (G,) int64, by identity, then camera.

    trial: seed of the draw, at least 0; the same trial draws the same gallery. The global state of `random` is not changed.
    """
    if trial < 0:
        raise ValueError(f"gallery trial is {trial}, expected 0 or more")  # random.seed(-t) equals random.seed(t)
    draw = random.Random(int(trial))
    rows = select(records, split, modality)
    images = records.iloc[rows][["identity", "camera", "path"]].assign(row=rows)
    images = images[images["camera"].isin(list(cameras))].sort_values("path")
    shots = [draw.choice(files.tolist()) for _, files in images.groupby(["identity", "camera"])["row"]]
    return np.array(shots, dtype=np.int64)


def query_and_gallery(
    records: pd.DataFrame, protocol: Protocol, trial: int = 0, split: str = "test"
) -> tuple[np.ndarray, np.ndarray]:
    """Query rows (Q,) and gallery rows (G,), int64, of gallery `trial` under a protocol; both from one split, "test" or "val".

    LLCM's as-coded protocol is swapped, so its queries are infrared: the published program draws one infrared image per
    (identity, camera), takes every visible image, and swaps the two before scoring.
    """
    if trial not in range(protocol.trials):
        raise ValueError(f"gallery trial is {trial!r}, expected 0 to {protocol.trials - 1} for {protocol}")
    queries, searched = (VISIBLE, INFRARED) if protocol.direction == "vis2ir" else (INFRARED, VISIBLE)
    query = select(records, split, queries)
    if protocol.cameras:
        gallery = gallery_draw(records, trial, protocol.cameras, searched, split)
    else:
        gallery = select(records, split, searched)
    return (gallery, query) if protocol.swapped else (query, gallery)


def training_rows(records: pd.DataFrame, include_val: bool) -> np.ndarray:
    """Training rows, (N,) int64: split "train", and also "val" unless those identities are held out."""
    return select(records, ("train", "val") if include_val else "train")
