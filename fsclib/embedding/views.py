"""How the views of an image differ: what the orthogonality loss is for, and what each view finds alone.

The loss lowers ⟨f₁, f₂⟩ of the pooled features of views 1 and 2 of an image (METHOD, section 1). For each pair of views and each
kind of features, cosines of single images, without their mirror images:
    same image   the cosine of both views of an image: the loss, at unit length
    others       the cosine of one view of an image and the other of other people's images of its modality: what any two images have
    centred      that of the same image after each view's mean over its modality was taken off: whether the views tell the same
Pooled features come from a ReLU and are not negative, so all images have a large part in common and a plain cosine is near 1
whether the views differ or not. Only the second and third say whether it means anything.
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

from fsclib import retrieval, statistics
from fsclib.data import protocols
from fsclib.data.records import MODALITIES
from fsclib.embedding import Embedded
from fsclib.embedding.resampling import Measure, over_people, ratio
from fsclib.features import Features

FIGURES = ("same image", "others", "centred")


def number(features: Features) -> int:
    """Views of the network that made the features: each has unit length, so it is the squared length of all of them."""
    return round(float(features.pool[0].float().square().sum(1).median()))


def view(features: Features, chosen: int) -> Features:
    """The features of one view, counted from 0."""
    parts = (side.unflatten(2, (number(features), -1))[:, :, chosen] for side in (features.pool, features.neck))
    return Features(features.rows, *parts)


def cosines(found: Mapping[str, Embedded], seed: int = 0) -> pd.DataFrame:
    """FIGURES as in over_people: labels run, features (pooled or neck) and views; empty where every network has one view."""
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
    """FIGURES of each image, (N,) float64, from its features of unit length in two views, (N, D); nan without other people."""
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
    """What each view finds by itself under the first protocol of the data set, means over its galleries; "all" if there is but one.

    Columns run, view ("all", then "0", …), rank1, map, minp in per cent; difference, low, high: its mAP less that of all views
    together, in percentage points, with the 95 % interval over people.
    """
    rows = []
    for run, (_, images, features) in found.items():
        protocol = protocols.for_layout(images.dataset.layout)[:1]
        several = range(number(features)) if number(features) > 1 else ()
        parts = {"all": features} | {str(v): view(features, v) for v in several}
        for name, part in parts.items():
            searches = retrieval.search(part, images.records, protocol, mirrors=[True], weightings=["equal"])
            people = retrieval.by_identity(searches).assign(replicate=0)
            figures = {figure: (people["share"] * people[figure]).sum() for figure in statistics.FIGURES}
            people = people.assign(figure=people["map"])
            if name == "all":
                together, compared = people, {}
            else:
                found_here = statistics.paired_difference(people, together, seed=seed)
                compared = {"difference": found_here.mean, "low": found_here.low, "high": found_here.high}
            rows.append({"run": run, "view": name} | figures | compared)
    return pd.DataFrame(rows)
