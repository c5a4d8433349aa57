"""Shares of attention on body, bag and background, by masks that label each pixel.

share of a kind = Σ of the attention over its pixels / Σ over all pixels; the area, for comparison, is the share that uniform
attention would have.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from fsclib.metrics import bootstrap_interval

KINDS = ("body", "bag", "background", "in front")  # body includes clothes and hair


def shares(attention: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Attention (N, h, w), not negative, and masks (N, H, W) with indices into KINDS → (N, len(KINDS)), rows that sum to 1.

    Attention is interpolated linearly to the masks' size, as in figures. nan for images without attention.
    """
    enlarged = F.interpolate(torch.from_numpy(attention)[:, None].double(), masks.shape[1:], mode="bilinear")[:, 0].numpy()
    sums = np.stack([np.where(masks == kind, enlarged, 0).sum((1, 2)) for kind in range(len(KINDS))], 1)
    with np.errstate(invalid="ignore"):
        return sums / sums.sum(1, keepdims=True)


def summary(
    found: Mapping[tuple[str, str], np.ndarray], masks: np.ndarray, people: np.ndarray, modality: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Means over images with 95 % intervals over people, one row per (kind, modality, target, network), in per cent.

    found: (network, target) → `shares` of N images, the same for all; people, modality: (N,), of the images.
    Columns: kind, modality, target, network; share, low, high; area; difference, difference_low, difference_high: to the first
    network on the same images, nan for itself; images, people. Images that do not show a kind, or have no attention, do not count
    for it.
    """
    areas = shares(np.ones((len(masks), 1, 1)), masks)
    networks, targets = (list(dict.fromkeys(names)) for names in zip(*found, strict=True))
    rows = []
    for (kind, name), side, target in product(enumerate(KINDS), dict.fromkeys(modality), targets):
        seen = (modality == side) & (areas[:, kind] > 0)
        values = [100 * found[network, target][seen, kind] for network in networks]
        for network, value in zip(networks, values, strict=True):
            present = ~np.isnan(value)
            row = {"kind": name, "modality": side, "target": target, "network": network}
            row |= _interval("", "share", value, people[seen], seed) | {"area": _mean(100 * areas[seen, kind])}
            other = value - values[0] if network != networks[0] else np.full(len(value), np.nan)
            row |= _interval("difference_", "difference", other, people[seen], seed)
            rows.append(row | {"images": present.sum(), "people": len(np.unique(people[seen][present]))})
    return pd.DataFrame(rows)


def _interval(prefix: str, name: str, values: np.ndarray, people: np.ndarray, seed: int) -> dict[str, float]:
    present = not np.isnan(values).all()
    low, high = bootstrap_interval(values, people, seed) if present else (np.nan, np.nan)
    return {name: _mean(values), f"{prefix}low": low, f"{prefix}high": high}


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else np.nan
