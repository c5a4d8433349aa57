"""Which parts of an image contribute to a similarity: Grad-CAM and EigenCAM of embeddings, with the package grad-cam.

For the output maps A (D, h, w) of the trunk's last block, and the cosine s of the image's embedding to another one,

    α_k = mean over positions of ∂s/∂A_k,    map = Σ_k α_k A_k    (Grad-CAM: Selvaraju et al., ICCV 2017).

The embedding is the one that retrieval compares: pooled and neck features of each view, each of length 1, concatenated. So s is a
mean over views, each view has its own gradient, and one pass yields separate maps for all views.

The map of a cosine has no absolute zero level. A cosine is invariant to the length of its argument, so ⟨∂s/∂f, f⟩ = 0 for pooled
features f, and ⟨∂s/∂f, f − μ⟩ = 0 for neck features, which are a multiple of f − μ in each channel. With average pooling the map
relative to that point, Σ_k α_k (A_k − μ_k), sums to zero over the image: it is the map above minus its mean. Relative to A = 0, the
neck's part pushes whole maps below zero, and max(map, 0) leaves nothing of many. So attention is measured from the mean
(`above_mean`): it shows positions that support the similarity more than the average position.

The gradient of the cosine of an embedding to itself is zero. Only rounding noise remains, which would look meaningful in a map
scaled to its own maximum, so such gradients are refused.

EigenCAM (Muhammad & Yeasin, IJCNN 2020) projects A minus its mean on its first principal component. It uses neither target nor
gradient and serves as a control.

Only grad-cam's passes and formulas are used, not its pictures, which are each rescaled to their own minimum and maximum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fsclib.models.base import Network

if TYPE_CHECKING:
    from pytorch_grad_cam.base_cam import BaseCAM

NOISE = 1e-4  # of ‖A‖·‖∂s/∂A‖, at least the sine of the angle for one pooled view; other images: ≥ 10, the image itself: < 1e-5


class Attention(NamedTuple):
    """Grad-CAM of N images, each towards its own reference.

    maps    (M, N, h, w) float32, signed, as in the formula: one per view, M = V, whose sum is the map of s; or M = 1, for a network
            whose last block does not keep its views separate
    cosine  (V, N) float32, of each view to its reference; the mean over views is s
    """

    maps: np.ndarray
    cosine: np.ndarray


def grad_cam(net: Network, pixels: Tensor, modality: str, references: Tensor) -> Attention:
    """Maps of normalised images (N, 3, H, W) of one modality towards `references` (N, 2·V·D), rows as from `unit_rows`.

    The network keeps the mode it had, and no gradients remain.
    Errors: ValueError if there is not one reference per image, if a gradient is rounding noise, like that of the cosine of an image
    to itself, or if the network calls its last block more than once.
    """
    if len(references) != len(pixels):
        raise ValueError(f"found {len(references)} references for {len(pixels)} images, expected one per image")
    from pytorch_grad_cam import GradCAM  # here, because importing it takes seconds

    targets = [partial(torch.dot, reference) for reference in references.to(pixels.device, torch.float32)]
    with _opened(GradCAM, net, modality) as cam:
        cam(pixels, targets)
        kept = cam.activations_and_grads
        activations, gradients = _once(kept.activations, len(pixels)), _once(kept.gradients, len(pixels))
        maps = cam.get_cam_image(pixels, None, targets, activations, gradients)
        rows = cam.outputs.detach().cpu()
    sizes = (np.linalg.norm(part.reshape(len(part), -1), axis=1) for part in (activations, gradients))
    strength = net.views * np.multiply(*sizes).reshape(-1, len(pixels))  # (M, N), for the cosine of each view
    if (weak := np.argwhere(~(strength > NOISE))).size:
        found = ", ".join(f"image {image} in view {view} ({strength[view, image]:.1e})" for view, image in weak[:5])
        raise ValueError(
            f"the gradient of the similarity is rounding noise, below {NOISE}, in {len(weak)} of {strength.size} maps: {found}; "
            "expected the embedding of another image, or a centroid without the image itself, and a network that tells them apart"
        )
    parts = (rows * references.cpu()).unflatten(1, (2, net.views, -1))
    return Attention(maps.reshape(-1, len(pixels), *maps.shape[1:]), net.views * parts.sum((1, 3)).T.numpy())


def eigen_cam(net: Network, pixels: Tensor, modality: str) -> np.ndarray:
    """Projections of the last block's output on its first principal component: images as in `grad_cam` → float32 (M, N, h, w).

    The sign of a principal component is arbitrary, and grad-cam does not fix it. Here the projection correlates positively with the
    mean over channels, so positive positions are those with strong activations.
    """
    from pytorch_grad_cam import EigenCAM  # as in grad_cam

    with _opened(EigenCAM, net, modality) as cam, torch.no_grad():
        cam(pixels, [])
        activations = _once(cam.activations_and_grads.activations, len(pixels))
        maps = cam.get_cam_image(pixels, None, [], activations, None, False)
    mean = activations.mean(1)
    rising = (maps * (mean - mean.mean((1, 2), keepdims=True))).sum((1, 2), keepdims=True) >= 0
    return np.where(rising, maps, -maps).reshape(-1, len(pixels), *maps.shape[1:])


def above_mean(maps: np.ndarray) -> np.ndarray:
    """Attention: the excess of maps (…, h, w) over their mean over positions, zero where they are below."""
    return np.maximum(maps - maps.mean((-2, -1), keepdims=True), 0)


def likeness(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pairwise Pearson correlation over positions of maps (N, h, w) and others: (N,), between -1 and 1; nan for a flat map."""
    one, other = (part.reshape(len(part), -1) - part.mean((1, 2))[:, None] for part in (maps, others))
    with np.errstate(invalid="ignore"):
        return (one * other).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))


def unit_rows(pool: Tensor, neck: Tensor) -> Tensor:
    """Pooled and neck features, (N, V, D) each → (N, 2·V·D) of length 1: the product of two such rows is the cosine s.

    That cosine is retrieval's similarity with equal weights, without mirror images, divided by 2V.
    """
    parts = F.normalize(torch.stack([pool, neck], 1).float(), dim=3)
    return parts.flatten(1) / math.sqrt(2 * pool.shape[1])


class _Rows(nn.Module):
    """Wraps a network and a modality for grad-cam: takes one image tensor and returns one float32 row per image."""

    def __init__(self, net: Network, modality: str):
        super().__init__()
        self.net, self.modality = net, modality

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return unit_rows(*self.net.embed(images.float(), self.modality))


@contextmanager
def _opened(kind: type[BaseCAM], net: Network, modality: str) -> Iterator[BaseCAM]:
    """A CAM on the network's last block, which every network calls, whether or not it calls the layer around it.

    grad-cam's own context manager is not used because it swallows an IndexError. torch.clone: otherwise an in-place operation
    after the block would overwrite the stored output. The layers before the block are frozen meanwhile: backpropagation through
    them would take most of the time, and their gradients are not needed.
    """
    training, (*_, block) = net.training, net.layers[-1].children()
    trained = {p: p.requires_grad for p in net.parameters()}
    net.requires_grad_(False)
    block.requires_grad_(True)
    cam = kind(_Rows(net, modality), [block], reshape_transform=torch.clone)
    try:
        yield cam
    finally:
        cam.activations_and_grads.release()
        for parameter, wanted in trained.items():
            parameter.requires_grad_(wanted)
        net.train(training)  # grad-cam switches to evaluation
        net.zero_grad(set_to_none=True)


def _once(outputs: list[Tensor], number: int) -> np.ndarray:
    """The stored output of a block that was called once, with one map, or one per view, for each of `number` images."""
    if len(outputs) != 1 or len(outputs[0]) % number:
        raise ValueError(
            f"the last block returned {[tuple(output.shape) for output in outputs]} for {number} images, expected one tensor with "
            "one map, or one per view, for each image; networks that call it differently are not supported"
        )
    return outputs[0].numpy()
