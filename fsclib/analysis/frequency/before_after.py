"""Measured spectra as pictures and curves, before and after each module of a network."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsclib.analysis.frequency import spectral_gap, spectrum, transfer
from fsclib.analysis.frequency.measurement import Spectra
from fsclib.data.records import MODALITIES

BAND = 0.1, 0.9  # quantiles over images


Curves = dict[str, dict[str, dict[str, pd.DataFrame]]]  # chain → modality → point → frequency, mean, low, high (BAND)


def pictures(found: Spectra) -> dict[str, dict[str, dict[str, NDArray[np.float64]]]]:
    """log₁₀ |F| (H, W), root mean square over channels and images, by chain, modality and point."""

    def picture(name: str, own: np.ndarray) -> NDArray[np.float64]:
        return np.log10(np.maximum(found.picture[name][own].mean(0), 1e-12)) / 2

    return _by_point(found, lambda line, own: {name: picture(name, own) for name in line})


def boxes(found: Spectra) -> dict[str, tuple[slice, slice]]:
    """The low-frequency box of each chain's maps."""
    return {chain: spectrum.low_box(*found.size(line[0])) for chain, line in found.chains.items()}


def profiles(found: Spectra) -> Curves:
    """Energy per frequency by radius, mean over channels and images."""
    return _by_point(found, lambda line, own: {name: _band(found.energy[name][own].mean(1)) for name in line})


def transfers(found: Spectra) -> Curves:
    """|Y|/|X| per channel by radius of each module (transfer.per_channel), under the name of the point after it.

    The mean over images is geometric. For a module that is not linear, or mixes channels or positions, this is a ratio of output to
    input, not the response of a filter.
    """
    return _ratios(found, transfer.per_channel)


def pooled_transfers(found: Spectra) -> dict[str, Curves]:
    """|Y|/|X| of all channels together, as `transfers`, and what it would be if the module only scaled each channel."""
    return {
        "pooled": _ratios(found, transfer.pooled),
        "scaling only": _ratios(found, lambda before, after: transfer.pooled(before, transfer.scaled(before, after))),
    }


def _ratios(found: Spectra, of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Curves:
    def ratio(before: str, after: str, own: np.ndarray) -> pd.DataFrame:
        logs = _band(np.log(of(found.energy[before][own], found.energy[after][own])))
        return logs.assign(**{name: np.exp(logs[name]) for name in ("mean", "low", "high")})

    return _by_point(found, lambda line, own: {after: ratio(before, after, own) for before, after in steps(line)})


def steps(line: Sequence[str]) -> list[tuple[str, str]]:
    """The points before and after each module of a chain."""
    return list(pairwise(line))


def gaps(found: Spectra, seed: int) -> dict[str, dict[str, pd.DataFrame]]:
    """The modality gap by radius (spectral_gap.by_radius) at the input and at each point, by chain."""

    def at(name: str) -> pd.DataFrame:
        return spectral_gap.by_radius(found.energy[name], found.identity, found.camera, found.modality, seed)

    return {"input": {"input": at("input")}} | {chain: {name: at(name) for name in line} for chain, line in found.chains.items()}


def flat(nested: Mapping[str, Any], *names: str) -> pd.DataFrame:
    """Joins tables in nested dicts, with one column per level, named by `names`, the outermost first."""
    if not names:
        return nested
    parts = [flat(part, *names[1:]).assign(**{names[0]: key}) for key, part in nested.items()]
    parts = [part for part in parts if len(part)] or [pd.DataFrame(columns=list(names))]
    table = pd.concat(parts, ignore_index=True)
    return table[[names[0], *(name for name in table if name != names[0])]]


def modalities(found: Spectra) -> list[tuple[str, np.ndarray]]:
    """The modalities of the images and which images have them, (N,) bool."""
    return [(modality, own) for modality in MODALITIES if (own := found.modality == modality).any()]


def _by_point(found: Spectra, of: Callable[[Sequence[str], np.ndarray], dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    return {chain: {modality: of(line, own) for modality, own in modalities(found)} for chain, line in found.chains.items()}


def _band(values: np.ndarray) -> pd.DataFrame:
    low, high = np.nanquantile(values, BAND, axis=0)
    return pd.DataFrame({"frequency": np.arange(values.shape[1]), "mean": np.nanmean(values, axis=0), "low": low, "high": high})
