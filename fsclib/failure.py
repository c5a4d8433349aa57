"""Losses and weights that are not finite: noticed without making a step wait for its device, traced to their step, and the network
before that step kept.

An epoch is a function of (seed, epoch) and of the weights it begins with, so the steps before the one that fails can be taken
again, and nothing has to be kept while all goes well. On a GPU they come out the same but for rounding.
"""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fsclib import checkpoint
from fsclib.checkpoint import CheckpointError
from fsclib.losses import Parts
from fsclib.models.networks import Network
from fsclib.ranks import ALONE, Elsewhere, Ranks

if TYPE_CHECKING:
    from fsclib.train import Training

LOOK = 50  # steps between two looks at their losses: a look waits for the device
KEPT = "before-failure"  # the checkpoint
MEND = "Lower lr and body_lr, or train with precision=float32, under another name or with resume=False."


class NotFinite(ArithmeticError):
    """What went wrong first in an epoch: its step, counted from 0, the parts of its loss, and, unless it is the loss that is not
    finite, the name of a tensor of the network that is not after this step."""

    def __init__(self, step: int, parts: Mapping[str, float], tensor: str = ""):
        super().__init__(step, parts, tensor)
        self.step, self.parts, self.tensor = step, parts, tensor

    def __str__(self) -> str:
        found = ", ".join(f"{name} {value:.4g}" for name, value in self.parts.items())
        if self.tensor:
            return f"step {self.step + 1}: weights are not finite after it ({self.tensor} is the first; its loss: {found})"
        return f"step {self.step + 1}: the loss is not finite ({found})"


def mean_losses(steps: Iterator[Parts], net: nn.Module, bar: Any, ranks: Ranks = ALONE) -> dict[str, float]:
    """Takes the steps of an epoch and averages their losses, over `ranks` as well; waits for the device once in LOOK steps, and at
    the end.

    Errors: NotFinite for the first loss that is not, or for weights after the last step, whose loss does not show them yet.
    """
    start, looks = time.monotonic(), []
    while seen := [_counted(parts, bar) for parts in islice(steps, LOOK)]:
        values = ranks.mean(torch.stack(seen).cpu())  # (≤ LOOK, parts)
        if len(wrong := (~values.isfinite().all(1)).nonzero()):
            raise NotFinite(LOOK * len(looks) + int(wrong[0]), _named(values[int(wrong[0])]))
        looks.append(values)
    values = torch.cat(looks)
    if tensor := ranks.told(spoilt(net)):
        raise NotFinite(len(values) - 1, _named(values[-1]), tensor)
    return _named(values.mean(0)) | {"seconds": time.monotonic() - start}


def spoilt(net: nn.Module) -> str:
    """The first tensor of a network that is not finite, "" if all are."""
    tensors = net.state_dict().items()
    return next((name for name, value in tensors if value.is_floating_point() and not value.isfinite().all()), "")


def before(training: "Training", epoch: int, found: NotFinite) -> tuple[NotFinite, Network, torch.optim.SGD, dict[str, Any]]:
    """Takes the steps before the one that fails again: what fails, and network, optimiser and state as they were before that.

    What fails is an earlier step if one spoils the weights already: its own loss does not show it.
    """
    net, optimizer, state = training.left_off()
    steps = training.steps(training.shared(net), optimizer, epoch)
    for number, parts in enumerate(islice(steps, found.step)):
        if tensor := training.ranks.told(spoilt(net)):
            steps.close()
            return before(training, epoch, NotFinite(number, _named(training.ranks.mean(torch.stack(parts).cpu())), tensor))
    steps.close()
    return found, net, optimizer, state


def explain(training: "Training", epoch: int, found: NotFinite) -> str:
    """Keeps what was before the step that fails, and says where training stopped, on what, why, and what is kept."""
    if training.ranks.first:
        print(f"epoch {epoch + 1}, {found}\ngoing back to before this step, to keep the network as it was", flush=True)
    found, net, optimizer, state = before(training, epoch, found)
    if not training.ranks.first:
        training.ranks.wait()
        raise Elsewhere(f"epoch {epoch + 1}, {found}")
    run = training.run
    file, last = run.checkpoint(KEPT), run.checkpoint("last")
    try:
        checkpoint.write(file, net, optimizer, state | {"epoch": epoch, "step": found.step})
        kept = f"network and optimiser as they were before this step are in {file}"
    except CheckpointError as error:
        kept = str(error)
    training.ranks.wait()  # the others end after this one has kept its checkpoint
    head, body = (group["lr"] for group in optimizer.param_groups)
    images = training.images_of_step(epoch, found.step)
    return "\n".join(
        [
            f"epoch {epoch + 1}, {found}",
            f"learning rates: {head:.4g} of neck and classifier, {body:.4g} of everything else",
            *(f"{modality} images of this step: {', '.join(paths)}" for modality, paths in images.items()),
            kept,
            f"the checkpoint of the epoch before is intact: {last}" if last.exists() else "no epoch was finished before",
            MEND,
        ]
    )


def _counted(parts: Parts, bar: Any) -> Tensor:
    bar.update()
    return torch.stack(parts)


def _named(values: Tensor) -> dict[str, float]:
    return dict(zip(Parts._fields, values.tolist(), strict=True))
