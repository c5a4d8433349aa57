"""The embeddings of the test images as points, for notebook 07, and a picture of some of them.

Retrieval ranks by an inner product (fsclib/features.py): that of vectors with the pooled and the neck features of all views side by
side, image and mirror image added. A point is such a vector at unit length, so that cosine and Euclidean distance order alike, and
as retrieval does but for the vectors' lengths, which tell how alike an image and its mirror image are: on the demo corpus they
differ by less than 1 %.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.manifold import TSNE
from torch import Tensor

from fsclib import metrics, retrieval
from fsclib.config import OPENED
from fsclib.data import protocols
from fsclib.data.images import Images
from fsclib.data.records import VISIBLE, seen_by_both
from fsclib.features import Features
from fsclib.run_options import RunOptions, each_once
from fsclib.runs import Run, RunError
from fsclib.samples import spread
from fsclib.strict import AUTO, option

COLOURED = 7  # people in a picture: as many as there are colours that colour-blind readers tell apart
DRAWN = 20  # images of a person and modality in a picture: more would hide one another
PERPLEXITY = 30.0  # of t-SNE, the usual; less where there are fewer than 91 images


@dataclass(frozen=True, kw_only=True)
class EmbeddingOptions(RunOptions):
    """The parameters of notebook 07. Errors: ConfigError, as in Strict."""

    names: tuple[str, ...] = option(
        AUTO, "runs, or networks of ours, side by side; others are compared with the first; auto: what 02_train makes",
        form=OPENED,
    )
    people: int = option(COLOURED, "people in the t-SNE picture, drawn at random", low=1, high=COLOURED)
    failures: int = option(6, "queries in the failure gallery", low=1, high=50)
    seed: int = option(0, "seed of the drawn people, of t-SNE and of the intervals", low=0, high=2**31 - 1)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        return problems if "names" in problems else problems | each_once("names", self.names)


class Embedded(NamedTuple):
    """A trained run, the images of its data set, and the features of all test images."""

    run: Run
    images: Images
    features: Features


@dataclass(frozen=True, eq=False)
class Points:
    """Test images as points: vectors (N, F) float32 of unit length; identity and camera (N,) int64; modality (N,) text.

    scoring: the protocol that says what a query may not see, as for metrics.hidden.
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
        """Pairs of images that no comparison should rest on, (len(some), len(others)) bool; each side of one modality.

        Across modalities they are those that the protocol hides. Within one they are those of one person at one camera, seconds
        apart before the same background; an image and itself among them.
        """
        query, gallery, scoring = some, others, self.scoring
        if self.modality[some[0]] == self.modality[others[0]]:
            scoring = "llcm"  # whose rule this is
        elif self.modality[some[0]] == VISIBLE:
            query, gallery = others, some  # the rule of SYSU-MM01 knows infrared queries only
        sides = self.identity[query], self.identity[gallery], self.camera[query], self.camera[gallery]
        found = metrics.hidden(*sides, scoring)
        return found if query is some else found.T


def load(options: EmbeddingOptions) -> dict[str, Embedded]:
    """The runs by name, in their order; what was not embedded before is embedded, and kept.

    Errors: RunError that lists every run that is missing or unfinished, or that was made from other data than the first.
    """
    names = (AUTO,) if options.names == AUTO else options.names
    found, problems = [], []
    for name in names:
        try:
            run = options.open(name)
            _ = run.metrics
            found.append(run)
        except RunError as error:
            problems.append(str(error))
    hashes = {run.folder.name: run.environment["data_hash"] for run in found}
    if len(set(hashes.values())) > 1:
        listed = ", ".join(f"{name}: {value}" for name, value in hashes.items())
        problems.append(f"the runs were made from different data ({listed}), expected the same images; look at them one by one")
    if problems:
        raise RunError("\n".join(problems))
    opened = ((run, retrieval.run_images(run)) for run in found)
    return {run.folder.name: Embedded(run, images, retrieval.run_features(run, images)) for run, images in opened}


def points(embedded: Embedded) -> Points:
    """All test images of a run as points, in the order of its features."""
    records = embedded.images.records.iloc[embedded.features.rows]
    vectors = F.normalize(torch.cat(embedded.features.of(embedded.features.rows, True), 1), dim=1)
    scoring = protocols.for_layout(embedded.images.dataset.layout)[0].scoring
    labels = (records[name].to_numpy() for name in ("identity", "camera", "modality"))
    return Points(vectors, *labels, scoring)


def tsne(points: Points, people: int, seed: int) -> pd.DataFrame:
    """t-SNE (van der Maaten & Hinton, JMLR 2008) of the images of people drawn among those seen by both modalities.

    Columns x, y (no unit), identity, camera, modality: a row an image, at most DRAWN a person and modality. Equal seeds draw equal
    people. Errors: ValueError where nobody is seen by both modalities.
    """
    seen = pd.DataFrame({"identity": points.identity, "camera": points.camera, "modality": points.modality})
    chosen = np.random.default_rng(seed).permutation(seen_by_both(seen))[:people]
    if not len(chosen):
        everybody = seen["identity"].nunique()
        raise ValueError(f"found nobody among {everybody} people who is seen by both modalities, expected one; check the test set")
    seen = seen[seen["identity"].isin(chosen)]
    rows = np.concatenate([spread(part.index, DRAWN) for _, part in seen.groupby(["identity", "modality"])])
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    maps = TSNE(metric="cosine", perplexity=perplexity, random_state=seed)
    x, y = maps.fit_transform(points.vectors[rows].numpy()).astype(np.float64).T
    return seen.loc[rows].assign(x=x, y=y).reset_index(drop=True)
