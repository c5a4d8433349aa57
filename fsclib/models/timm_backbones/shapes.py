"""The shape of a module's output, found without computing it."""

import logging
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call


@torch.no_grad()
def shape(module: nn.Module, *given: Sequence[int]) -> torch.Size:
    """The shape of the output, or of the first of several, by the shapes of the inputs; draws no random numbers.

    The module may be on any device, and is not changed. Errors: those that it raises.
    """
    state = {name: (tensor.shape, tensor.dtype) for name, tensor in chain(module.named_parameters(), module.named_buffers())}
    log = logging.getLogger("torch._subclasses.fake_tensor")  # logs what it also raises
    disabled, log.disabled = log.disabled, True
    try:
        with FakeTensorMode():  # not the device "meta", which autocast does not know
            fake = {name: torch.empty(size, dtype=dtype, device="cpu") for name, (size, dtype) in state.items()}
            output = functional_call(module, fake, tuple(torch.empty(size, device="cpu") for size in given))
    finally:
        log.disabled = disabled
    return (output if isinstance(output, Tensor) else output[0]).shape
