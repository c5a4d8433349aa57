"""Feature maps as pictures: their first three principal components as red, green and blue."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from fsclib.analysis.frequency.maps import BATCH, capture, resolved
from fsclib.analysis.samples import Sheet
from fsclib.data.augment import normalise
from fsclib.data.batches import by_modality
from fsclib.data.images import Images
from fsclib.models.base import Network

TAILS = 1, 99  # percentiles at which a colour is darkest and brightest: otherwise single peaks would leave the rest grey


def colours(maps: Mapping[str, np.ndarray]) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Maps (N, C, H, W) of one or several points with the same channels → colours (N, H, W, 3) from 0 to 1, by the same names.

    Also returns the share of the variance over positions, images and points that the three components explain. Components and
    colour scale are common to all points and images, so equal features have equal colours: what a module leaves unchanged looks
    the same after it, and what it shrinks turns grey. The largest weight of each component is positive. A constant component is
    grey; with fewer than three channels the last colours are grey.
    """
    tokens = {name: np.moveaxis(part.astype(np.float64), 1, -1) for name, part in maps.items()}  # (N, H, W, C)
    rows = np.concatenate([part.reshape(-1, part.shape[-1]) for part in tokens.values()])
    mean = rows.mean(0)
    variance, axes = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))  # ascending
    axes = axes[:, ::-1][:, :3]
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(0)[None], 0))
    low, high = np.percentile((rows - mean) @ axes, TAILS, axis=0)
    wide = high - low > 1e-5 * np.abs(rows).max(initial=0)  # below this it is float32 rounding
    found = {}
    for name, part in tokens.items():
        scaled = np.full((*part.shape[:3], 3), 0.5)
        scores = ((part - mean) @ axes - low) / np.where(wide, high - low, 1)
        scaled[..., : len(wide)] = np.where(wide, scores.clip(0, 1), 0.5)
        found[name] = scaled
    total = variance.sum()
    return found, float(variance[::-1][:3].sum() / total) if total > 0 else 1.0


def over(image: np.ndarray, colours: np.ndarray, strength: float = 0.6) -> NDArray[np.uint8]:
    """Overlays colours (h, w, 3) from 0 to 1 on a grey version of an image, uint8 (H, W, 3): uint8 (H, W, 3).

    Each position of the map is a tile of the image, as usual, although its receptive field is larger.
    """
    rows, columns = (np.arange(size) * part // size for size, part in zip(image.shape, colours.shape[:2], strict=False))
    grey = image.mean(2, keepdims=True)
    return (strength * 255 * colours[rows][:, columns] + (1 - strength) * grey).round().astype(np.uint8)


def sheet(
    net: Network, images: Images, rows: np.ndarray, device: torch.device, lines: Mapping[str, list[str]]
) -> tuple[Sheet, dict[str, float]]:
    """One row per image and one column per point of each chain, for figures.sample_sheet; and the share of variance shown.

    Colours are common to the points of a chain and to all images, but are not comparable between chains.
    """
    names = list(dict.fromkeys(name for line in lines.values() for name in line))
    kept = [
        capture(net, normalise(torch.from_numpy(images.take(part)).to(device)), modality, names)
        for modality, part in by_modality(images.records, rows, BATCH)
    ]
    joined = {name: np.concatenate([found[name] for found in kept]) for name in kept[0]}
    ordered = np.concatenate([part for _, part in by_modality(images.records, rows, BATCH)])
    pictures = images.take(ordered)
    columns: dict[tuple[str, str], list[np.ndarray]] = {("", "image"): list(pictures)}
    shown = {}
    for chain, line in resolved(lines, joined).items():
        found, shown[chain] = colours({name: joined[name] for name in line})
        for name, part in found.items():
            columns[chain, name.removeprefix(f"{chain} ")] = [over(*pair) for pair in zip(pictures, part, strict=True)]
    places = [int(np.flatnonzero(ordered == row)[0]) for row in rows]  # back in the requested order
    records = images.records.iloc[rows]
    titles = [f"person {who}\n{modality}" for who, modality in zip(records["identity"], records["modality"], strict=True)]
    grid: list[list[np.ndarray | None]] = [[column[place] for column in columns.values()] for place in places]
    return Sheet(grid, titles, [name for _, name in columns], [chain for chain, _ in columns]), shown
