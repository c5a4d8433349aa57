"""What the gates of frequency semantic attention (FSA) do, and what they cannot do.

FSA multiplies the real part R of a channel's spectrum by w_R and the imaginary part I by w_I, the same at every frequency. With
x̃[h, w] = x[−h mod H, −w mod W] that is (METHOD, identity 1)

    y = ½(w_R + w_I)·x + ½(w_R − w_I)·x̃,        |Y|² = w_R²·R² + w_I²·I²,

so the gain |Y|/|X| of a channel lies between its two gates at every frequency: it follows phase, not radius, and the energy at
any two frequencies of a channel changes by factors whose ratio is the squared ratio of the gates at most. One frequency alone has
a fixed phase on every map: the zero frequency, the mean, is real, and its gain is w_R. There, and not along the radius, gates that
differ can shift energy between low and high systematically.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fsclib import spectrum
from fsclib.data.augment import normalise
from fsclib.data.batches import by_modality
from fsclib.data.images import Images
from fsclib.frequency import maps
from fsclib.models.fsc import FrequencySemanticAttention, mirrored
from fsclib.models.networks import Network

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class Gated:
    """What one FSA received and put out, (N, c, H, W) float32, and its gates, (N, c) float64 between 0 and 1."""

    maps: NDArray[np.float32]
    output: NDArray[np.float32]
    real: NDArray[np.float64]
    imaginary: NDArray[np.float64]


def collect(net: Network, images: Images, rows: np.ndarray, device: torch.device) -> dict[str, dict[str, Gated]]:
    """Every FSA of a network, wherever it stands, by its point (maps.points), then by modality, on records `rows` in their order.

    Empty for a network without any.
    """
    steps = {name: point for name, point in maps.points(net).items() if isinstance(point.modules[0], FrequencySemanticAttention)}
    names = [part for name, point in steps.items() for part in (point.before, name)]
    found: dict[str, dict[str, list[Gated]]] = {name: {} for name in steps}
    for modality, part in by_modality(images.records, rows, maps.BATCH) if steps else ():
        kept = maps.capture(net, normalise(torch.from_numpy(images.take(part)).to(device)), modality, names)
        for name, point in steps.items():
            found[name].setdefault(modality, []).append(gated(point.modules[0], kept[point.before], kept[name]))
    return {name: {modality: _joined(parts) for modality, parts in group.items()} for name, group in found.items()}


@torch.inference_mode()
def gated(step: FrequencySemanticAttention, received: NDArray[np.float32], output: NDArray[np.float32]) -> Gated:
    """An FSA's maps and the gates that it gives to them."""
    given = torch.from_numpy(received).to(step.reduce.weight.device)
    real, imaginary = (gate.double().cpu().numpy() for gate in step.gates(step.spectrum(given)))
    return Gated(received, output, real, imaginary)


def _joined(found: Sequence[Gated]) -> Gated:
    return Gated(*(np.concatenate([getattr(part, f.name) for part in found]) for f in fields(Gated)))


def inverse_transform(found: Gated) -> NDArray[np.float64]:
    """FSA as it is published: transform, gate real and imaginary part, transform back. (N, c, H, W)."""
    spectrum = np.fft.rfft2(found.maps.astype(np.float64), norm="ortho")
    real, imaginary = (gate[..., None, None] for gate in (found.real, found.imaginary))
    return np.fft.irfft2(real * spectrum.real + 1j * imaginary * spectrum.imag, s=found.maps.shape[-2:], norm="ortho")


def by_parity(found: Gated) -> NDArray[np.float64]:
    """FSA by the identity: ½(w_R + w_I)·x + ½(w_R − w_I)·x̃. (N, c, H, W)."""
    received = torch.from_numpy(found.maps).double()
    real, imaginary = (gate[..., None, None] for gate in (found.real, found.imaginary))
    return (real + imaginary) / 2 * received.numpy() + (real - imaginary) / 2 * mirrored(received).numpy()


def gain(found: Gated) -> NDArray[np.float64]:
    """|Y|/|X| of each channel at each frequency, centred, from what FSA received and put out: (N, c, H, W).

    nan where |X| is less than a hundredth of the root mean square of its channel: float32 rounding would show as a gain.
    """
    before, after = (np.sqrt(spectrum.energy(part)) for part in (found.maps, found.output))
    floor = 1e-2 * np.sqrt((before**2).mean((-2, -1), keepdims=True))
    return np.divide(after, before, out=np.full_like(before, np.nan), where=before > floor)


def place(found: Gated) -> NDArray[np.float64]:
    """Where gains (N, c, H, W) lie between the two gates of their channel: 0 at the smaller one, 1 at the larger.

    nan where gain is, and where the gates are within 1 % of each other: rounding would decide.
    """
    low, high = (part[..., None, None] for part in _ends(found))
    return np.divide(gain(found) - low, high - low, out=np.full(found.maps.shape, np.nan), where=high > 1.01 * low)


def example(found: Gated) -> pd.DataFrame:
    """The channel and image whose gates are furthest apart, as a ratio: a row a frequency at which there is a gain.

    Columns: radius, in cycles per image height, gain, and the gates real and imaginary, the same in each row.
    """
    image, channel = np.unravel_index(_ratio(found).argmax(), found.real.shape)
    one = Gated(*(getattr(found, f.name)[image : image + 1, channel : channel + 1] for f in fields(Gated)))
    height, width = found.maps.shape[-2:]
    rows = {"radius": spectrum.radii(height, width).ravel(), "gain": gain(one).ravel()}
    return pd.DataFrame(rows).assign(real=one.real.item(), imaginary=one.imaginary.item()).dropna(ignore_index=True)


def check(found: Gated) -> dict[str, float]:
    """The identity and its consequence on real maps.

    identity   largest |inverse transform − identity|, relative to the largest |inverse transform|
    network    the same for what the network put out, in float32
    outside    share of gains that lie outside the two gates by more than a thousandth of the larger one, in per cent
    span_5% …  quantiles over channels and images of the ratio of the larger gate to the smaller, in dB: how far the gains of a
               channel can differ at most
    """
    plain = inverse_transform(found)
    largest = np.abs(plain).max()
    gains = gain(found)
    low, high = _ends(found)
    known, margin = ~np.isnan(gains), 1e-3 * high[..., None, None]
    beyond = (gains < low[..., None, None] - margin) | (gains > high[..., None, None] + margin)
    return {
        "identity": float(np.abs(by_parity(found) - plain).max() / largest),
        "network": float(np.abs(found.output - plain).max() / largest),
        "outside": float(100 * beyond[known].mean()),
        **{f"span_{q:.0%}": float(np.quantile(20 * np.log10(_ratio(found)), q)) for q in QUANTILES},
    }


def checks(found: Mapping[str, Mapping[str, Gated]]) -> pd.DataFrame:
    """`check` of each FSA and modality, a row each."""
    return pd.DataFrame([{"module": n, "modality": m} | check(part) for n, group in found.items() for m, part in group.items()])


def distributions(found: Mapping[str, Mapping[str, Gated]]) -> pd.DataFrame:
    """`distribution` of each FSA and modality, one below the other."""
    rows = [distribution(part).assign(module=n, modality=m) for n, group in found.items() for m, part in group.items()]
    table = pd.concat(rows, ignore_index=True)
    return table[["module", "modality", *table.columns[:-2]]]


def parts(found: Gated) -> dict[str, NDArray[np.float64]]:
    """w_R, w_I and their difference, (N, c) each, by name."""
    return {"w_R": found.real, "w_I": found.imaginary, "w_R − w_I": found.real - found.imaginary}


def histograms(found: Mapping[str, Mapping[str, Gated]]) -> dict[str, dict[str, dict[str, NDArray[np.float64]]]]:
    """What figures.gate_histograms draws: `parts` of each FSA and modality."""
    return {name: {modality: parts(part) for modality, part in group.items()} for name, group in found.items()}


def examples(found: Mapping[str, Gated], name: str) -> tuple[dict[str, pd.DataFrame], dict[str, NDArray[np.float64]]]:
    """What figures.gains draws of one FSA: `example` of each modality under a title, and the places of all gains."""
    places = {modality: place(part) for modality, part in found.items()}
    known = {modality: part[~np.isnan(part)] for modality, part in places.items()}
    return {f"{name}, {modality}": example(part) for modality, part in found.items()}, known


def distribution(found: Gated) -> pd.DataFrame:
    """Gates of a group of images: a row for w_R, w_I and w_R − w_I.

    Columns: gate, mean, quantiles over channels and images, between_channels and between_images: the standard deviations of a
    channel's mean over images, and, within a channel, of images: how much of a gate is fixed, and how much follows the image.
    """
    rows = []
    for name, values in parts(found).items():
        row = {"gate": name, "mean": values.mean()} | {f"{q:.0%}": np.quantile(values, q) for q in QUANTILES}
        row |= {"between_channels": values.mean(0).std(), "between_images": np.sqrt(values.var(0).mean())}
        rows.append(row)
    return pd.DataFrame(rows)


def _ends(found: Gated) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.minimum(found.real, found.imaginary), np.maximum(found.real, found.imaginary)


def _ratio(found: Gated) -> NDArray[np.float64]:
    """Larger gate by smaller one, (N, c); a gate that has saturated at 0 counts as one in a million."""
    low, high = _ends(found)
    return high / np.maximum(low, 1e-6)
