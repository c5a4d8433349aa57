"""Baselines for the metrics: chance, raw pixels and the network before training, on the same galleries as a trained network."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from fsclib.data.images import Images
from fsclib.data.protocols import Protocol, query_and_gallery
from fsclib.data.records import select
from fsclib.metrics import chance
from fsclib.models import weights
from fsclib.models.folding import folded
from fsclib.retrieval import evaluation, tables
from fsclib.retrieval.features import Features, embed
from fsclib.runs import Run, checkpoint
from fsclib.runs.assemble import network_of
from fsclib.system.device import device_of, precision_of

FIGURES = ("rank1", "rank5", "rank10", "rank20", "map", "minp")
PIXELS = (24, 9)  # height and width that images are averaged down to; finer pixels would only measure pose alignment


def table(run: Run, images: Images) -> pd.DataFrame:
    """Training-free baselines, the untrained network, and the run: columns and rows as in without_training.

    A run that started from the weights shipped with fsclib is also compared with the trunk, which has seen visible images only.
    """
    rows = select(images.records, "test")
    device = device_of(run.config.device)
    precision = precision_of(run.environment["precision"], device)  # the same as in the run
    num_classes = checkpoint.state(run.checkpoint("best"), "num_classes")["num_classes"]
    starts = {"untrained network": "none"} | (
        {f"{weights.TRUNK}, not adapted": weights.TRUNK} if weights.are_shipped(run.config.init) else {}
    )
    found = {}
    for name, start in starts.items():
        torch.manual_seed(run.config.seed)  # layers without given weights start as they did in the run
        net = network_of(replace(run.config, init=start), num_classes, init=True)
        net = net.to(device).to(memory_format=torch.channels_last)
        found[name] = embed(folded(net), images, rows, device, precision)
    found["this run"] = evaluation.run_features(run, images)
    return pd.concat([without_training(images), _scored(found, images)], ignore_index=True)


def without_training(images: Images) -> pd.DataFrame:
    """Chance and raw pixels on the test images under every protocol of the data set, one row per (method, protocol).

    Columns: method, mode, direction, and those of FIGURES: means over trials in per cent; equal weighting, with mirror images.
    Chance is the expected score of a random order (chance.py).
    """
    rows = []
    for protocol, cmc, found in _chance(images):
        figures = dict(zip(FIGURES, [*(100 * cmc[int(name[4:]) - 1] for name in FIGURES[:4]), *found], strict=True))
        rows.append({"method": "chance", "mode": protocol.mode, "direction": protocol.direction} | figures)
    pixels = _scored({"raw pixels": pixel_features(images, select(images.records, "test"))}, images)
    return pd.concat([pd.DataFrame(rows), pixels], ignore_index=True)


def curves(images: Images) -> dict[str, dict[str, np.ndarray]]:
    """Matching rates (20,) in per cent: protocol, as named by `tables.cmc_by_protocol` → "chance" or "raw pixels" → curve."""
    features = pixel_features(images, select(images.records, "test"))
    trials = tables.evaluate(features, images.records, images.protocols, mirrors=[True], weightings=["equal"])
    pixels = {name: curve.mean(0) for name, curve in tables.cmc_by_protocol(trials, images.protocols).items()}
    known = {str(p): 100 * cmc for p, cmc, _ in _chance(images)}
    return {name: {"chance": known[name], "raw pixels": pixels[name]} for name in pixels}


def _chance(images: Images) -> Iterator[tuple[Protocol, np.ndarray, tuple[float, float]]]:
    """Every protocol with the expected score of a random order: CMC (20,) as a share, and mAP and mINP in per cent."""
    identity, camera = (images.records[name].to_numpy() for name in ("identity", "camera"))
    for protocol in images.protocols:
        found = []
        for trial in range(protocol.trials):
            query, gallery = query_and_gallery(images.records, protocol, trial)
            found.append(chance.evaluate(identity[query], identity[gallery], camera[query], camera[gallery], protocol.scoring))
        precision, penalty = (100 * float(np.mean([getattr(each, name) for each in found])) for name in ("map", "minp"))
        yield protocol, np.mean([each.cmc for each in found], axis=0), (precision, penalty)


def _scored(methods: Mapping[str, Features], images: Images) -> pd.DataFrame:
    found = []
    for name, features in methods.items():
        trials = tables.evaluate(features, images.records, images.protocols, mirrors=[True], weightings=["equal"])
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
