"""Attention of a run's test images: what each is compared with, and the maps.

References are of the other modality: match, hardest wrong match, and the person's centroid. An image's own embedding is none.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fsclib.attention import Attention, eigen_cam, grad_cam, unit_rows
from fsclib.attention.subjects import Subject
from fsclib.data.augment import normalise
from fsclib.data.batches import by_modality
from fsclib.data.protocols import for_layout
from fsclib.data.records import MODALITIES, select
from fsclib.features import similarity
from fsclib.machine import device_of
from fsclib.retrieval import unseen_by

BATCH = 32  # images whose gradients are held at a time


def partners(subject: Subject, rows: np.ndarray) -> pd.DataFrame:
    """Whom test images are compared with in the other modality: columns row, match and wrong, records.

    The most similar true match and the most similar wrong one, by retrieval's similarity (equal weights, with mirror images),
    among what a query may see in the data set's protocol. Images without a true match that they may see are left out.
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
    """Embeddings (N, 2·V·D) of match and wrong match of rows of `partners`, and the centroid of the person: the mean of the
    images in the other modality that the image may see, its parts of length 1.
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
    """Maps of images towards other images, records both. Errors: ValueError for an image towards itself: a map of noise."""
    if (same := rows[rows == others]).size:
        raise ValueError(f"found images {same[:10]} compared with themselves: that cosine has no gradient; expected other images")
    return explain(subject, rows, subject.rows(others))


def explain(subject: Subject, rows: np.ndarray, toward: Tensor) -> Attention:
    """Maps of images, records, towards embeddings (N, 2·V·D), one each."""
    return Attention(*_joined(subject, rows, lambda pixels, side, part: grad_cam(subject.net, pixels, side, toward[part])))


def control(subject: Subject, rows: np.ndarray) -> np.ndarray:
    """EigenCAM of images, records: (M, N, h, w)."""
    return _joined(subject, rows, lambda pixels, side, part: [eigen_cam(subject.net, pixels, side)])[0]


def _joined(subject: Subject, rows: np.ndarray, call: Callable[[Tensor, str, Tensor], Sequence[np.ndarray]]) -> list[np.ndarray]:
    """What `call` returns for pixels, modality and positions of each batch: arrays with images second, in the order of rows."""
    device, found, parts = device_of(subject.run.config), [], []
    for side, part in by_modality(subject.images.records.iloc[rows], np.arange(len(rows)), BATCH):
        pixels = normalise(torch.from_numpy(subject.images.take(rows[part])).to(device))
        found.append(call(pixels, side, torch.from_numpy(part)))
        parts.append(part)
    back = np.argsort(np.concatenate(parts))
    return [np.concatenate(arrays, 1)[:, back] for arrays in zip(*found, strict=True)]


def _own(subject: Subject, query: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which gallery images show the person of a query that may see them, and which the query may not see: (Q, G) bool each."""
    records = subject.images.records
    unseen = unseen_by(records, query, gallery, for_layout(subject.images.dataset.layout)[0].scoring)
    identity = records["identity"].to_numpy()
    return (identity[query, None] == identity[gallery]) & ~unseen, unseen
