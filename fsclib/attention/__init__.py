"""Where in an image a similarity comes from: Grad-CAM and EigenCAM of embeddings, with the package grad-cam.

For the maps A (D, h, w) that the last block of the trunk puts out, and the cosine s of the image's embedding to another one,

    α_k = mean over positions of ∂s/∂A_k,    map = Σ_k α_k A_k    (Grad-CAM: Selvaraju et al., ICCV 2017).

The embedding is what retrieval compares: pooled and neck features of each view, each of length 1, side by side. So s is a mean over
views, each view has a gradient of its own, and one pass gives the maps of all views, apart.

A map of a cosine has no level of its own. A cosine does not change with the length of its argument, so ⟨∂s/∂f, f⟩ = 0 for
pooled features f, and ⟨∂s/∂f, f − μ⟩ = 0 for neck features, a multiple of f − μ in each channel. With average pooling a map
counted from there, Σ_k α_k (A_k − μ_k), sums to zero over the image: it is the map above less its mean. Counted from A = 0, the
neck's part lowers whole maps below zero, and max(map, 0) leaves nothing of many. So attention is counted from the mean
(`above_mean`): what speaks for the similarity more than an average position does.

The gradient of the cosine of an embedding to itself is zero. What is left is rounding noise, which a map scaled to its own
maximum shows as if it meant something: such gradients are refused.

EigenCAM (Muhammad & Yeasin, IJCNN 2020) projects A, less its mean, on its first principal component. It knows neither target nor
gradient: a control.

Of grad-cam the passes and the formulas are used, not its pictures, each of which is rescaled to its own minimum and maximum.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pytorch_grad_cam import EigenCAM, GradCAM
from pytorch_grad_cam.base_cam import BaseCAM
from torch import Tensor, nn

from fsclib.models.networks import Network

NOISE = 1e-4  # of ‖A‖·‖∂s/∂A‖, at least the sine of the angle for one pooled view; other images: 10 and more, itself: below 1e-5


class Attention(NamedTuple):
    """Grad-CAM of N images, each towards a reference of its own.

    maps    (M, N, h, w) float32, signed, as the formula has them: one a view, M = V, whose sum is the map of s; or M = 1, for a
            network whose last block does not hold its views apart
    cosine  (V, N) float32, of each view to its reference; the mean over views is s
    """

    maps: np.ndarray
    cosine: np.ndarray


def grad_cam(net: Network, pixels: Tensor, modality: str, references: Tensor) -> Attention:
    """Maps of normalised images (N, 3, H, W) of one modality towards `references` (N, 2·V·D), rows as `unit_rows` makes them.

    The network is given back in the mode it came in, without gradients.
    Errors: ValueError where there is not one reference an image, where a gradient is rounding noise, as that of the cosine of an
    image to itself, or where the network calls its last block more than once.
    """
    if len(references) != len(pixels):
        raise ValueError(f"found {len(references)} references for {len(pixels)} images, expected one each")
    targets = [partial(torch.dot, reference) for reference in references.to(pixels.device, torch.float32)]
    with _opened(GradCAM, net, modality) as cam:
        cam(pixels, targets)
        kept = cam.activations_and_grads
        activations, gradients = _once(kept.activations, len(pixels)), _once(kept.gradients, len(pixels))
        maps = cam.get_cam_image(pixels, None, targets, activations, gradients)
        rows = cam.outputs.detach().cpu()
    sizes = (np.linalg.norm(part.reshape(len(part), -1), axis=1) for part in (activations, gradients))
    strength = net.views * np.multiply(*sizes).reshape(-1, len(pixels))  # (M, N), of each view's own cosine
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

    A principal component has no sign, and grad-cam takes whichever comes. Here it is the one with which the projection rises
    with the mean over channels: positive is where the block puts out much.
    """
    with _opened(EigenCAM, net, modality) as cam, torch.no_grad():
        cam(pixels, [])
        activations = _once(cam.activations_and_grads.activations, len(pixels))
        maps = cam.get_cam_image(pixels, None, [], activations, None, False)
    mean = activations.mean(1)
    rising = (maps * (mean - mean.mean((1, 2), keepdims=True))).sum((1, 2), keepdims=True) >= 0
    return np.where(rising, maps, -maps).reshape(-1, len(pixels), *maps.shape[1:])


def above_mean(maps: np.ndarray) -> np.ndarray:
    """Attention: what maps (…, h, w) have above their mean over positions, zero elsewhere."""
    return np.maximum(maps - maps.mean((-2, -1), keepdims=True), 0)


def likeness(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pearson correlation over positions of maps (N, h, w) with others, one by one: (N,), between -1 and 1; nan for a flat map."""
    one, other = (part.reshape(len(part), -1) - part.mean((1, 2))[:, None] for part in (maps, others))
    with np.errstate(invalid="ignore"):
        return (one * other).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))


def unit_rows(pool: Tensor, neck: Tensor) -> Tensor:
    """Pooled and neck features, (N, V, D) each → (N, 2·V·D) of length 1: the product of two such rows is the cosine s.

    It is retrieval's similarity with equal weights, without mirror images, divided by 2V.
    """
    parts = F.normalize(torch.stack([pool, neck], 1).float(), dim=3)
    return parts.flatten(1) / math.sqrt(2 * pool.shape[1])


class _Rows(nn.Module):
    """A network and a modality as grad-cam wants them: one image tensor in, one row an image out, in float32."""

    def __init__(self, net: Network, modality: str):
        super().__init__()
        self.net, self.modality = net, modality

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return unit_rows(*self.net.embed(images.float(), self.modality))


@contextmanager
def _opened(kind: type[BaseCAM], net: Network, modality: str) -> Iterator[BaseCAM]:
    """A CAM on the network's last block, which every network calls, whether or not it calls the layer around it.

    Not grad-cam's own context manager, which swallows an IndexError. torch.clone: an output that is kept as it is would be
    overwritten by an in-place operation behind the block. What comes before the block is frozen meanwhile: going back through it
    is most of the time, and nobody asks for its gradients.
    """
    training, block = net.training, net.layers[-1][-1]
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
    """What grad-cam kept of a block that was called once, with a map, or one a view, for each of `number` images."""
    if len(outputs) != 1 or len(outputs[0]) % number:
        raise ValueError(
            f"the last block put out {[tuple(output.shape) for output in outputs]} for {number} images, expected one tensor with "
            "one map, or one a view, for each; networks that call it otherwise cannot be shown"
        )
    return outputs[0].numpy()
