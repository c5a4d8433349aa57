"""The embeddings of the test images as points, and a t-SNE map of some of them.

Retrieval ranks by an inner product (retrieval/features.py): that of vectors with the concatenated pooled and neck features of all
views, summed over image and mirror image. A point is such a vector scaled to unit length, so cosine and Euclidean distance give the
same order. Retrieval's order differs only through the vectors' lengths, which depend on how similar an image and its mirror image
are: on the demo corpus lengths vary by less than 1 %.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from fsclib import metrics
from fsclib.analysis.samples import spread
from fsclib.data.images import Images
from fsclib.data.records import VISIBLE, seen_by_both
from fsclib.retrieval.features import Features
from fsclib.runs import Run

COLOURED = 7  # people in a map: the number of colours that colour-blind readers can distinguish
DRAWN = 20  # images per person and modality in a map; more would overlap
PERPLEXITY = 30.0  # the usual value for t-SNE; lower with fewer than 91 images


class Embedded(NamedTuple):
    """A trained run, the images of its data set, and the features of all test images."""

    run: Run
    images: Images
    features: Features


@dataclass(frozen=True, eq=False)
class Points:
    """Test images as points: vectors (N, F) float32 of unit length; identity and camera (N,) int64; modality (N,) text.

    scoring: the protocol that hides images from a query, as for metrics.hidden.
    """

    vectors: Tensor
    identity: np.ndarray
    camera: np.ndarray
    modality: np.ndarray
    scoring: str

    def of(self, modality: str) -> np.ndarray:
        """Positions of the images of a modality, (n,) int64."""
        return np.flatnonzero(self.modality == modality)

    def hidden(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Pairs of images that must not be compared, (len(some), len(others)) bool; each side holds one modality.

        Across modalities these are the pairs that the protocol hides. Within a modality they are images of one person at one
        camera, seconds apart in front of the same background, including an image and itself.
        """
        query, gallery, scoring = some, others, self.scoring
        if self.modality[some[0]] == self.modality[others[0]]:
            scoring = "llcm"  # has this rule
        elif self.modality[some[0]] == VISIBLE:
            query, gallery = others, some  # the rule of SYSU-MM01 covers infrared queries only
        sides = self.identity[query], self.identity[gallery], self.camera[query], self.camera[gallery]
        found = metrics.hidden(*sides, scoring)
        return found if query is some else found.T


def points_of(embedded: Embedded) -> Points:
    """All test images of a run as points, in the order of its features."""
    records = embedded.images.records.iloc[embedded.features.rows]
    vectors = F.normalize(torch.cat(embedded.features.of(embedded.features.rows, True), 1), dim=1)
    scoring = embedded.images.protocols[0].scoring
    identity, camera, modality = (records[name].to_numpy() for name in ("identity", "camera", "modality"))
    return Points(vectors, identity, camera, modality, scoring)


def tsne(points: Points, people: int, seed: int) -> pd.DataFrame:
    """t-SNE (van der Maaten & Hinton, JMLR 2008) of the images of people drawn among those seen by both modalities.

    Columns x, y (no unit), identity, camera, modality: one row per image, at most DRAWN per person and modality. Equal seeds draw
    the same people. Errors: ValueError if no person is seen by both modalities.
    """
    seen = pd.DataFrame({"identity": points.identity, "camera": points.camera, "modality": points.modality})
    chosen = np.random.default_rng(seed).permutation(seen_by_both(seen))[:people]
    if not len(chosen):
        everybody = seen["identity"].nunique()
        raise ValueError(f"found none of {everybody} people in both modalities, expected at least one; check the test set")
    seen = seen[seen["identity"].isin(chosen)]
    rows = np.concatenate([spread(part.index, DRAWN) for _, part in seen.groupby(["identity", "modality"])])
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    from sklearn.manifold import TSNE  # here, because importing it takes seconds

    maps = TSNE(metric="cosine", perplexity=perplexity, random_state=seed)
    x, y = maps.fit_transform(points.vectors[rows].numpy()).astype(np.float64).T
    return seen.loc[rows].assign(x=x, y=y).reset_index(drop=True)
