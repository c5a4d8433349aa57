"""The retrieval protocols of each layout: queries and galleries, as rows of its records.

Trial t draws its gallery as the published programs do: random.seed(t), then random.choice(sorted(files)) for each identity and
each camera in ascending order, if there are files. The original MATLAB evaluation of SYSU-MM01 uses a fixed permutation file
instead, so its galleries differ.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fsclib.data.layouts import llcm, sysu
from fsclib.data.records import INFRARED, VISIBLE, select


@dataclass(frozen=True)
class Protocol:
    """A retrieval protocol. `scoring` is the protocol passed to metrics.evaluate, which determines the entries hidden from a query.

    direction: "vis2ir" (visible queries) or "ir2vis". trials: number of galleries drawn for one model, trial = 0 … trials - 1; one
    for RegDB, whose own ten trials are splits with one model each.
    """

    layout: str
    mode: str
    direction: str
    scoring: str
    trials: int


PROTOCOLS = (
    Protocol("sysu", "all", "ir2vis", "sysu", 10),
    Protocol("sysu", "indoor", "ir2vis", "sysu", 10),
    Protocol("regdb", "", "vis2ir", "regdb", 1),
    Protocol("regdb", "", "ir2vis", "regdb", 1),
    Protocol("llcm", "paper", "vis2ir", "llcm", 10),
    Protocol("llcm", "paper", "ir2vis", "llcm", 10),
    Protocol("llcm", "as-coded", "vis2ir", "llcm", 10),
)
DIRECTIONS = {"ir2vis": "infrared → visible", "vis2ir": "visible → infrared"}
SYSU_GALLERY = {"all": sysu.VISIBLE_CAMERAS, "indoor": (1, 2)}


def for_layout(layout: str) -> list[Protocol]:
    """Protocols of "sysu", "regdb" or "llcm", the data set's default first. ValueError for another layout."""
    found = [protocol for protocol in PROTOCOLS if protocol.layout == layout]
    if not found:
        layouts = ", ".join(dict.fromkeys(protocol.layout for protocol in PROTOCOLS))
        raise ValueError(f"no protocol for layout {layout!r}, expected one of {layouts}")
    return found


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

    In llcm / as-coded the queries are infrared: the published program draws one infrared image per (identity, camera), takes
    every visible image, and swaps the two before scoring.
    """
    if trial not in range(protocol.trials):
        raise ValueError(f"gallery trial is {trial!r}, expected 0 to {protocol.trials - 1} for {protocol}")
    query, gallery = (VISIBLE, INFRARED) if protocol.direction == "vis2ir" else (INFRARED, VISIBLE)
    if protocol.layout == "regdb":
        return select(records, split, query), select(records, split, gallery)
    if protocol.layout == "sysu":
        return select(records, split, query), gallery_draw(records, trial, SYSU_GALLERY[protocol.mode], gallery, split)
    if protocol.mode == "as-coded":
        return gallery_draw(records, trial, llcm.CAMERAS, INFRARED, split), select(records, split, VISIBLE)
    return select(records, split, query), gallery_draw(records, trial, llcm.CAMERAS, gallery, split)


def validation(layout: str) -> Protocol:
    """The protocol for validation: the layout's first one from infrared to visible."""
    return next(protocol for protocol in for_layout(layout) if protocol.direction == "ir2vis")


def training_rows(records: pd.DataFrame, include_val: bool) -> np.ndarray:
    """Training rows, (N,) int64: split "train", and also "val" unless those identities are held out."""
    return select(records, ("train", "val") if include_val else "train")
