"""The losses, the metrics of the three protocols, and the similarities behind them."""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.case import Case, Setting, Work
from benchmarks.plain import losses as plain_losses
from benchmarks.plain import metrics as plain_metrics
from benchmarks.sizes import Search
from fsclib import losses, metrics
from fsclib.models.base import Output

FEATURES, VIEWS = 2048, 3  # D and V of FSC-Net
CAMERAS = {"sysu": ((3, 6), (1, 2, 4, 5)), "regdb": ((2,), (1,)), "llcm": ((1, 2, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 5, 6, 7, 8, 9))}


class Outputs(NamedTuple):
    """A network's output: features (V, 2N, D) and logits (V, 2N, C), which require gradients, and labels (2N,)."""

    features: Tensor
    logits: Tensor
    labels: Tensor


class Scored(NamedTuple):
    """The arguments of evaluate: similarity (Q, G) float32, then identities and cameras of queries and gallery."""

    similarity: np.ndarray
    query_ids: np.ndarray
    gallery_ids: np.ndarray
    query_cams: np.ndarray
    gallery_cams: np.ndarray


def outputs(setting: Setting) -> Outputs:
    generator = torch.Generator().manual_seed(0)
    images = 2 * setting.sizes.compared
    sizes = (FEATURES, setting.sizes.classes)
    drawn = (torch.randn(VIEWS, images, size, generator=generator).to(setting.device).requires_grad_() for size in sizes)
    labels = torch.arange(setting.sizes.compared // 4).repeat_interleave(4).repeat(2)  # K = 4
    return Outputs(*drawn, labels.to(setting.device))


def plain_losses_of(setting: Setting, given: Outputs) -> Work:
    def work() -> tuple[Tensor, ...]:
        found = plain_losses.fsc_loss(given.features.flatten(0, 1), given.logits.flatten(0, 1), given.labels)
        return torch.autograd.grad(found[0], given[:2])

    return work


def losses_of(setting: Setting, given: Outputs) -> Work:
    def work() -> tuple[Tensor, ...]:
        found = losses.fsc_loss(Output(given.features, given.logits, given.features), given.labels)
        return torch.autograd.grad(found.total, given[:2])

    return work


def scored(protocol: str, search: Search) -> Scored:
    """Random similarities; all identities have about the same number of gallery entries."""
    rng = np.random.default_rng(0)
    queries, gallery = rng.permutation(np.arange(search.queries) % search.people), np.arange(search.gallery) % search.people
    cameras = (rng.choice(seen, len(ids)) for seen, ids in zip(CAMERAS[protocol], (queries, gallery), strict=True))
    return Scored(rng.random((search.queries, search.gallery), np.float32), queries, gallery, *cameras)


def _metrics(protocol: str, title: str) -> Case:
    return Case(
        f"metrics, {title}",
        lambda setting, given: "{:,} queries × {:,} gallery images".format(*given.similarity.shape),
        lambda setting: scored(protocol, setting.sizes.searches[protocol]),
        lambda setting, given: partial(plain_metrics.evaluate, *given, protocol),
        lambda setting, given: partial(metrics.evaluate, *given, protocol),
        lambda setting, given: len(given.similarity),
        on_device=False,
    )


CASES = {
    "losses": Case(
        "all losses, forward and backward",
        lambda setting, given: f"{given.features.shape[:2].numel()} × {FEATURES}",
        outputs,
        plain_losses_of,
        losses_of,
        lambda setting, given: len(given.labels),
    ),
    "metrics-sysu": _metrics("sysu", "SYSU-MM01's size"),
    "metrics-regdb": _metrics("regdb", "RegDB's size"),
    "metrics-llcm": _metrics("llcm", "LLCM's size"),
}
