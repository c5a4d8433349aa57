"""A training: the inputs of its epochs, and network, optimiser and state after the last finished epoch."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from fsclib import losses
from fsclib.data.attributes import Targets
from fsclib.data.images import Images
from fsclib.data.records import INFRARED, VISIBLE
from fsclib.data.sampler import IdentitySampler
from fsclib.models.base import Network
from fsclib.runs import Run, checkpoint
from fsclib.runs.assemble import network_of
from fsclib.system.processes import ALONE, Processes
from fsclib.training.distributed.whole_batch import together
from fsclib.training.settings import Settings, settings_of
from fsclib.training.steps import training_steps


@dataclass(frozen=True, eq=False)
class Training:
    """A run and the inputs of its epochs. chosen: the records to train on, (M,), which the sampler indexes."""

    run: Run
    images: Images
    chosen: np.ndarray
    sampler: IdentitySampler
    device: torch.device
    precision: torch.dtype
    processes: Processes = ALONE
    attributes: Targets | None = None

    @property
    def settings(self) -> Settings:
        return settings_of(self.run.config)

    def left_off(self) -> tuple[Network, torch.optim.Optimizer, dict[str, Any]]:
        """Network, optimiser and state after the last finished epoch, or before the first, copied from process 0."""
        settings, processes, last, classes = self.settings, self.processes, self.run.checkpoint("last"), len(self.sampler.labels)
        torch.manual_seed(settings.seed)
        goes_on = processes.told(last.exists() if processes.first else None)
        values = sum(self.attributes.sizes) if self.attributes else 0
        net = network_of(self.run.config, classes, init=not goes_on and processes.first, attributes=values)
        net = net.to(self.device).to(memory_format=torch.channels_last)
        optimizer = settings.optimization.build(net)
        state = {"epoch": -1, "best": None, "best_epoch": None, "num_classes": classes}
        if goes_on:
            state |= processes.told(processes.agree(lambda: checkpoint.read(last, net, optimizer) if processes.first else None))
        processes.copy(net.state_dict().values())
        if goes_on:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            processes.copy(
                optimizer.state[p].setdefault(slot, torch.zeros(()) if slot == "step" else torch.zeros_like(p))
                for p in parameters
                for slot in settings.optimization.slots
            )
        return net, optimizer, state

    def shared(self, net: Network) -> nn.Module:
        """The module that processes call in place of the network to train it together, sharing its weights (whole_batch.py)."""
        if self.processes.count == 1:
            return net
        assert self.processes.steps is not None
        return together(net, self.processes.steps, whole_batch=self.settings.whole_batch)

    def steps(self, net: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> Generator[losses.Parts, None, None]:
        """The steps of an epoch, by `training_steps`, at the learning rates of that epoch."""
        settings, rows, pixels = self.settings, self.images.place[self.chosen], self.images.pixels
        settings.optimization.set_rates(optimizer, epoch, 0, self.sampler.steps)
        return training_steps(
            net, optimizer, settings, pixels, rows, self.sampler, epoch, self.precision, self.processes, self.attributes
        )

    def images_of_step(self, epoch: int, step: int) -> dict[str, list[str]]:
        """Modality → paths, relative to the data set's folder, of the images of a step, over all processes."""
        paths = self.images.records["path"].to_numpy()[self.chosen]
        seen: dict[str, dict[str, None]] = {VISIBLE: {}, INFRARED: {}}
        for process in range(self.sampler.processes):
            for modality, rows in zip(seen, self.sampler.epoch(epoch, process)[:2], strict=True):
                seen[modality] |= dict.fromkeys(paths[rows[step]])
        return {modality: list(found) for modality, found in seen.items()}
