"""Embeds images with a network and computes their similarity.

The network embeds an image and its mirror image; per view, pooled features f and neck features b are each L2-normalised, and
those of image and mirror image are added. similarity = Σ over views of (w_f ⟨f, f'⟩ + w_b ⟨b, b'⟩), as in the published test
programs of DEEN and FSC-Net.
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
from fsclib.models.base import Network
from fsclib.system.device import autocast
from fsclib.system.disk_space import make_folder
from fsclib.system.processes import ALONE, Processes
from fsclib.system.progress import progress
from fsclib.system.tensor_files import open_tensors, write_tensors

WEIGHTINGS = {"equal": (1.0, 1.0), "neck": (0.1, 0.9)}  # of pooled and of neck features; the published programs report both


@dataclass(frozen=True, eq=False)
class Features:
    """Features that images are compared by: L2-normalised per view, concatenated, for image and mirror image.

    rows (N,) int64, the records; pool and neck (2, N, V·D), [0] of the image, [1] of its mirror image: float32, or float16 from a
    network that ran in half precision, where float32 would keep no more digits.
    """

    rows: np.ndarray
    pool: Tensor
    neck: Tensor

    def of(self, rows: np.ndarray, mirror: bool) -> tuple[Tensor, Tensor]:
        """Pooled and neck features of records `rows`, (len(rows), V·D) float32 each; mirror: add those of the mirror image.

        Errors: ValueError for a row that was not embedded, or only without its mirror image.
        """
        if mirror and len(self.pool) == 1:
            raise ValueError("mirror: found features without mirror images; embed the images with mirror=True")
        if (missing := np.setdiff1d(rows, self.rows)).size:
            raise ValueError(f"rows: found {missing[:10]}, which have no features; embed them as well")
        order = np.argsort(self.rows)
        place = torch.from_numpy(order[np.searchsorted(self.rows, rows, sorter=order)])
        pool, neck = (x[: 1 + mirror, place].float().sum(0) for x in (self.pool, self.neck))
        return pool, neck

    def joined(self, rows: np.ndarray, mirror: bool, weighting: str = "equal") -> Tensor:
        """Pooled and neck features of records `rows`, concatenated so that inner products are similarities: (len(rows), 2·V·D)
        float32. Errors: as in `of`."""
        return torch.cat([weight**0.5 * x for weight, x in zip(WEIGHTINGS[weighting], self.of(rows, mirror), strict=True)], 1)


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
) -> Features:
    """Features of records `rows`, computed in evaluation mode; the network keeps the mode it had.

    A network from models.folding.folded is faster.
    With mirror=False the mirror images are not computed, and Features.of refuses to add them.
    """
    found = embed_together(net, images, rows, device, precision, ALONE, mirror=mirror, batch=batch, show=show)
    assert found is not None  # this process is the first
    return found


@torch.inference_mode()
def embed_together(
    net: Network,
    images: Images,
    rows: np.ndarray,
    device: torch.device,
    precision: torch.dtype,
    processes: Processes,
    *,
    mirror: bool = True,
    batch: int = 64,
    show: bool = True,
) -> Features | None:
    """As `embed`, by several processes that share the batches; process 0 returns the features of all, the others return None."""
    was_training, kept_as = net.training, torch.float32 if precision == torch.float32 else torch.float16
    net.eval()
    batches = list(by_modality(images.records, rows, batch))
    pool: list[Tensor] = []
    neck: list[Tensor] = []
    with progress(len(rows), "embedding images", shown=show and processes.first) as bar:
        for kind, chosen in batches[processes.index :: processes.count]:
            pixels = torch.from_numpy(images.take(chosen)).to(device)
            for parts, kept in zip(views_of(net, pixels, kind, precision, mirror), (pool, neck), strict=True):
                kept.append(parts.to(kept_as).cpu())
            bar.update(min(len(chosen) * processes.count, len(rows) - bar.n))
    net.train(was_training)
    shares = [[chosen for _, chosen in batches[process :: processes.count]] for process in range(processes.count)]
    sizes = [sum(map(len, share)) for share in shares]
    found = processes.gathered([torch.cat(parts, 1) for parts in (pool, neck) if parts], sizes)
    ordered = np.concatenate([chosen for share in shares for chosen in share])
    return Features(ordered, *found) if processes.first else None


def views_of(net: Network, images: Tensor, modality: str, precision: torch.dtype, mirror: bool = True) -> tuple[Tensor, Tensor]:
    """Pooled and neck features of a batch, L2-normalised per view, [0] of the images, [1] of their mirror images.

    net: in evaluation mode; images: uint8 (B, H, W, 3), on its device. Returns two tensors (2, B, V·D) float32, (1, B, V·D)
    without mirror images.
    """
    pixels = normalise(images).contiguous(memory_format=torch.channels_last)
    if mirror:
        pixels = torch.cat([pixels, pixels.flip(3)])
    with autocast(images.device, precision):
        found = net.embed(pixels, modality)
    pool, neck = (F.normalize(parts.float(), dim=2).flatten(1).unflatten(0, (1 + mirror, -1)) for parts in found)
    return pool, neck


def similarity(queries: tuple[Tensor, Tensor], gallery: tuple[Tensor, Tensor], weighting: str = "equal") -> np.ndarray:
    """(Q, G) float32 from (pool, neck) of both sides, (Q, V·D) and (G, V·D)."""
    pool, neck = WEIGHTINGS[weighting]
    return (queries[0] @ gallery[0].T).addmm_(queries[1], gallery[1].T, beta=pool, alpha=neck).numpy()


def write_features(file: Path, features: Features, origin: Mapping[str, str]) -> None:
    """Writes features to a safetensors file in a run's embeddings/; `origin` says what they were computed from."""
    make_folder(file.parent, within=file.parent.parent)
    tensors = {"rows": torch.from_numpy(features.rows), "pool": features.pool, "neck": features.neck}
    write_tensors(file, {name: value.contiguous() for name, value in tensors.items()}, origin)


def read_features(file: Path, origin: Mapping[str, str]) -> Features | None:
    """Features from the file, or None if it is missing, unreadable, or of another origin."""
    try:
        with open_tensors(file) as kept:
            if kept.metadata() != dict(origin):
                return None
            rows, pool, neck = (kept.get_tensor(name) for name in ("rows", "pool", "neck"))
    except (OSError, SafetensorError, MemoryError):  # MemoryError: a file too large to be mapped
        return None
    whole = rows.dtype == torch.int64 and rows.ndim == 1 and pool.ndim == 3 and pool.shape[:2] == (2, len(rows))
    alike = pool.shape == neck.shape and pool.dtype == neck.dtype and pool.dtype in (torch.float32, torch.float16)
    return Features(rows.numpy(), pool, neck) if whole and alike else None
