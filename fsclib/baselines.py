"""What figures of merit are worth: chance, raw pixels and the untrained network, in the same galleries as a trained one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from fsclib import checkpoint, retrieval
from fsclib.assemble import network_of
from fsclib.data.images import Images
from fsclib.data.protocols import for_layout
from fsclib.data.records import select
from fsclib.features import Features, embed
from fsclib.machine import device_of
from fsclib.models.folding import folded
from fsclib.runs import Run

PIXELS = (24, 9)  # images are averaged down to this height and width: finer pixels only measure how exactly people stand


def table(run: Run, images: Images) -> pd.DataFrame:
    """What needs no training, the network as the run started it, and the run: columns and rows as in without_training."""
    rows = select(images.records, "test")
    device = device_of(run.config)
    num_classes = checkpoint.state(run.checkpoint("best"), "num_classes")["num_classes"]
    torch.manual_seed(run.config.seed)  # the weights that the run started from, but for ImageNet's
    untrained = network_of(run.config, num_classes, pretrained=False).to(device, memory_format=torch.channels_last)
    networks = {
        "untrained network": embed(folded(untrained), images, rows, device, torch.float32),
        "this run": retrieval.run_features(run, images),
    }
    return pd.concat([without_training(images, run.config.seed), _scored(networks, images)], ignore_index=True)


def without_training(images: Images, seed: int) -> pd.DataFrame:
    """Random order and raw pixels on the test images under every protocol of the data set, a row a (method, protocol).

    Columns method, mode, direction, and rank1, map, minp: means over trials in per cent; equal weighting, with mirror images.
    """
    rows = select(images.records, "test")
    return _scored({"random order": random_features(rows, seed), "raw pixels": pixel_features(images, rows)}, images)


def _scored(methods: Mapping[str, Features], images: Images) -> pd.DataFrame:
    found = []
    for name, features in methods.items():
        trials = retrieval.evaluate(
            features, images.records, for_layout(images.dataset.layout), mirrors=[True], weightings=["equal"]
        )
        means = trials.groupby(["mode", "direction"], sort=False)[["rank1", "map", "minp"]].mean().reset_index()
        means.insert(0, "method", name)
        found.append(means)
    return pd.concat(found, ignore_index=True)


def pixel_features(images: Images, rows: np.ndarray) -> Features:
    """Grey pixels, averaged down to PIXELS, without their mean, as features: their inner product is a correlation."""
    small = []
    for part in np.array_split(rows, max(1, len(rows) // 512)):
        grey = torch.from_numpy(images.take(part)).float().mean(3)
        small.append(F.adaptive_avg_pool2d(grey[:, None], PIXELS)[:, 0])
    pixels = torch.cat(small)
    both = torch.stack([pixels, pixels.flip(2)]).flatten(2)
    both = F.normalize(both - both.mean(2, keepdim=True), dim=2)
    return Features(rows, both, torch.zeros(2, len(rows), 1))


def random_features(rows: np.ndarray, seed: int, size: int = 64) -> Features:
    """Features that know nothing: their order of a gallery is chance."""
    drawn = torch.randn(2, len(rows), size, generator=torch.Generator().manual_seed(seed))
    return Features(rows, F.normalize(drawn, dim=2), torch.zeros(2, len(rows), 1))
