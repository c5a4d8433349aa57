"""The effect of a network's modules: turns measured spectra into pictures, curves and tables, before and after each module."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fsclib import metrics
from fsclib.analysis.frequency import noise, spectral_gap, spectrum
from fsclib.analysis.frequency.measurement import Spectra
from fsclib.data.records import MODALITIES
from fsclib.metrics.bootstrap import interval, multiplicities

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
    """|Y|/|X| by radius of each module, under the name of the point after it.

    For an image: √(energy of all channels after / before) in a ring. For a module that is not linear, or mixes channels or
    positions, this is a ratio of output to input, not the response of a filter.
    """

    def transfer(before: str, after: str, own: np.ndarray) -> pd.DataFrame:
        given, out = (found.energy[name][own].sum(1) for name in (before, after))
        return _band(np.sqrt(np.divide(out, given, out=np.full_like(out, np.nan), where=given > 0)))

    return _by_point(found, lambda line, own: {after: transfer(before, after, own) for before, after in steps(line)})


def steps(line: Sequence[str]) -> list[tuple[str, str]]:
    """The points before and after each module of a chain."""
    return list(pairwise(line))


def gaps(found: Spectra, seed: int) -> dict[str, dict[str, pd.DataFrame]]:
    """The modality gap by radius (spectral_gap.by_radius) at the input and at each point, by chain."""

    def at(name: str) -> pd.DataFrame:
        return spectral_gap.by_radius(found.energy[name], found.identity, found.modality, seed)

    return {"input": {"input": at("input")}} | {chain: {name: at(name) for name in line} for chain, line in found.chains.items()}


def flat(nested: Mapping[str, Any], *names: str) -> pd.DataFrame:
    """Joins tables in nested dicts, with one column per level, named by `names`, the outermost first."""
    if not names:
        return nested
    parts = [flat(part, *names[1:]).assign(**{names[0]: key}) for key, part in nested.items()]
    parts = [part for part in parts if len(part)] or [pd.DataFrame(columns=list(names))]
    table = pd.concat(parts, ignore_index=True)
    return table[[names[0], *(name for name in table if name != names[0])]]


def suppression_table(found: Spectra, seed: int) -> pd.DataFrame:
    """High-frequency share before and after each module, and suppression, in per cent, with its 95 % interval over people.

    Columns: module, modality, map, box (the number of frequencies of the map in the box), share_before, share_after, suppression,
    low, high.
    """
    rows = []
    for before, after, modality, own in _each_step(found):
        height, width = found.size(after)
        sides = found.share[before][own], found.share[after][own]
        inside = np.zeros((height, width))[spectrum.low_box(height, width)].size
        row: dict[str, object] = {"module": after, "modality": modality}
        row |= {"map": f"{height}×{width}", "box": f"{inside} of {height * width}"}
        low, high = _suppression_interval(*sides, found.identity[own], seed)
        means = [side.mean() for side in sides]
        row |= {"share_before": 100 * means[0], "share_after": 100 * means[1], "suppression": spectrum.suppression(*means)}
        rows.append(row | {"low": low, "high": high})
    return _table(rows)


def noise_table(found: Spectra, seed: int) -> pd.DataFrame:
    """PSNR and SNR under noise before and after each module, in dB, means over images, and the gain by the module.

    Columns: module, modality, psnr_before, psnr_after, psnr_gain, psnr_low, psnr_high, and the same with snr; low and high are
    the 95 % interval of the gain over people.
    """
    rows = []
    for before, after, modality, own in _each_step(found):
        row: dict[str, object] = {"module": after, "modality": modality}
        psnr = [noise.psnr(found.error[name][own]) for name in (before, after)]
        snr = [noise.decibel(found.signal[name][own] / found.error[name][own]) for name in (before, after)]
        for kind, sides in (("psnr", psnr), ("snr", snr)):
            gain = sides[1] - sides[0]
            low, high = metrics.bootstrap_interval(gain, found.identity[own], seed)
            row |= {f"{kind}_before": sides[0].mean(), f"{kind}_after": sides[1].mean(), f"{kind}_gain": gain.mean()}
            row |= {f"{kind}_low": low, f"{kind}_high": high}
        rows.append(row)
    return _table(rows)


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Keeps a header even without rows: a CSV file without one cannot be read."""
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["module", "modality"])


def _each_step(found: Spectra) -> list[tuple[str, str, str, np.ndarray]]:
    pairs = [pair for line in found.chains.values() for pair in steps(line)]
    return [(*pair, modality, own) for pair in pairs for modality, own in _modalities(found)]


def _modalities(found: Spectra) -> list[tuple[str, np.ndarray]]:
    return [(modality, own) for modality in MODALITIES if (own := found.modality == modality).any()]


def _by_point(found: Spectra, of: Callable[[Sequence[str], np.ndarray], dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    return {chain: {modality: of(line, own) for modality, own in _modalities(found)} for chain, line in found.chains.items()}


def _band(values: np.ndarray) -> pd.DataFrame:
    low, high = np.quantile(values, BAND, axis=0)
    return pd.DataFrame({"frequency": np.arange(values.shape[1]), "mean": values.mean(0), "low": low, "high": high})


def _suppression_interval(before: np.ndarray, after: np.ndarray, identity: np.ndarray, seed: int) -> tuple[float, float]:
    """95 % percentile interval over people."""
    _, person = np.unique(identity, return_inverse=True)
    sums = [np.bincount(person, weights=side) for side in (before, after)]
    drawn = multiplicities(len(sums[0]), 1000, seed)
    low, high = interval(spectrum.suppression(*(drawn @ side for side in sums)))
    return float(low), float(high)
