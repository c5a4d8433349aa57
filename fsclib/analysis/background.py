"""Does the background leak identities? Tests classifiers on the border of an image, and the same ones on whole images.

Each camera is a separate task: cameras see different people, so the location alone would legitimately tell people apart.
To bound the time, walks (the pictures of one person at one camera) are thinned to WALK pictures and drawn up to LIMIT.
"""

import math
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import accumulate

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fsclib.analysis.samples import in_order, spread
from fsclib.data.images import Images
from fsclib.data.records import MODALITIES, select
from fsclib.metrics import bootstrap_interval

LIMIT, WALK = 2000, 10  # pictures of a modality; pictures of a person at a camera
SIDE, TOP = 12, 24  # the strips at left and right are 1/12 of the width, the one at the top 1/24 of the height
ROWS, COLUMNS = 12, 6  # coarse cells of a whole image; finer ones would only measure pose alignment
COLUMN_NAMES = ["classifier", "accuracy", "low", "high", "chance", "images", "identities", "cameras"]


def table(images: Images, split: str = "test", seed: int = 0) -> pd.DataFrame:
    """leak_test on the borders and on the whole images of each modality: its rows with columns `modality` and `pixels` in front."""
    found = []
    for modality in MODALITIES:
        rows = in_order(images.records, select(images.records, split, modality))
        identities, cameras = (images.records[name].to_numpy() for name in ("identity", "camera"))
        rows = rows[draw(identities[rows], cameras[rows], seed)]
        pixels = images.take(rows)
        for name, features in (("border", borders(pixels)), ("whole image", wholes(pixels))):
            result = leak_test(features, identities[rows], cameras[rows], seed)
            result.insert(0, "modality", modality)
            result.insert(1, "pixels", name)
            found.append(result)
    return pd.concat(found, ignore_index=True)


def borders(images: np.ndarray) -> np.ndarray:
    """Mean colours of cells of the frame, uint8 (N, H, W, 3) → (N, 90) float32: twelve per side, six along the top."""
    _, height, width, _ = images.shape
    side, top = max(1, round(width / SIDE)), max(1, round(height / TOP))
    strips = (_cells(images[:, :, :side], ROWS, 1), _cells(images[:, :, -side:], ROWS, 1))
    return np.concatenate([*strips, _cells(images[:, :top, side:-side], 1, COLUMNS)], axis=1)


def wholes(images: np.ndarray) -> np.ndarray:
    """Mean colours of the cells of whole images, uint8 (N, H, W, 3) → (N, 216) float32."""
    return _cells(images, ROWS, COLUMNS)


def leak_test(features: np.ndarray, identities: np.ndarray, cameras: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Accuracy of each classifier in naming the person, in per cent, one row per classifier: COLUMN_NAMES.

    features (N, F) float, identities and cameras (N,) int; pictures of one person at one camera in the order of filming.
    "one left out": the nearest of all other pictures of the camera, including neighbouring frames of the same walk. "halves": the
    first half of each walk is classified from the second, and vice versa. low, high: 95 % interval over people. chance: the mean
    share of the query's person among the pictures compared. People with one picture at a camera, and cameras with one person, are
    left out; if nothing remains, images is 0 and the figures are nan.
    """
    drawn = draw(identities, cameras, seed)
    features, identities, cameras = features[drawn], identities[drawn], cameras[drawn]
    rows = []
    for name, classify in CLASSIFIERS.items():
        right, chance = np.full((2, len(drawn)), np.nan)
        for camera in np.unique(cameras):
            here = cameras == camera
            right[here], chance[here] = classify(features[here], identities[here])
        low, high = bootstrap_interval(100 * right, identities, seed) if len(drawn) else (np.nan, np.nan)
        mean = [100 * values.mean() if len(drawn) else np.nan for values in (right, chance)]
        rows.append((name, mean[0], low, high, mean[1], len(drawn), len(np.unique(identities)), len(np.unique(cameras))))
    return pd.DataFrame(rows, columns=COLUMN_NAMES)


def draw(identities: np.ndarray, cameras: np.ndarray, seed: int) -> np.ndarray:
    """Draws the positions (M,) int64, ascending, that leak_test uses; drawing again from the result changes nothing."""
    pairs = pd.DataFrame({"camera": cameras, "identity": identities}).groupby(["camera", "identity"]).indices
    walks = [spread(rows, WALK) for rows in pairs.values() if len(rows) > 1]
    walks = [walks[i] for i in np.random.default_rng(seed).permutation(len(walks))]
    kept = [walk for walk, total in zip(walks, accumulate(map(len, walks)), strict=True) if total <= LIMIT]
    people = Counter(cameras[walk[0]] for walk in kept)
    chosen = [walk for walk in kept if people[cameras[walk[0]]] > 1]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *chosen]))


def _cells(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Mean colours of a grid of cells, as even as the pixels allow: (N, H, W, 3) → (N, rows · columns · 3) float32."""
    for axis, number in ((1, rows), (2, columns)):
        edges = np.linspace(0, images.shape[axis], number + 1)
        low, high = np.floor(edges[:-1]).astype(int), np.ceil(edges[1:]).astype(int)  # as in adaptive pooling: never empty
        images = np.stack([images.take(range(a, b), axis).mean(axis, np.float32) for a, b in zip(low, high, strict=True)], axis)
    return images.reshape(len(images), math.prod(images.shape[1:]))  # also works without images


def _one_left_out(features: np.ndarray, identities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the nearest other picture shows the same person, and the probability of that by chance, (N,) each."""
    distances = pairwise_distances(features)
    np.fill_diagonal(distances, np.inf)
    same = identities[:, None] == identities
    return identities[distances.argmin(1)] == identities, (same.sum(1) - 1) / (len(identities) - 1)


def _halves(classifier: ClassifierMixin, features: np.ndarray, identities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether a classifier trained on one half of each person's pictures is correct on the other half, and chance, (N,) each."""
    nth = pd.Series(identities).groupby(identities)
    late = (nth.cumcount() >= nth.transform("size") / 2).to_numpy()
    right, chance = np.empty((2, len(identities)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # raised for short walks
        for tested in (late, ~late):
            right[tested] = classifier.fit(features[~tested], identities[~tested]).predict(features[tested]) == identities[tested]
            chance[tested] = (identities[tested, None] == identities[~tested]).mean(1)
    return right, chance


CLASSIFIERS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = {
    "nearest neighbour, one left out": _one_left_out,
    "nearest neighbour, halves": partial(_halves, KNeighborsClassifier(1)),
    "logistic regression, halves": partial(_halves, make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))),
}
