"""The transfer |Y|/|X| of a module by radius, and whether it slopes as a filter's would.

For an image with energies X[c, r] before and Y[c, r] after, channel c, ring r (spectrum.by_ring):

    per channel   T(r) = exp mean_c ½ log(Y[c, r] / X[c, r])      geometric mean over channels
    pooled        √(Σ_c Y[c, r] / Σ_c X[c, r])

A module that multiplies each channel by a constant, Y = s_c²·X, filters nothing, and its T is the geometric mean of s_c at every
radius. Its pooled ratio slopes as soon as s_c is correlated with the channels' spectra: a ring is dominated by the channels that
are strong there. `scaled` are the energies that such scaling alone would leave, so the pooled ratio can be compared with it.

The tilt of a transfer is its least-squares line in dB over the radii from 1 on, last minus first: negative for a low-pass. Radius 0
is the mean of the map, one number and no band.
"""

import numpy as np
from numpy.typing import NDArray

SILENT = 1e-12  # energy of a ring, relative to the channel's largest, below which float32 rounding would look like a gain
FLAT = 1.0  # dB between the lowest and the highest radius, 12 % of amplitude: a smaller tilt does not count as a filter


def per_channel(before: np.ndarray, after: np.ndarray) -> NDArray[np.float64]:
    """T(r) of each image, (N, R), from energies (N, C, R).

    Channels with a silent ring before the module, or silent after it, have no ratio and are left out; nan without any channel.
    A ring that a module erases counts as −60 dB.
    """
    ratio, known = _log_ratio(before, after)
    number = known.sum(1)[:, None]
    mean = np.divide(np.where(known[..., None], ratio, 0).sum(1), number, out=np.full(ratio[:, 0].shape, np.nan), where=number > 0)
    return np.exp(mean)


def pooled(before: np.ndarray, after: np.ndarray) -> NDArray[np.float64]:
    """√(energy of all channels after / before) of each image, (N, R), from energies (N, C, R); nan where there is none before."""
    given, out = before.sum(1), after.sum(1)
    return np.sqrt(np.divide(out, given, out=np.full_like(out, np.nan), where=given > 0))


def scaled(before: np.ndarray, after: np.ndarray) -> NDArray[np.float64]:
    """Energies (N, C, R) that a module would leave that only multiplied each channel of each image by its mean gain."""
    ratio, known = _log_ratio(before, after)
    gain = np.where(known, ratio.mean(2), 0)
    return np.where(known[..., None], before * np.exp(2 * gain)[..., None], after)


def tilt(transfer: np.ndarray) -> NDArray[np.float64]:
    """Tilt of transfers (…, R) in dB: (…); nan with fewer than two radii above 0."""
    count = transfer.shape[-1] - 1
    if count < 2:
        return np.full(transfer.shape[:-1], np.nan)
    centred = np.arange(count) - (count - 1) / 2
    return 20 * np.log10(transfer[..., 1:]) @ centred * (count - 1) / (centred**2).sum()


def verdict(low: float, high: float) -> str:
    """What a 95 % interval of the tilt per channel says."""
    if low > FLAT:
        return "high-pass"
    if high < -FLAT:
        return "low-pass"
    if low > -FLAT and high < FLAT:
        return f"no filter: flat to {FLAT:g} dB"
    return "undecided"


def _log_ratio(before: np.ndarray, after: np.ndarray) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """½ log(Y/X), (N, C, R), and which channels have one, (N, C)."""
    known = (before > SILENT * before.max(2, keepdims=True)).all(2) & (after > 0).any(2)
    power = np.divide(after, before, out=np.ones_like(before), where=known[..., None])
    return np.log(np.maximum(power, 1e-6)) / 2, known
