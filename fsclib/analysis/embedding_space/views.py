"""How the views of an image differ, which is the aim of the orthogonality loss, and how well each view retrieves alone.

The loss lowers ⟨f₁, f₂⟩ of the pooled features of views 1 and 2 of an image (Zhang & Wang, CVPR 2023). For each pair of
views and each kind of features, these cosines are taken of single images, without mirror images:
    same image   between the two views of an image: the loss, at unit length
    others       between one view of an image and the other view of other people's images in its modality: the general level
    centred      as for the same image, after subtracting each view's mean over its modality: whether the views agree
Pooled features come from a ReLU and are not negative, so all images share a large component and a plain cosine is near 1 whether
the views differ or not. Only the second and third cosine show whether it is meaningful.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fsclib.analysis.embedding_space.points import Embedded
from fsclib.analysis.embedding_space.resampling import Measure, over_people, ratio
from fsclib.data.records import MODALITIES
from fsclib.metrics import differences
from fsclib.retrieval import search, tables
from fsclib.retrieval.features import Features

FIGURES = ("same image", "others", "centred")


def number(features: Features) -> int:
    """The number of views in the features: each view has unit length, so it equals the squared length of the whole vector."""
    return round(float(features.pool[0].float().square().sum(1).median()))


def view(features: Features, chosen: int) -> Features:
    """The features of one view, counted from 0."""
    parts = (side.unflatten(2, (number(features), -1))[:, :, chosen] for side in (features.pool, features.neck))
    return Features(features.rows, *parts)


def cosines(found: Mapping[str, Embedded], seed: int = 0) -> pd.DataFrame:
    """FIGURES in the form of over_people: labels run, features (pooled or neck) and views; empty if every network has one view."""
    identities = [one.images.records["identity"].to_numpy()[one.features.rows] for one in found.values()]
    return over_people(_measures(found), len(np.unique(identities[0])), seed)


def _measures(found: Mapping[str, Embedded]) -> Iterator[Measure]:
    for run, (_, images, features) in found.items():
        records = images.records.iloc[features.rows]
        _, person = np.unique(records["identity"], return_inverse=True)
        for name, side in (("pooled", features.pool), ("neck", features.neck)):
            views = side[0].float().unflatten(1, (number(features), -1))
            for one, two in combinations(range(views.shape[1]), 2):
                values = of_images(views[:, one], views[:, two], person, records["modality"].to_numpy())
                sums = {key: np.bincount(person, value) for key, value in values.items()}
                yield {"run": run, "features": name, "views": f"{one} and {two}"}, _Means(sums, np.bincount(person))


@dataclass(frozen=True, eq=False)
class _Means:
    """Means over images from each person's sums."""

    sums: Mapping[str, NDArray]
    images: NDArray

    def __call__(self, multiplicities: NDArray) -> dict[str, NDArray]:
        return {name: ratio(multiplicities @ total, multiplicities @ self.images) for name, total in self.sums.items()}


def of_images(one: Tensor, two: Tensor, person: NDArray, modality: NDArray) -> dict[str, NDArray[np.float64]]:
    """FIGURES of each image, (N,) float64, from its unit-length features in two views, (N, D); nan without other people."""
    one, two = one.double(), two.double()
    same, others, centred = np.full((3, len(one)), np.nan)
    same[:] = (one * two).sum(1)
    for name in MODALITIES:
        rows = np.flatnonzero(modality == name)
        a, b, who = one[rows], two[rows], torch.from_numpy(person[rows])
        size = int(who.max()) + 1 if len(rows) else 0
        totals = torch.zeros(size, b.shape[1], dtype=b.dtype).index_add_(0, who, b)
        rest = b.sum(0) - totals[who]  # the sum over other people's images
        others[rows] = ratio((a * rest).sum(1).numpy(), (len(rows) - torch.bincount(who)[who]).numpy())
        centred[rows] = F.cosine_similarity(a - a.mean(0), b - b.mean(0), dim=1)
    return dict(zip(FIGURES, (same, others, centred), strict=True))


def alone(found: Mapping[str, Embedded], seed: int = 0) -> pd.DataFrame:
    """Retrieval with each view alone under the first protocol of the data set, means over its galleries; only "all" for one view.

    Columns run, view ("all", then "0", …), rank1, map, minp in per cent; difference, low, high: its mAP minus that of all views
    together, in percentage points, with the 95 % interval over people.
    """
    rows = []
    for run, (_, images, features) in found.items():
        protocol = images.protocols[:1]
        several = range(number(features)) if number(features) > 1 else ()
        parts = {"all": features} | {str(v): view(features, v) for v in several}
        for name, part in parts.items():
            searches = search.search(part, images.records, protocol, mirrors=[True], weightings=["equal"])
            people = tables.by_identity(searches).assign(replicate=0)
            figures = {figure: (people["share"] * people[figure]).sum() for figure in differences.FIGURES}
            people = people.assign(figure=people["map"])
            if name == "all":
                together, compared = people, {}
            else:
                found_here = differences.paired_difference(people, together, seed=seed)
                compared = {"difference": found_here.mean, "low": found_here.low, "high": found_here.high}
            rows.append({"run": run, "view": name} | figures | compared)
    return pd.DataFrame(rows)
