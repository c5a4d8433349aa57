"""The steps of an epoch: optimiser, learning rates, and the computation of a step.

There are two learning rates: one for neck, classifier and attributes, one for the rest. Either as in the published programs of DEEN
and FSC-Net, SGD with Nesterov momentum, a linear warm-up by epochs, then division by ten at each epoch of `decay`; or AdamW, a
warm-up by steps, and a cosine. All randomness in an epoch is seeded from (seed, epoch, process).
"""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fsclib import losses
from fsclib.config import Config
from fsclib.data.attributes import Targets
from fsclib.data.augment import Augmentation
from fsclib.data.batches import batches
from fsclib.data.sampler import IdentitySampler
from fsclib.losses.pairwise import mean_cosine
from fsclib.models.networks import Output
from fsclib.system.device import autocast
from fsclib.system.processes import ALONE, Ranks

COSINE_END = 0.01  # of the learning rate
SMALLEST = 128  # rows: 2×1 maps of layer4 became nan in bfloat16 (torch 2.15, AMX)


def build_optimizer(net: nn.Module, config: Config) -> torch.optim.Optimizer:
    """SGD or AdamW with two parameter groups: neck, classifier and attributes first, then the rest."""
    parts = [net.neck, net.classifier, *([net.attributes] if net.attributes is not None else [])]
    head = {id(p) for part in parts for p in part.parameters()}
    trained = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) in head], "lr": config.lr},
        {"params": [p for p in trained if id(p) not in head], "lr": config.body_lr},
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=True)
    nesterov = config.momentum > 0
    # fused: one pass over weights, gradients and momenta, 16 ms against 77 (44 million weights, two cores of an AMD EPYC)
    return torch.optim.SGD(groups, momentum=config.momentum, nesterov=nesterov, weight_decay=config.weight_decay, fused=True)


def learning_rate_factor(config: Config, epoch: int, step: int = 0, steps: int = 1) -> float:
    """The factor on both learning rates at a step of an epoch with `steps` steps; epoch and step are counted from 0.

    (e + 1) / warmup in the first `warmup` epochs and (s + 1) / warmup_steps in the first steps of the training; schedule `step`:
    divided by ten from each epoch of `decay`; `cosine`: e₀ + (1 − e₀)(1 + cos πt)/2, t the share of finished steps,
    e₀ = COSINE_END.
    """
    done = epoch * steps + step
    warm = min(1.0, (done + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if epoch < config.warmup:
        return warm * (epoch + 1) / config.warmup
    if config.schedule == "cosine":
        share = done / (config.epochs * steps)
        return warm * (COSINE_END + (1 - COSINE_END) * (1 + math.cos(math.pi * share)) / 2)
    return warm * 0.1 ** sum(epoch >= mark for mark in config.decay)


def set_learning_rates(optimizer: torch.optim.Optimizer, config: Config, epoch: int, step: int = 0, steps: int = 1) -> None:
    """Sets the learning rates of both groups for a step, by `learning_rate_factor`."""
    factor = learning_rate_factor(config, epoch, step, steps)
    for group, rate in zip(optimizer.param_groups, (config.lr, config.body_lr), strict=True):
        group["lr"] = rate * factor


def training_steps(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: Config,
    pixels: np.ndarray,
    rows: np.ndarray,
    sampler: IdentitySampler,
    epoch: int,
    precision: torch.dtype,
    ranks: Ranks = ALONE,
    attributes: Targets | None = None,
) -> Iterator[losses.Parts]:
    """Takes the steps of an epoch, one at each `next`, and yields the parts of their losses, still on the device.

    attributes: one row of targets per label.

    Several processes draw, crop, mirror and erase a shared batch as a single process would; each has its own dropout.
    """
    device = next(net.parameters()).device
    shared = ranks.count > 1 and config.batch == "global"
    source, part = (0, ranks.part(config.identities * config.images)) if shared else (ranks.rank, None)
    # one stream of random numbers for augmentation, one for dropout and drop-path
    augmentation, dropout = random_seed(config, epoch, source, 0), random_seed(config, epoch, ranks.rank, 1)
    torch.manual_seed(dropout)
    generator = torch.Generator().manual_seed(augmentation)
    settings = Augmentation(
        padding=config.padding,
        grayscale=config.grayscale,
        erase=config.erase,
        erase_area=(config.erase_min, config.erase_max),
        channel=config.channel,
        pseudo_infrared=config.pseudo_infrared,
        jitter=config.jitter,
        only_visible=config.streams == "visible",
    )
    full = loss_weights(config)
    coded = None if attributes is None else torch.from_numpy(attributes.codes).to(device)
    visible_rows, infrared_rows, labels = sampler.epoch(epoch, source)
    net.train()
    drawn = rows[visible_rows], rows[infrared_rows], labels
    for step, (visible, infrared, label) in enumerate(batches(pixels, *drawn, device, generator, settings, part)):
        if epoch < config.small_epochs:
            visible, infrared = (smaller(images) for images in (visible, infrared))
        done = epoch * sampler.steps + step
        set_learning_rates(optimizer, config, epoch, step, sampler.steps)
        with autocast(device, precision):
            output = net(visible, infrared)
        both = label.repeat(2)
        parts = losses.LOSSES[config.loss](output, both, ramped(full, config, done))
        parts = with_auxiliary(parts, output, both, config, None if attributes is None else (coded[both], attributes.sizes))
        optimizer.zero_grad(set_to_none=True)
        parts.total.backward()
        if config.clip:
            nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        optimizer.step()
        yield losses.Parts(*(part.detach().to(device) for part in parts))


def smaller(images: Tensor) -> Tensor:
    """Shrinks images to two thirds, the height to a multiple of 32: (N, 3, H, W) → (N, 3, h, w); unchanged below SMALLEST rows.

    Early epochs learn as well at this size, in less than half the time (progressive resizing: Howard, DAWNBench 2018).
    """
    if images.shape[2] < SMALLEST:
        return images
    height, width = (2 * side / 3 for side in images.shape[2:])
    return F.interpolate(images, (32 * round(height / 32), round(width)), mode="bilinear", antialias=True)


def loss_weights(config: Config) -> losses.LossWeights:
    """Weights and margins of a configuration, fully ramped in."""
    return losses.LossWeights(
        cpm=config.cpm_weight,
        orthogonality=config.orthogonality_weight,
        triplet_margin=config.triplet_margin,
        cpm_margin=config.cpm_margin,
        label_smoothing=config.label_smoothing,
        metric_on=config.metric_on,
    )


def ramped(weights: losses.LossWeights, config: Config, step: int) -> losses.LossWeights:
    """The weights at a step of the whole training: pair mining and orthogonality rise from 0 at ramp_from to 1 ramp_steps later.

    From random weights both would far outweigh the identity loss, and all embeddings collapse to a point: see docs/learning.md.
    """
    since = step - config.ramp_from
    share = min(1.0, max(0.0, since / config.ramp_steps)) if config.ramp_steps else float(since >= 0)
    return weights if share == 1 else replace(weights, cpm=share * weights.cpm, orthogonality=share * weights.orthogonality)


def with_auxiliary(
    parts: losses.Parts, output: Output, labels: Tensor, config: Config, targets: tuple[Tensor, tuple[int, ...]] | None
) -> losses.Parts:
    """Adds InfoNCE and attributes to a network's loss, and measures the mean cosine between different people."""
    total = parts.total
    if config.infonce_weight:
        found = losses.info_nce(output.neck, labels, config.temperature)
        total, parts = total + config.infonce_weight * found, parts._replace(infonce=found)
    if targets is not None:
        found = losses.attribute_loss(output.attributes, *targets)
        total, parts = total + config.attributes_weight * found, parts._replace(attributes=found)
    with torch.no_grad():
        cosines = [mean_cosine(rows[0], labels) for rows in (output.features, output.neck)]
    return parts._replace(total=total, pooled_cosine=cosines[0], neck_cosine=cosines[1])


def random_seed(config: Config, epoch: int, rank: int, stream: int) -> int:
    """A seed for torch, for one stream of random numbers in one epoch and process."""
    sequence = np.random.SeedSequence((config.seed, epoch, rank)).spawn(stream + 1)[stream]
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)
