"""The steps of an epoch. All randomness in an epoch is seeded from (seed, epoch, process)."""

from collections.abc import Generator

import numpy as np
import torch
from torch import nn

from fsclib import losses
from fsclib.data.attributes import Targets
from fsclib.data.batches import batches
from fsclib.data.progressive import reduced
from fsclib.data.sampler import IdentitySampler
from fsclib.system.device import autocast
from fsclib.system.processes import ALONE, Processes
from fsclib.training.settings import Settings


def training_steps(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    settings: Settings,
    pixels: np.ndarray,
    rows: np.ndarray,
    sampler: IdentitySampler,
    epoch: int,
    precision: torch.dtype,
    processes: Processes = ALONE,
    attributes: Targets | None = None,
) -> Generator[losses.Parts, None, None]:
    """Takes the steps of an epoch, one at each `next`, and yields the parts of their losses, still on the device.

    attributes: one row of targets per label.

    Several processes draw, crop, mirror and erase a shared batch as a single process would; each has its own dropout.
    """
    device = next(net.parameters()).device
    shared = processes.count > 1 and settings.whole_batch
    source, part = (0, processes.part(sampler.identities * sampler.images)) if shared else (processes.index, None)
    # one stream of random numbers for augmentation, one for dropout and drop-path
    augmentation, dropout = random_seed(settings.seed, epoch, source, 0), random_seed(settings.seed, epoch, processes.index, 1)
    torch.manual_seed(dropout)
    generator = torch.Generator().manual_seed(augmentation)
    coded = None if attributes is None else torch.from_numpy(attributes.codes).to(device)
    visible_rows, infrared_rows, labels = sampler.epoch(epoch, source)
    net.train()
    drawn = rows[visible_rows], rows[infrared_rows], labels
    for step, (visible, infrared, label) in enumerate(batches(pixels, *drawn, device, generator, settings.augmentation, part)):
        if epoch < settings.small_epochs:
            visible, infrared = (reduced(images) for images in (visible, infrared))
        settings.optimization.set_rates(optimizer, epoch, step, sampler.steps)
        with autocast(device, precision):
            output = net(visible, infrared)
        both = label.repeat(2)
        targets = None if attributes is None or coded is None else (coded[both], attributes.sizes)
        parts = settings.objective(output, both, epoch * sampler.steps + step, targets)
        optimizer.zero_grad(set_to_none=True)
        parts.total.backward()
        if settings.clip:
            nn.utils.clip_grad_norm_(net.parameters(), settings.clip)
        optimizer.step()
        yield losses.Parts(*(part.detach().to(device) for part in parts))


def random_seed(seed: int, epoch: int, process: int, stream: int) -> int:
    """A seed for torch, for one stream of random numbers in one epoch and process."""
    sequence = np.random.SeedSequence((seed, epoch, process)).spawn(stream + 1)[stream]
    return int(sequence.generate_state(1, np.uint64)[0] >> 1)
