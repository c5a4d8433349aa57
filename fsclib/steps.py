"""The steps of an epoch: optimiser, learning rates, and what a step does.

SGD with Nesterov momentum; two learning rates, one for neck and classifier and one for the rest; a linear warm-up, then a
division by ten at each epoch of `decay` (METHOD, section 1, Training). Everything random in an epoch is seeded from (seed, epoch,
rank).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from fsclib import losses
from fsclib.config import Config
from fsclib.data.augment import Augmentation
from fsclib.data.batches import batches
from fsclib.data.sampler import IdentitySampler
from fsclib.machine import autocast
from fsclib.ranks import ALONE, Ranks


def build_optimizer(net: nn.Module, config: Config) -> torch.optim.SGD:
    """SGD over two groups: neck and classifier first, then the rest."""
    head = {id(p) for part in (net.neck, net.classifier) for p in part.parameters()}
    trained = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) in head], "lr": config.lr},
        {"params": [p for p in trained if id(p) not in head], "lr": config.body_lr},
    ]
    nesterov = config.momentum > 0
    # one pass over weights, gradients and momenta: 16 ms where the default takes 77 (44 million weights, two cores of an AMD EPYC)
    return torch.optim.SGD(groups, momentum=config.momentum, nesterov=nesterov, weight_decay=config.weight_decay, fused=True)


def learning_rate_factor(config: Config, epoch: int) -> float:
    """(e + 1) / warmup in the first `warmup` epochs, then 1, divided by ten from each epoch of `decay`."""
    if epoch < config.warmup:
        return (epoch + 1) / config.warmup
    return 0.1 ** sum(epoch >= mark for mark in config.decay)


def set_learning_rates(optimizer: torch.optim.Optimizer, config: Config, epoch: int) -> None:
    """Learning rates of both groups for an epoch, counted from 0."""
    factor = learning_rate_factor(config, epoch)
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
) -> Iterator[losses.Parts]:
    """Takes the steps of an epoch, one at each `next`, and yields the parts of their losses, still on the device.

    Several `ranks` draw, crop, mirror and erase the batch that they share as a single process would; dropout is each one's own.
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
    )
    weights = losses.LossWeights(
        cpm=config.cpm_weight,
        orthogonality=config.orthogonality_weight,
        triplet_margin=config.triplet_margin,
        cpm_margin=config.cpm_margin,
    )
    visible_rows, infrared_rows, labels = sampler.epoch(epoch, source)
    net.train()
    drawn = rows[visible_rows], rows[infrared_rows], labels
    for visible, infrared, label in batches(pixels, *drawn, device, generator, settings, part):
        with autocast(device, precision):
            output = net(visible, infrared)
        parts = losses.LOSSES[config.loss](output, label.repeat(2), weights)
        optimizer.zero_grad(set_to_none=True)
        parts.total.backward()
        optimizer.step()
        yield losses.Parts(*(part.detach() for part in parts))


def random_seed(config: Config, epoch: int, rank: int, stream: int) -> int:
    """A seed for torch: of the stream of random numbers of an epoch in a rank."""
    sequence = np.random.SeedSequence((config.seed, epoch, rank)).spawn(stream + 1)[stream]
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)
