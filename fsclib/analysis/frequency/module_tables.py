"""Numbers for each module of a network and either modality, with 95 % intervals over people and cameras."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from fsclib.analysis.frequency import noise, spectral_gap, spectrum, transfer
from fsclib.analysis.frequency.before_after import modalities, steps
from fsclib.analysis.frequency.measurement import Spectra
from fsclib.metrics.bootstrap import image_multiplicities, interval


def filtering(found: Spectra, seed: int) -> pd.DataFrame:
    """Whether the transfer of each module slopes, in dB.

    Columns: module, modality, level (transfer per channel over radii from 1 on), mean (at radius 0, relative to the level), tilt
    per channel with low and high, pooled_tilt with pooled_low and pooled_high, scaling_tilt (that of the pooled ratio if each
    channel were only scaled), and verdict, which rests on the tilt per channel alone (transfer.verdict).
    """
    rows = []
    for row, before, after, own, times in _each_step(found, seed):
        energies = found.energy[before][own], found.energy[after][own]
        alone, together = transfer.per_channel(*energies), transfer.pooled(*energies)
        scaling = transfer.pooled(energies[0], transfer.scaled(*energies))
        mean, *band = 20 * np.nanmean(np.log10(alone), axis=0)
        row |= {"level": np.mean(band), "mean": mean - np.mean(band)}
        row |= dict(zip(("tilt", "low", "high"), _estimate(transfer.tilt(alone), times), strict=True))
        row |= dict(zip(("pooled_tilt", "pooled_low", "pooled_high"), _estimate(transfer.tilt(together), times), strict=True))
        rows.append(row | {"scaling_tilt": transfer.tilt(scaling).mean(), "verdict": transfer.verdict(row["low"], row["high"])})
    return _table(rows)


def sentences(table: pd.DataFrame) -> str:
    """The verdicts of `filtering`, one line per row, with what they rest on."""
    text = (
        "{module}, {modality}: {verdict}. Tilt per channel {tilt:+.2f} dB ({low:+.2f} to {high:+.2f}); pooled {pooled_tilt:+.2f} "
        "dB ({pooled_low:+.2f} to {pooled_high:+.2f}), to which scaling channels alone would give {scaling_tilt:+.2f} dB"
    )
    return "\n".join(text.format_map(row) for row in table.to_dict("records")) or "no module: nothing to compare before and after"


def suppression(found: Spectra, seed: int) -> pd.DataFrame:
    """High-frequency share before and after each module, and suppression, in per cent.

    Columns: module, modality, map, box (the number of frequencies of the map in the box), share_before, share_after, suppression,
    low, high.
    """
    rows = []
    for row, before, after, own, times in _each_step(found, seed):
        height, width = found.size(after)
        inside = np.zeros((height, width))[spectrum.low_box(height, width)].size
        row |= {"map": f"{height}×{width}", "box": f"{inside} of {height * width}"}
        sides = found.share[before][own], found.share[after][own]
        low, high = interval(spectrum.suppression(*(times @ side for side in sides)))
        means = [side.mean() for side in sides]
        row |= {"share_before": 100 * means[0], "share_after": 100 * means[1], "suppression": spectrum.suppression(*means)}
        rows.append(row | {"low": low, "high": high})
    return _table(rows)


def under_noise(found: Spectra, seed: int) -> pd.DataFrame:
    """PSNR and SNR (noise.py) under noise before and after each module, in dB, and the gain by the module.

    Columns: module, modality, psnr_before, psnr_after, psnr_gain, psnr_low, psnr_high, and the same with snr; low and high are the
    interval of the gain. Channels that noise does not reach, before or after the module, are left out of the SNR; it is nan without
    two images of a person.
    """
    rows = []
    for row, before, after, own, times in _each_step(found, seed):
        names = before, after
        psnr = [noise.psnr(found.error[name][own].mean(1)) for name in names]
        drawn = [times @ side / times.sum(1) for side in psnr]
        row |= _gains("psnr", psnr[0].mean(), psnr[1].mean(), drawn[0], drawn[1])
        once = np.ones((1, own.sum()))
        ratios = [_signal_over_noise(found, name, own, np.concatenate([once, times])) for name in names]
        known = np.isfinite([ratio[0] for ratio in ratios]).all(0)
        snr = [_decibel(ratio[:, known]) for ratio in ratios]
        row |= _gains("snr", snr[0][0], snr[1][0], snr[0][1:], snr[1][1:])
        rows.append(row)
    return _table(rows)


def gap_changes(found: Spectra, seed: int) -> pd.DataFrame:
    """The modality gap (spectral_gap.py), mean over radii, before and after each module, and its change.

    Columns: module, before, after, change, low, high: the interval of the change, both sides resampled together.
    """
    rows = []
    labels = found.identity, found.camera, found.modality
    for line in found.chains.values():
        points = {name: spectral_gap.resampled(found.energy[name], *labels, seed) for name in line} if steps(line) else {}
        for before, after in steps(line):
            (first, earlier), (last, later) = points[before], points[after]
            low, high = interval((later - earlier).mean(1))
            means = {"before": first.mean(), "after": last.mean(), "change": (last - first).mean()}
            rows.append({"module": after} | means | {"low": low, "high": high})
    return _table(rows)


def _signal_over_noise(found: Spectra, name: str, own: np.ndarray, times: np.ndarray) -> np.ndarray:
    """V / MSE of each channel, (K, C), if image i counts times[k, i] times; nan for a channel without noise, or without signal."""
    parts = noise.between_people(found.products[name][:, own][:, :, own], found.identity[own])
    known = ~np.isnan(parts).any(1)  # images with another one of the same person
    signal, weight = times[:, known] @ parts[known], times[:, known].sum(1, keepdims=True)
    error = times @ found.error[name][own] * weight / times.sum(1, keepdims=True)
    return np.divide(signal, error, out=np.full_like(signal, np.nan), where=error > 0)


def _decibel(ratios: np.ndarray) -> np.ndarray:
    """SNR in dB, (K,), from V / MSE of the channels, (K, C); nan without a channel, or where V is not positive."""
    mean = ratios.sum(1) / max(1, ratios.shape[1])
    return noise.decibel(np.where(mean > 0, mean, np.nan))


def _gains(kind: str, before: float, after: float, drawn_before: np.ndarray, drawn_after: np.ndarray) -> dict[str, float]:
    drawn = (drawn_after - drawn_before)[np.isfinite(drawn_before) & np.isfinite(drawn_after)]  # one person alone has no signal
    low, high = interval(drawn) if len(drawn) else (np.nan, np.nan)
    ends = {f"{kind}_low": low, f"{kind}_high": high}
    return {f"{kind}_before": before, f"{kind}_after": after, f"{kind}_gain": after - before} | ends


def _estimate(values: np.ndarray, times: np.ndarray) -> tuple[float, float, float]:
    """Mean of the values of images that are not nan, and its interval."""
    known = ~np.isnan(values)
    total = times[:, known].sum(1)
    if not total.any():
        return np.nan, np.nan, np.nan
    low, high = interval((times[:, known] @ values[known])[total > 0] / total[total > 0])
    return float(values[known].mean()), float(low), float(high)


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Keeps a header even without rows: a CSV file without one cannot be read."""
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["module", "modality"])


def _each_step(found: Spectra, seed: int) -> Iterator[tuple[dict[str, Any], str, str, np.ndarray, np.ndarray]]:
    """For each module and modality: the head of its row, the points before and after, its images, and how often they are drawn."""
    people, cameras, sides = found.identity, found.camera, found.modality
    drawn = {name: image_multiplicities(people[own], cameras[own], sides[own], 1000, seed) for name, own in modalities(found)}
    for line in found.chains.values():
        for before, after in steps(line):
            for modality, own in modalities(found):
                yield {"module": after, "modality": modality}, before, after, own, drawn[modality]
