"""Detects losses and weights that are not finite without synchronising the device at each step, traces them to the step where they
arose, and saves the network as it was before that step.

An epoch is a function of (seed, epoch) and its initial weights, so the steps before the failing one can be repeated, and nothing
has to be saved during normal training. On a GPU the repeated steps agree up to rounding.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from fsclib.losses import Parts
from fsclib.models.base import Network
from fsclib.runs import checkpoint
from fsclib.runs.checkpoint import CheckpointError
from fsclib.system.errors import FsclibError
from fsclib.system.processes import ALONE, Elsewhere, Processes
from fsclib.training.state import Training

logger = logging.getLogger(__name__)

LOOK = 50  # steps between two checks of their losses; a check waits for the device
KEPT = "before-failure"  # name of the checkpoint
FIX = "Lower lr and body_lr, or train with precision=float32, under another name or with resume=False."


class NotFinite(FsclibError, ArithmeticError):
    """The first failure in an epoch: its step, counted from 0, the parts of its loss, and, unless the loss itself is not finite,
    the name of a tensor of the network that is not finite after this step."""

    def __init__(self, step: int, parts: Mapping[str, float], tensor: str = ""):
        super().__init__(step, parts, tensor)
        self.step, self.parts, self.tensor = step, parts, tensor

    def __str__(self) -> str:
        found = ", ".join(f"{name} {value:.4g}" for name, value in self.parts.items())
        if self.tensor:
            return f"step {self.step + 1}: weights are not finite after this step ({self.tensor} is the first; loss: {found})"
        return f"step {self.step + 1}: the loss is not finite ({found})"


def mean_losses(steps: Iterator[Parts], net: nn.Module, bar: Any, processes: Processes = ALONE) -> dict[str, float]:
    """Takes the steps of an epoch and averages their losses, also over processes; waits for the device every LOOK steps and at the
    end.

    Errors: NotFinite for the first loss that is not finite, or for weights after the last step, which no loss reflects yet.
    """
    start = time.monotonic()
    looks: list[Tensor] = []
    while seen := [_counted(parts, bar) for parts in islice(steps, LOOK)]:
        values = processes.mean(torch.stack(seen).cpu())  # (≤ LOOK, parts)
        if len(wrong := (~values.isfinite().all(1)).nonzero()):
            raise NotFinite(LOOK * len(looks) + int(wrong[0]), _named(values[int(wrong[0])]))
        looks.append(values)
    values = torch.cat(looks)
    if tensor := processes.told(spoilt(net)):
        raise NotFinite(len(values) - 1, _named(values[-1]), tensor)
    return _named(values.mean(0)) | {"seconds": time.monotonic() - start}


def spoilt(net: nn.Module) -> str:
    """The name of the first tensor of a network that is not finite, "" if all are finite."""
    tensors = net.state_dict().items()
    return next((name for name, value in tensors if value.is_floating_point() and not value.isfinite().all()), "")


def before(training: Training, epoch: int, found: NotFinite) -> tuple[NotFinite, Network, torch.optim.Optimizer, dict[str, Any]]:
    """Repeats the steps before the failing one; returns the failure, and network, optimiser and state as they were before it.

    The failure moves to an earlier step if that one already broke the weights, which its own loss does not show.
    """
    net, optimizer, state = training.left_off()
    steps = training.steps(training.shared(net), optimizer, epoch)
    for number, parts in enumerate(islice(steps, found.step)):
        if tensor := training.processes.told(spoilt(net)):
            steps.close()
            return before(training, epoch, NotFinite(number, _named(training.processes.mean(torch.stack(parts).cpu())), tensor))
    steps.close()
    return found, net, optimizer, state


def explain(training: Training, epoch: int, found: NotFinite) -> str:
    """Saves the state before the failing step; returns where training stopped, on which images, why, and what is saved."""
    if training.processes.first:
        logger.warning(f"epoch {epoch + 1}, {found}\nrepeating the epoch up to this step, to save the network as it was before")
    found, net, optimizer, state = before(training, epoch, found)
    if not training.processes.first:
        training.processes.wait()
        raise Elsewhere(f"epoch {epoch + 1}, {found}")
    run = training.run
    file, last = run.checkpoint(KEPT), run.checkpoint("last")
    try:
        checkpoint.write(file, net, optimizer, state | {"epoch": epoch, "step": found.step})
        kept = f"network and optimiser from before this step are in {file}"
    except CheckpointError as error:
        kept = str(error)
    training.processes.wait()  # the other processes wait until the checkpoint is written
    head, body = (group["lr"] for group in optimizer.param_groups)
    images = training.images_of_step(epoch, found.step)
    return "\n".join(
        [
            f"epoch {epoch + 1}, {found}",
            f"learning rates: {head:.4g} for neck and classifier, {body:.4g} for everything else",
            *(f"{modality} images of this step: {', '.join(paths)}" for modality, paths in images.items()),
            kept,
            f"the checkpoint of the previous epoch is intact: {last}" if last.exists() else "no epoch was finished before",
            FIX,
        ]
    )


def _counted(parts: Parts, bar: Any) -> Tensor:
    bar.update()
    return torch.stack(parts)


def _named(values: Tensor) -> dict[str, float]:
    return dict(zip(Parts._fields, values.tolist(), strict=True))
