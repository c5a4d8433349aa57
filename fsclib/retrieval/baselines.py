"""Baselines that need no network: chance and raw pixels, on the same galleries as a trained network."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from fsclib.data.images import Images
from fsclib.data.protocols import Protocol, query_and_gallery
from fsclib.data.records import select
from fsclib.metrics import chance
from fsclib.retrieval import tables
from fsclib.retrieval.features import Features

FIGURES = ("rank1", "rank5", "rank10", "rank20", "map", "minp")
PIXELS = (24, 9)  # height and width that images are averaged down to; finer pixels would only measure pose alignment


def without_training(images: Images) -> pd.DataFrame:
    """Chance and raw pixels on the test images under every protocol that runs are tested under, one row per (method, protocol).

    Columns: method, mode, direction, and those of FIGURES: means over trials in per cent; equal weighting, with mirror images.
    Chance is the expected score of a random order (chance.py).
    """
    rows = []
    for protocol, cmc, found in _chance(images, (*images.protocols, *images.further_protocols)):
        figures = dict(zip(FIGURES, [*(100 * cmc[int(name[4:]) - 1] for name in FIGURES[:4]), *found], strict=True))
        rows.append({"method": "chance", "mode": protocol.mode, "direction": protocol.direction} | figures)
    pixels = scored({"raw pixels": pixel_features(images, select(images.records, "test"))}, images)
    return pd.concat([pd.DataFrame(rows), pixels], ignore_index=True)


def curves(images: Images) -> dict[str, dict[str, np.ndarray]]:
    """Matching rates (20,) in per cent: protocol, as named by `tables.cmc_by_protocol` → "chance" or "raw pixels" → curve."""
    features = pixel_features(images, select(images.records, "test"))
    trials = tables.evaluate(features, images.records, images.protocols, mirrors=[True], weightings=["equal"])
    pixels = {name: curve.mean(0) for name, curve in tables.cmc_by_protocol(trials, images.protocols).items()}
    known = {str(p): 100 * cmc for p, cmc, _ in _chance(images, images.protocols)}
    return {name: {"chance": known[name], "raw pixels": pixels[name]} for name in pixels}


def _chance(images: Images, chosen: Iterable[Protocol]) -> Iterator[tuple[Protocol, np.ndarray, tuple[float, float]]]:
    """The chosen protocols with the expected score of a random order: CMC (20,) as a share, and mAP and mINP in per cent."""
    identity, camera = (images.records[name].to_numpy() for name in ("identity", "camera"))
    for protocol in chosen:
        found = []
        for trial in range(protocol.trials):
            query, gallery = query_and_gallery(images.records, protocol, trial, permutations=images.dataset.permutations)
            found.append(chance.evaluate(identity[query], identity[gallery], camera[query], camera[gallery], protocol.scoring))
        precision, penalty = (100 * float(np.mean([getattr(each, name) for each in found])) for name in ("map", "minp"))
        yield protocol, np.mean([each.cmc for each in found], axis=0), (precision, penalty)


def scored(methods: Mapping[str, Features], images: Images) -> pd.DataFrame:
    """The test images' features by several methods under every protocol: rows and columns as in without_training."""
    found = []
    for name, features in methods.items():
        trials = tables.evaluate(
            features,
            images.records,
            images.protocols,
            mirrors=[True],
            weightings=["equal"],
            further=images.further_protocols,
            permutations=images.dataset.permutations,
        )
        means = trials.groupby(["mode", "direction"], sort=False)[list(FIGURES)].mean().reset_index()
        means.insert(0, "method", name)
        found.append(means)
    return pd.concat(found, ignore_index=True)


def pixel_features(images: Images, rows: np.ndarray) -> Features:
    """Grey pixels, averaged down to PIXELS and centred, as features: their inner product is a correlation."""
    small = []
    for part in np.array_split(rows, max(1, len(rows) // 512)):
        grey = torch.from_numpy(images.take(part)).float().mean(3)
        small.append(F.adaptive_avg_pool2d(grey[:, None], PIXELS)[:, 0])
    pixels = torch.cat(small)
    both = torch.stack([pixels, pixels.flip(2)]).flatten(2)
    both = F.normalize(both - both.mean(2, keepdim=True), dim=2)
    return Features(rows, both, torch.zeros(2, len(rows), 1))
