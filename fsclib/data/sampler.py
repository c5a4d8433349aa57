"""Batches of P identities × K images × 2 modalities, determined by (seed, epoch, process) alone.

An epoch has max(N_visible, N_infrared) // (P·K·processes) + 1 steps, where `processes` is the number of processes that draw
batches of their own. A step draws its P identities without replacement, and K images of each identity in each modality with
replacement. Source: the published programs of AGW and DEEN.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fsclib.data.records import INFRARED, VISIBLE


class _ByIdentity(NamedTuple):
    """Positions of one modality's images, grouped by identity: those of the i-th are counts[i] entries from starts[i]."""

    positions: np.ndarray
    starts: np.ndarray
    counts: np.ndarray


class IdentitySampler:
    """Draws the batches of an epoch from a training set.

    labels      (M,) integers, the identity of each image
    modalities  (M,) "visible" | "infrared"
    identities  P, per step
    images      K, per identity and modality
    seed        at least 0
    processes   number of processes that each draw their own batches; an epoch has that many times fewer steps

    Raises ValueError if an identity has no image in one of the modalities, or if there are fewer than P identities.
    """

    def __init__(
        self, labels: ArrayLike, modalities: ArrayLike, identities: int = 6, images: int = 4, seed: int = 0, processes: int = 1
    ):
        labels, modalities = np.asarray(labels, dtype=np.int64), np.asarray(modalities)
        if labels.ndim != 1 or labels.shape != modalities.shape:
            raise ValueError(
                f"labels {labels.shape} and modalities {modalities.shape}, expected one of each per image; "
                "take both from the same rows of the records"
            )
        if unknown := sorted(set(modalities.tolist()) - {VISIBLE, INFRARED}):
            raise ValueError(f"modalities {unknown}, expected {VISIBLE!r} and {INFRARED!r} only")
        if identities < 1 or images < 1 or seed < 0:
            raise ValueError(
                f"identities={identities}, images={images}, seed={seed}; expected at least one identity, one image "
                "and a seed that is not negative"
            )
        self.labels = np.unique(labels)
        self.identities, self.images, self.seed, self.processes = identities, images, seed, processes
        self._modalities = {name: self._by_identity(labels, modalities == name, name) for name in (VISIBLE, INFRARED)}
        if len(self.labels) < identities:
            raise ValueError(
                f"{len(self.labels)} identities, expected at least {identities}, as many as a step draws; "
                f"set identities={len(self.labels)} or fewer, or use a larger training set"
            )

    @property
    def steps(self) -> int:
        """Number of steps in an epoch."""
        most = max(len(images.positions) for images in self._modalities.values())
        return most // (self.identities * self.images * self.processes) + 1

    def epoch(self, epoch: int, process: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(visible, infrared, labels) of all steps, each (steps, P·K) int64, with the K images of an identity side by side.

        The first two are positions in the sampler's input arrays; images at the same position have the same label.
        """
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.seed, epoch, process))))
        order = np.tile(np.arange(len(self.labels)), (self.steps, 1))
        chosen = generator.permuted(order, axis=1)[:, : self.identities, None]  # (steps, P, 1)
        shape = (*chosen.shape[:2], self.images)
        drawn = []
        for positions, starts, counts in self._modalities.values():
            nth = generator.integers(0, counts[chosen], size=shape)  # (steps, P, K)
            drawn.append(positions[starts[chosen] + nth].reshape(self.steps, -1))
        visible, infrared = drawn
        return visible, infrared, np.broadcast_to(self.labels[chosen], shape).reshape(self.steps, -1)

    def _by_identity(self, labels: np.ndarray, mask: np.ndarray, modality: str) -> _ByIdentity:
        counts = np.bincount(np.searchsorted(self.labels, labels[mask]), minlength=len(self.labels))
        if len(absent := self.labels[counts == 0]):
            names = ", ".join(map(str, absent[:10].tolist())) + (", …" if len(absent) > 10 else "")
            raise ValueError(
                f"{len(absent)} of {len(self.labels)} identities have no {modality} image (labels {names}), expected "
                "at least one of each modality; leave these identities out of the training set"
            )
        positions = np.flatnonzero(mask)
        positions = positions[np.argsort(labels[positions], kind="stable")]
        return _ByIdentity(positions, np.cumsum(counts) - counts, counts)
