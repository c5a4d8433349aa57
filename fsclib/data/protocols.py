"""Who is searched for among whom: the retrieval protocols of each layout, as rows of its records.

Trial t draws its gallery as the published programs do: random.seed(t), then for each identity ascending and each camera
ascending random.choice(sorted(files)), where there are files. The original MATLAB evaluation of SYSU-MM01 uses a fixed
permutation file instead, and its galleries differ.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fsclib.data import llcm, sysu
from fsclib.data.records import INFRARED, VISIBLE, select


@dataclass(frozen=True)
class Protocol:
    """One way to be tested. `scoring` is the protocol that metrics.evaluate gets: which entries a query may not see.

    direction: "vis2ir" (visible queries) or "ir2vis". trials: galleries drawn for one model, trial = 0 … trials - 1; one
    with RegDB, whose own ten trials are splits with a model each.
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
    """Protocols of "sysu", "regdb" or "llcm", the default one of the data set first. ValueError for another layout."""
    found = [protocol for protocol in PROTOCOLS if protocol.layout == layout]
    if not found:
        layouts = ", ".join(dict.fromkeys(protocol.layout for protocol in PROTOCOLS))
        raise ValueError(f"no protocol for layout {layout!r}, expected one of {layouts}")
    return found


def gallery_draw(records: pd.DataFrame, trial: int, cameras: Iterable[int], modality: str = VISIBLE) -> np.ndarray:
    """One random test image for each (identity, camera) that has any: rows, (G,) int64, by identity, then camera.

    trial seeds the draw, 0 or more; the same trial draws the same gallery, and the state of `random` is left alone.
    """
    if trial < 0:
        raise ValueError(f"gallery trial is {trial}, expected 0 or more")  # random.seed(-t) would repeat trial t
    draw = random.Random(int(trial))
    rows = select(records, "test", modality)
    images = records.iloc[rows][["identity", "camera", "path"]].assign(row=rows)
    images = images[images["camera"].isin(list(cameras))].sort_values("path")
    shots = [draw.choice(files.tolist()) for _, files in images.groupby(["identity", "camera"])["row"]]
    return np.array(shots, dtype=np.int64)


def query_and_gallery(records: pd.DataFrame, protocol: Protocol, trial: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Query rows (Q,) and gallery rows (G,), int64, of gallery `trial` under a protocol; both of split "test".

    In llcm / as-coded the rows called queries are infrared: the published program draws one infrared image for each
    (identity, camera), takes every visible image, and swaps the two before it scores.
    """
    if trial not in range(protocol.trials):
        raise ValueError(f"gallery trial is {trial!r}, expected 0 to {protocol.trials - 1} for {protocol}")
    query, gallery = (VISIBLE, INFRARED) if protocol.direction == "vis2ir" else (INFRARED, VISIBLE)
    if protocol.layout == "regdb":
        return select(records, "test", query), select(records, "test", gallery)
    if protocol.layout == "sysu":
        return select(records, "test", query), gallery_draw(records, trial, SYSU_GALLERY[protocol.mode], gallery)
    if protocol.mode == "as-coded":
        return gallery_draw(records, trial, llcm.CAMERAS, INFRARED), select(records, "test", VISIBLE)
    return select(records, "test", query), gallery_draw(records, trial, llcm.CAMERAS, gallery)


def held_out(records: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Infrared query rows and visible gallery rows of the held-out training identities: every image of split "val"."""
    query, gallery = select(records, "val", INFRARED), select(records, "val", VISIBLE)
    if not len(query) or not len(gallery):
        raise ValueError("no held-out identities in both modalities; mark some with records.hold_out(records, seed) first")
    return query, gallery


def training_rows(records: pd.DataFrame, include_val: bool) -> np.ndarray:
    """Rows to train on, (N,) int64: split "train", and "val" too unless those identities are held out."""
    return select(records, ("train", "val") if include_val else "train")
