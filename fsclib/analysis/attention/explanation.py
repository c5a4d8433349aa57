"""Attention maps of a run's test images, and the references that each image is compared with.

References come from the other modality: the match, the hardest wrong match, and the person's centroid; never the image itself.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fsclib.analysis.attention.maps import Attention, eigen_cam, grad_cam, unit_rows
from fsclib.analysis.attention.subjects import Subject
from fsclib.data.augment import normalise
from fsclib.data.batches import by_modality
from fsclib.data.records import MODALITIES, select
from fsclib.retrieval.features import similarity
from fsclib.retrieval.search import unseen_by
from fsclib.system.device import device_of

BATCH = 32  # images whose gradients are held at once


def partners(subject: Subject, rows: np.ndarray) -> pd.DataFrame:
    """References of test images in the other modality: columns row, match and wrong, all records.

    The most similar correct match and the most similar wrong one, by retrieval's similarity (equal weights, with mirror images),
    among the images that a query may see under the data set's protocol. Images without a permitted correct match are left out.
    """
    records, parts = subject.images.records, []
    identity = records["identity"].to_numpy()
    for modality, other in zip(MODALITIES, MODALITIES[::-1], strict=True):
        query = rows[records["modality"].to_numpy()[rows] == modality]
        gallery = select(records, "test", other)
        close = similarity(subject.features.of(query, True), subject.features.of(gallery, True))
        own, unseen = _own(subject, query, gallery)
        wrong = (identity[query, None] != identity[gallery]) & ~unseen
        nearest = (gallery[np.where(allowed, close, -np.inf).argmax(1)] for allowed in (own, wrong))
        found = dict(zip(("row", "match", "wrong"), (query, *nearest), strict=True))
        parts.append(pd.DataFrame(found)[own.any(1)])
    return pd.concat(parts, ignore_index=True)


def references(subject: Subject, chosen: pd.DataFrame) -> dict[str, Tensor]:
    """Embeddings (N, 2·V·D) of match and wrong match of rows of `partners`, and the centroid of the person: the mean over the
    person's permitted images in the other modality, with its parts normalised to length 1.
    """
    records, rows = subject.images.records, chosen["row"].to_numpy()
    centroids = torch.empty_like(subject.rows(rows))
    modality = records["modality"].to_numpy()[rows]
    for side, other in zip(MODALITIES, MODALITIES[::-1], strict=True):
        gallery = select(records, "test", other)
        own = torch.from_numpy(_own(subject, rows[modality == side], gallery)[0]).float()
        means = own @ subject.rows(gallery) / own.sum(1, keepdim=True)
        centroids[torch.from_numpy(modality == side)] = unit_rows(*means.unflatten(1, (2, subject.net.views, -1)).unbind(1))
    return {target: subject.rows(chosen[target].to_numpy()) for target in ("match", "wrong")} | {"centroid": centroids}


def towards(subject: Subject, rows: np.ndarray, others: np.ndarray) -> Attention:
    """Maps of images towards other images, both as records. Errors: ValueError for an image towards itself, whose map is noise."""
    if (same := rows[rows == others]).size:
        raise ValueError(f"found images {same[:10]} compared with themselves: that cosine has no gradient; expected other images")
    return explain(subject, rows, subject.rows(others))


def explain(subject: Subject, rows: np.ndarray, toward: Tensor) -> Attention:
    """Maps of images, given as records, each towards one of the embeddings (N, 2·V·D)."""
    return Attention(*_joined(subject, rows, lambda pixels, side, part: grad_cam(subject.net, pixels, side, toward[part])))


def control(subject: Subject, rows: np.ndarray) -> np.ndarray:
    """EigenCAM of images, given as records: (M, N, h, w)."""
    return _joined(subject, rows, lambda pixels, side, part: [eigen_cam(subject.net, pixels, side)])[0]


def _joined(subject: Subject, rows: np.ndarray, call: Callable[[Tensor, str, Tensor], Sequence[np.ndarray]]) -> list[np.ndarray]:
    """Joins what `call` returns for pixels, modality and positions of each batch: arrays with images second, in order of rows."""
    device, found, parts = device_of(subject.run.config.device), [], []
    for side, part in by_modality(subject.images.records.iloc[rows], np.arange(len(rows)), BATCH):
        pixels = normalise(torch.from_numpy(subject.images.take(rows[part])).to(device))
        found.append(call(pixels, side, torch.from_numpy(part)))
        parts.append(part)
    back = np.argsort(np.concatenate(parts))
    return [np.concatenate(arrays, 1)[:, back] for arrays in zip(*found, strict=True)]


def _own(subject: Subject, query: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which gallery images are permitted and show the query's person, and which are hidden from the query: (Q, G) bool each."""
    records = subject.images.records
    unseen = unseen_by(records, query, gallery, subject.images.protocols[0].scoring)
    identity = records["identity"].to_numpy()
    return (identity[query, None] == identity[gallery]) & ~unseen, unseen
