"""The spectra of a sample of test images at chosen points of a network.

Spectra are taken batch by batch, since those of a whole sample would not fit into memory; the maps themselves are kept, in float32,
until the products of any two images are taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from fsclib.analysis.frequency import maps, noise, spectrum
from fsclib.config.strict import AUTO
from fsclib.data.augment import normalise
from fsclib.data.batches import by_modality
from fsclib.data.images import Images
from fsclib.data.records import MODALITIES, seen_by_both, select
from fsclib.models.base import Network
from fsclib.system.progress import progress


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of N images at some points of a network; identity, camera and modality (N,), the rest by point.

    energy    (N, C, R) mean |F|² of each channel in each ring, spectrum.by_ring
    picture   (N, H, W) mean |F|² over channels, centred
    share     (N,) of energy outside the original's low-frequency box, mean over channels that are not zero, 0 to 1
    products  (C, N, N) of the maps of any two images, noise.products
    error     (N, C) mean squared change of the maps when noise is added to the input
    chains    connected points, by name of the chain
    """

    identity: NDArray[np.int64]
    camera: NDArray[np.int64]
    modality: NDArray[np.str_]
    energy: dict[str, NDArray[np.float64]]
    picture: dict[str, NDArray[np.float64]]
    share: dict[str, NDArray[np.float64]]
    products: dict[str, NDArray[np.float64]]
    error: dict[str, NDArray[np.float64]]
    chains: dict[str, list[str]]

    def only(self, chosen: np.ndarray) -> "Spectra":
        """The spectra of some images, given by positions or a mask (N,)."""
        by_image = (self.energy, self.picture, self.share, self.error)
        energy, picture, share, error = ({key: value[chosen] for key, value in part.items()} for part in by_image)
        products = {key: value[:, chosen][:, :, chosen] for key, value in self.products.items()}
        labels = self.identity[chosen], self.camera[chosen], self.modality[chosen]
        return Spectra(*labels, energy, picture, share, products, error, self.chains)

    def pair(self, identity: int) -> "Spectra":
        """The spectra of the first visible and the first infrared image of a person."""
        own = [np.flatnonzero((self.identity == identity) & (self.modality == modality))[:1] for modality in MODALITIES]
        return self.only(np.concatenate(own))

    def size(self, point: str) -> tuple[int, int]:
        """Height and width of the maps at a point."""
        return self.picture[point].shape[1:]


def chains(net: Network, layers: Sequence[str]) -> tuple[dict[str, list[str]], str]:
    """The chains that contain the chosen points (maps.chains; other points form their own chain), and a sentence describing them.

    Without chosen points: the chains of the views; if these have no modules, or there are none, those of similar modules or layers.
    Errors: ValueError for names that are not points of the network.
    """
    found = maps.chains(net)
    views = {name: line for name, line in found.items() if name.startswith("view ")}
    modules = list(dict.fromkeys(name.split(" ", 2)[2] for line in views.values() for name in line[1:]))
    kind = type(net).__name__
    if layers:
        maps.select(net, layers)
        lines = [next((line for line in found.items() if name in line[1]), (name, [name])) for name in layers]
        return dict(lines), f"{kind}, at the chosen points"
    if modules:
        return views, f"{kind}: {', '.join(modules)} in each of {len(views)} views beside the plain one"
    if views:
        return found, f"{kind} has no modules in its views: their inputs, and the MFA aggregations before and after"
    if found:
        return found, f"{kind} has no views beside the plain one and no modules of FSC-Net: its non-local blocks, before and after"
    return {name: [name] for name in maps.points(net) if name.startswith("layer")}, f"{kind} has no modules: its layers"


def sample(records: pd.DataFrame, people: int, each: int, seed: int, person: int | str = AUTO) -> np.ndarray:
    """Rows of test images: at most `each` per modality, of at most `people` identities in both modalities, `person` first if given.

    Errors: ValueError for a person that the test set does not show in both modalities.
    """
    test = records.iloc[select(records, "test")].assign(row=select(records, "test"))
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(seen_by_both(test)).tolist()
    if person != AUTO:
        if person not in drawn:
            raise ValueError(f"person: found {person}, expected one seen in both modalities: {', '.join(map(str, sorted(drawn)))}")
        drawn = [person, *(who for who in drawn if who != person)]
    rows = [
        rng.permutation(test.loc[(test["identity"] == who) & (test["modality"] == modality), "row"])[:each]
        for who in drawn[:people]
        for modality in MODALITIES
    ]
    return np.concatenate(rows).astype(np.int64)


def pairs(records: pd.DataFrame, rows: np.ndarray, people: int) -> np.ndarray:
    """The first visible and the first infrared image of each of the first people in `rows`, in that order."""
    table = records.iloc[rows].assign(row=rows).drop_duplicates(["identity", "modality"])
    kept = table[table["identity"].isin(table["identity"].unique()[:people])]
    return kept["row"].to_numpy()


def measure(
    net: Network,
    images: Images,
    rows: np.ndarray,
    device: torch.device,
    lines: Mapping[str, list[str]],
    level: float,
    seed: int,
    *,
    show: bool = True,
) -> Spectra:
    """Spectra of records `rows`, visible ones first, at the points of chains and at the input; noise as in noise.disturbed.

    With level 0 the network runs only once, and every error is 0.
    """
    names = list(dict.fromkeys(["input", *(name for line in lines.values() for name in line)]))
    kept: list[dict[str, tuple[np.ndarray, ...]]] = []
    order = []
    with progress(len(rows), "measuring spectra", shown=show) as bar:
        for modality, part in by_modality(images.records, rows, maps.BATCH):
            pixels = normalise(torch.from_numpy(images.take(part)).to(device))
            clean = maps.capture(net, pixels, modality, names)
            noisy = maps.capture(net, noise.disturbed(pixels, part, level, seed), modality, names) if level else clean
            kept.append({name: _reduced(clean[name], noisy[name]) for name in clean})
            order.append(part)
            bar.update(len(part))
    parts: dict[str, list[np.ndarray]] = {}
    for name in list(kept[0]):
        *reduced, whole = (np.concatenate(same) for same in zip(*(found.pop(name) for found in kept), strict=True))
        parts[name] = [*reduced, noise.products(whole)]
    energy, picture, share, error, products = ({name: part[number] for name, part in parts.items()} for number in range(5))
    chosen = images.records.iloc[np.concatenate(order)]
    labels = chosen["identity"].to_numpy(), chosen["camera"].to_numpy(), chosen["modality"].to_numpy(str)
    return Spectra(*labels, energy, picture, share, products, error, maps.resolved(lines, list(parts)))


def _reduced(clean: np.ndarray, noisy: np.ndarray) -> tuple[np.ndarray, ...]:
    power = spectrum.energy(clean)
    share = np.nanmean(spectrum.high_share(power), axis=1)
    return spectrum.by_ring(power), power.mean(1), share, noise.squared_error(noisy, clean), clean
