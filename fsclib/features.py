"""Embeddings of images by a network, and how similar they are.

An image and its mirror image go through the network; per view, pooled features f and neck features b are each L2-normalised, and
those of image and mirror image are added. similarity = Σ over views of (w_f ⟨f, f'⟩ + w_b ⟨b, b'⟩). METHOD, section 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor

from fsclib.data.augment import normalise
from fsclib.data.batches import by_modality
from fsclib.data.images import Images
from fsclib.disk import make_folder
from fsclib.machine import autocast
from fsclib.models.networks import Network
from fsclib.progress import progress
from fsclib.ranks import ALONE, Ranks
from fsclib.tensorfile import open_tensors, write_tensors

WEIGHTINGS = {"equal": (1.0, 1.0), "neck": (0.1, 0.9)}  # of pooled and of neck features; the published programs report both


@dataclass(frozen=True, eq=False)
class Features:
    """What images are compared by: L2-normalised features of each view, side by side, for image and mirror image.

    rows (N,) int64, the records; pool and neck (2, N, V·D), [0] of the image, [1] of its mirror image: float32, or float16 from a
    network that ran in half precision, which has no more digits to keep.
    """

    rows: np.ndarray
    pool: Tensor
    neck: Tensor

    def of(self, rows: np.ndarray, mirror: bool) -> tuple[Tensor, Tensor]:
        """Pooled and neck features of records `rows`, (len(rows), V·D) float32 each, with the mirror image's added or not.

        Errors: ValueError for a row that was not embedded, or only without its mirror image.
        """
        if mirror and len(self.pool) == 1:
            raise ValueError("mirror: found features of images alone; embed them with mirror=True")
        if (missing := np.setdiff1d(rows, self.rows)).size:
            raise ValueError(f"rows: found {missing[:10]}, of which there are no features; embed them as well")
        order = np.argsort(self.rows)
        place = torch.from_numpy(order[np.searchsorted(self.rows, rows, sorter=order)])
        return tuple(x[: 1 + mirror, place].float().sum(0) for x in (self.pool, self.neck))

    def joined(self, rows: np.ndarray, mirror: bool, weighting: str = "equal") -> Tensor:
        """Pooled and neck features of records `rows` side by side, so that inner products are similarities: (len(rows), 2·V·D)
        float32. Errors: as in `of`."""
        return torch.cat([weight**0.5 * x for weight, x in zip(WEIGHTINGS[weighting], self.of(rows, mirror), strict=True)], 1)


@torch.inference_mode()
def embed(
    net: Network,
    images: Images,
    rows: np.ndarray,
    device: torch.device,
    precision: torch.dtype,
    *,
    mirror: bool = True,
    batch: int = 64,
    show: bool = True,
    ranks: Ranks = ALONE,
) -> Features | None:
    """Features of records `rows`, in evaluation mode; the network is given back in the mode it came in.

    A network from models.folding.folded is the faster one.
    With mirror=False the mirror images are not computed, and Features.of refuses to add them.
    Several `ranks` take turns at the batches, and the first returns what all have found, the others None.
    """
    was_training, kept_as = net.training, torch.float32 if precision == torch.float32 else torch.float16
    net.eval()
    batches, pool, neck = list(by_modality(images.records, rows, batch)), [], []
    with progress(len(rows), "embedding images", shown=show and ranks.first) as bar:
        for kind, chosen in batches[ranks.rank :: ranks.count]:
            pixels = normalise(torch.from_numpy(images.take(chosen)).to(device)).contiguous(memory_format=torch.channels_last)
            if mirror:
                pixels = torch.cat([pixels, pixels.flip(3)])
            with autocast(device, precision):
                found = net.embed(pixels, kind)
            for parts, kept in zip(found, (pool, neck), strict=True):
                kept.append(F.normalize(parts.float(), dim=2).flatten(1).unflatten(0, (1 + mirror, -1)).to(kept_as).cpu())
            bar.update(min(len(chosen) * ranks.count, len(rows) - bar.n))
    net.train(was_training)
    shares = [[chosen for _, chosen in batches[rank :: ranks.count]] for rank in range(ranks.count)]
    sizes = [sum(map(len, share)) for share in shares]
    found = ranks.gathered([torch.cat(parts, 1) for parts in (pool, neck) if parts], sizes)
    ordered = np.concatenate([chosen for share in shares for chosen in share])
    return Features(ordered, *found) if ranks.first else None


def similarity(queries: tuple[Tensor, Tensor], gallery: tuple[Tensor, Tensor], weighting: str = "equal") -> np.ndarray:
    """(Q, G) float32 from (pool, neck) of both sides, (Q, V·D) and (G, V·D)."""
    pool, neck = WEIGHTINGS[weighting]
    return (queries[0] @ gallery[0].T).addmm_(queries[1], gallery[1].T, beta=pool, alpha=neck).numpy()


def write_features(file: Path, features: Features, origin: Mapping[str, str]) -> None:
    """Keeps features in a safetensors file; `origin` says what they were made from."""
    make_folder(file.parent)
    tensors = {"rows": torch.from_numpy(features.rows), "pool": features.pool, "neck": features.neck}
    write_tensors(file, {name: value.contiguous() for name, value in tensors.items()}, origin)


def read_features(file: Path, origin: Mapping[str, str]) -> Features | None:
    """Features kept in the file, or None where there is none, or one of another origin, or one that cannot be read."""
    try:
        with open_tensors(file) as kept:
            if kept.metadata() != dict(origin):
                return None
            rows, pool, neck = (kept.get_tensor(name) for name in ("rows", "pool", "neck"))
    except (OSError, SafetensorError, MemoryError):  # a file too large to be mapped
        return None
    whole = rows.dtype == torch.int64 and rows.ndim == 1 and pool.ndim == 3 and pool.shape[:2] == (2, len(rows))
    alike = pool.shape == neck.shape and pool.dtype == neck.dtype and pool.dtype in (torch.float32, torch.float16)
    return Features(rows.numpy(), pool, neck) if whole and alike else None
