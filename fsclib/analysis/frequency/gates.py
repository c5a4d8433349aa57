"""The effect of the gates of frequency semantic attention (FSA), and its limits.

FSA multiplies the real part R of a channel's spectrum by w_R and the imaginary part I by w_I, the same at every frequency. With
x̃[h, w] = x[−h mod H, −w mod W] that is

    y = ½(w_R + w_I)·x + ½(w_R − w_I)·x̃,        |Y|² = w_R²·R² + w_I²·I²,

so the gain |Y|/|X| of a channel lies between its two gates at every frequency: it depends on phase, not radius, and the factors
by which the energy at any two frequencies of a channel changes differ at most by the squared ratio of the gates. Only frequencies
that are their own mirror image have a fixed phase on every map: the spectrum is real there, and the gain is w_R. These are the zero
frequency, the mean, and, along a side of even length, the highest frequency (`real_bins`): (0, 0) and (6, 0) on maps of 12×5. Only
there, and not along the radius, can unequal gates systematically shift energy between frequencies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fsclib.analysis.frequency import maps, spectrum
from fsclib.data.augment import normalise
from fsclib.data.batches import by_modality
from fsclib.data.images import Images
from fsclib.models.base import Network
from fsclib.models.fsc import FrequencySemanticAttention, mirrored

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class Gated:
    """Input and output of one FSA, (N, c, H, W) float32, and its gates, (N, c) float64 between 0 and 1."""

    maps: NDArray[np.float32]
    output: NDArray[np.float32]
    real: NDArray[np.float64]
    imaginary: NDArray[np.float64]


def collect(net: Network, images: Images, rows: np.ndarray, device: torch.device) -> dict[str, dict[str, Gated]]:
    """Every FSA of a network by its point (maps.points), then by modality, on records `rows` in their order.

    Empty for a network without FSA.
    """
    places = maps.points(net).items()
    steps = {name: (point, step) for name, point in places if isinstance(step := point.modules[0], FrequencySemanticAttention)}
    names = [part for name, (point, _) in steps.items() for part in (point.before, name)]
    found: dict[str, dict[str, list[Gated]]] = {name: {} for name in steps}
    for modality, part in by_modality(images.records, rows, maps.BATCH) if steps else ():
        kept = maps.capture(net, normalise(torch.from_numpy(images.take(part)).to(device)), modality, names)
        for name, (point, step) in steps.items():
            found[name].setdefault(modality, []).append(gated(step, kept[point.before], kept[name]))
    return {name: {modality: _joined(parts) for modality, parts in group.items()} for name, group in found.items()}


@torch.inference_mode()
def gated(step: FrequencySemanticAttention, received: NDArray[np.float32], output: NDArray[np.float32]) -> Gated:
    """Input, output and gates of an FSA."""
    given = torch.from_numpy(received).to(step.reduce.weight.device)
    real, imaginary = (gate.double().cpu().numpy() for gate in step.gates(step.spectrum(given)))
    return Gated(received, output, real, imaginary)


def _joined(found: Sequence[Gated]) -> Gated:
    return Gated(*(np.concatenate([getattr(part, f.name) for part in found]) for f in fields(Gated)))


def inverse_transform(found: Gated) -> NDArray[np.float64]:
    """FSA as published: transform, gate real and imaginary part, transform back. (N, c, H, W)."""
    spectrum = np.fft.rfft2(found.maps.astype(np.float64), norm="ortho")
    real, imaginary = (gate[..., None, None] for gate in (found.real, found.imaginary))
    return np.fft.irfft2(real * spectrum.real + 1j * imaginary * spectrum.imag, s=found.maps.shape[-2:], norm="ortho")


def by_parity(found: Gated) -> NDArray[np.float64]:
    """The output of FSA by the identity above: ½(w_R + w_I)·x + ½(w_R − w_I)·x̃, (N, c, H, W)."""
    received = torch.from_numpy(found.maps).double()
    real, imaginary = (gate[..., None, None] for gate in (found.real, found.imaginary))
    return (real + imaginary) / 2 * received.numpy() + (real - imaginary) / 2 * mirrored(received).numpy()


def real_bins(height: int, width: int) -> list[tuple[int, int]]:
    """The frequencies of a map at which its spectrum is real, in cycles per height and width: k with k = −k modulo the size.

    One with two odd sides, (0, 0); two with one even side; four with two: (0, 0), (0, W/2), (H/2, 0) and (H/2, W/2).
    """
    rows, columns = ([0] if size % 2 else [0, size // 2] for size in (height, width))
    return [(row, column) for row in rows for column in columns]


def gain(found: Gated) -> NDArray[np.float64]:
    """|Y|/|X| of each channel at each frequency, centred, from input and output of FSA: (N, c, H, W).

    nan where |X| is less than a hundredth of the root mean square of its channel: there float32 rounding would look like a gain.
    """
    before, after = (np.sqrt(spectrum.energy(part)) for part in (found.maps, found.output))
    floor = 1e-2 * np.sqrt((before**2).mean((-2, -1), keepdims=True))
    return np.divide(after, before, out=np.full_like(before, np.nan), where=before > floor)


def place(found: Gated) -> NDArray[np.float64]:
    """The position of gains (N, c, H, W) between the two gates of their channel: 0 at the smaller one, 1 at the larger.

    nan where the gain is nan, and where the gates are within 1 % of each other, so that rounding would dominate.
    """
    low, high = (part[..., None, None] for part in _ends(found))
    return np.divide(gain(found) - low, high - low, out=np.full(found.maps.shape, np.nan), where=high > 1.01 * low)


def example(found: Gated) -> pd.DataFrame:
    """The channel and image with the largest ratio of gates: one row per frequency with a gain.

    Columns: radius, in cycles per image height, gain, fixed (whether the frequency is one of `real_bins`), and the gates real and
    imaginary, the same in each row.
    """
    image, channel = np.unravel_index(_ratio(found).argmax(), found.real.shape)
    one = Gated(*(getattr(found, f.name)[image : image + 1, channel : channel + 1] for f in fields(Gated)))
    height, width = found.maps.shape[-2:]
    rows = {"radius": spectrum.radii(height, width).ravel(), "gain": gain(one).ravel(), "fixed": _fixed(height, width).ravel()}
    return pd.DataFrame(rows).assign(real=one.real.item(), imaginary=one.imaginary.item()).dropna(ignore_index=True)


def check(found: Gated) -> dict[str, float]:
    """Checks the identity and its consequence on real maps.

    identity   largest |inverse transform − identity|, relative to the largest |inverse transform|
    network    the same for the output of the network, in float32
    real       largest difference between w_R and a gain at one of `real_bins`, relative to the larger gate
    outside    share of gains outside the two gates by more than a thousandth of the larger gate, in per cent
    span_5% …  quantiles over channels and images of the ratio of the larger gate to the smaller, in dB: the largest possible
               difference between gains of a channel
    """
    plain = inverse_transform(found)
    largest = np.abs(plain).max()
    gains = gain(found)
    low, high = _ends(found)
    known, margin = ~np.isnan(gains), 1e-3 * high[..., None, None]
    fixed = np.abs(gains[..., _fixed(*gains.shape[-2:])] - found.real[..., None]) / high[..., None]
    beyond = (gains < low[..., None, None] - margin) | (gains > high[..., None, None] + margin)
    return {
        "identity": float(np.abs(by_parity(found) - plain).max() / largest),
        "network": float(np.abs(found.output - plain).max() / largest),
        "real": float(np.nanmax(fixed, initial=0)),
        "outside": float(100 * beyond[known].mean()),
        **{f"span_{q:.0%}": float(np.quantile(20 * np.log10(_ratio(found)), q)) for q in QUANTILES},
    }


def checks(found: Mapping[str, Mapping[str, Gated]]) -> pd.DataFrame:
    """`check` of each FSA and modality, one row per pair; `bins` names the `real_bins` of its maps."""
    pairs = [(module, modality, part) for module, group in found.items() for modality, part in group.items()]
    bins = [" ".join(map(str, real_bins(*part.maps.shape[2:]))) for *_, part in pairs]
    return pd.DataFrame([{"module": n, "modality": m, "bins": b} | check(p) for (n, m, p), b in zip(pairs, bins, strict=True)])


def distributions(found: Mapping[str, Mapping[str, Gated]]) -> pd.DataFrame:
    """`distribution` of each FSA and modality, concatenated."""
    rows = [distribution(part).assign(module=n, modality=m) for n, group in found.items() for m, part in group.items()]
    table = pd.concat(rows, ignore_index=True)
    return table[["module", "modality", *table.columns[:-2]]]


def parts(found: Gated) -> dict[str, NDArray[np.float64]]:
    """w_R, w_I and their difference, (N, c) each, by name."""
    return {"w_R": found.real, "w_I": found.imaginary, "w_R − w_I": found.real - found.imaginary}


def histograms(found: Mapping[str, Mapping[str, Gated]]) -> dict[str, dict[str, dict[str, NDArray[np.float64]]]]:
    """Input of figures.gate_histograms: `parts` of each FSA and modality."""
    return {name: {modality: parts(part) for modality, part in group.items()} for name, group in found.items()}


def examples(found: Mapping[str, Gated], name: str) -> tuple[dict[str, pd.DataFrame], dict[str, NDArray[np.float64]]]:
    """Input of figures.gains for one FSA: `example` of each modality under a title, and the places of all gains."""
    places = {modality: place(part) for modality, part in found.items()}
    known = {modality: part[~np.isnan(part)] for modality, part in places.items()}
    return {f"{name}, {modality}": example(part) for modality, part in found.items()}, known


def distribution(found: Gated) -> pd.DataFrame:
    """Gates of a group of images: one row each for w_R, w_I and w_R − w_I.

    Columns: gate, mean, quantiles over channels and images, between_channels and between_images: the standard deviation of the
    channel means over images, and that of images within a channel: how much of a gate is fixed, and how much depends on the image.
    """
    rows = []
    for name, values in parts(found).items():
        row = {"gate": name, "mean": values.mean()} | {f"{q:.0%}": np.quantile(values, q) for q in QUANTILES}
        row |= {"between_channels": values.mean(0).std(), "between_images": np.sqrt(values.var(0).mean())}
        rows.append(row)
    return pd.DataFrame(rows)


def _fixed(height: int, width: int) -> NDArray[np.bool_]:
    """The `real_bins` in a centred spectrum, (H, W)."""
    found = np.zeros((height, width), bool)
    for row, column in real_bins(height, width):
        found[(row + height // 2) % height, (column + width // 2) % width] = True
    return found


def _ends(found: Gated) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.minimum(found.real, found.imaginary), np.maximum(found.real, found.imaginary)


def _ratio(found: Gated) -> NDArray[np.float64]:
    """Ratio of the larger gate to the smaller, (N, c); a gate saturated at 0 counts as 1e-6."""
    low, high = _ends(found)
    return high / np.maximum(low, 1e-6)
