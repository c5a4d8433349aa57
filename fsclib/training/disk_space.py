"""Checks that the disk has room for a training before images are decoded and hours are spent."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from fsclib.runs import checkpoint
from fsclib.system.disk_space import check_room


def check(folder: Path, network: Callable[[], nn.Module], momenta: int, resume: bool = True) -> None:
    """Refuses a training whose folder is not writable or whose checkpoints clearly do not fit. Errors: DiskError.

    network: builds the network. momenta: the optimiser's tensors per weight. resume: the checkpoints in the folder are replaced.
    """
    existing = sum(file.stat().st_size for file in folder.glob("checkpoints/*.safetensors")) if resume else 0
    check_room(folder, needed(network, momenta) - existing, "its checkpoints")


def needed(network: Callable[[], nn.Module], momenta: int) -> int:
    """Bytes of two checkpoints with weights and momenta, since a new one is written beside the old one, and of the best weights."""
    try:
        with torch.device("meta"):  # shapes without memory
            net = network()
    except RuntimeError:  # a network from another package that reads its weights during construction
        return 0
    return 2 * checkpoint.size(net, momenta) + checkpoint.size(net, momenta=0)
