"""The processes of a distributed training and their communication.

The program that starts them sets the index of each in its environment (`started`). They use two groups: `steps`, with a short
timeout, for the training steps, over NCCL on GPUs and Gloo on CPUs; and `patient`, with a long timeout, over Gloo, for the work
that process 0 does alone. A process that dies closes its connections, which Gloo notices at once whatever the timeout.

Only numbers and text are exchanged, and no object is unpickled.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from fsclib.system.errors import FsclibError

T = TypeVar("T")

RENDEZVOUS = "FSCLIB_RENDEZVOUS"  # environment variable: where a process of a training meets the others, see training/distributed

LOST = re.compile(r"onnection (closed|reset|refused)|[Bb]roken pipe|[Tt]imed? ?out|NCCL|\[.*gloo/|[Ss]ocket|ProcessGroup")


class Elsewhere(FsclibError, RuntimeError):
    """Another process of the training has failed and reports the error itself."""


@dataclass(frozen=True)
class Processes:
    """The index of this process and the number of processes. ALONE is a single-process training, where all methods are trivial."""

    index: int = 0
    count: int = 1
    steps: dist.ProcessGroup | None = field(default=None, repr=False, compare=False)
    patient: dist.ProcessGroup | None = field(default=None, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this is process 0; only process 0 writes and logs."""
        return self.index == 0

    def part(self, number: int) -> slice:
        """This process's contiguous share of `number` items, where `number` is a multiple of `count`."""
        each = number // self.count
        return slice(self.index * each, (self.index + 1) * each)

    def texts(self, text: str) -> list[str]:
        """The texts of all processes, in their order. Waits for all."""
        if self.count == 1:
            return [text]
        own = torch.frombuffer(bytearray(text.encode("utf-8", "replace") or b"\0"), dtype=torch.uint8)
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        with noticing():
            dist.all_gather(lengths, torch.tensor([len(own)]), group=self.patient)
            padded = torch.zeros(int(max(lengths)), dtype=torch.uint8)
            padded[: len(own)] = own
            found = [torch.empty_like(padded) for _ in range(self.count)]
            dist.all_gather(found, padded, group=self.patient)
        contents = (one[: int(length)].numpy().tobytes() for one, length in zip(found, lengths, strict=True))
        return [content.rstrip(b"\0").decode("utf-8", "replace") for content in contents]

    def wait(self) -> None:
        """Waits until all processes have called this."""
        self.texts("")

    def told(self, value: Any) -> Any:
        """Process 0's value, which must be representable in JSON; the other processes' values are ignored. Waits for all."""
        return value if self.count == 1 else json.loads(self.texts(json.dumps(value) if self.first else "")[0])

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a CPU tensor over all processes, in place. Waits for all."""
        if self.count > 1:
            with noticing():
                dist.all_reduce(values, group=self.patient)
            values /= self.count
        return values

    def agree(self, act: Callable[[], T]) -> T:
        """Returns the result of `act` once it has succeeded in all processes.

        Errors: that of `act` in the first process where it fails; Elsewhere in all others.
        """
        if self.count == 1:
            return act()
        failure: Exception | None = None
        try:
            found = act()
        except Elsewhere:
            raise
        except Exception as error:
            failure = error
        told = self.texts(str(failure) or type(failure).__name__ if failure else "")
        failed = next((process for process, text in enumerate(told) if text), None)
        if failure and failed == self.index:
            raise failure
        if failed is not None:
            raise Elsewhere(f"process {failed} has stopped: {told[failed]}")
        return found

    def copy(self, tensors: Iterable[Tensor]) -> None:
        """Copies process 0's tensors into those of all processes, on any device."""
        if self.count > 1:
            with noticing(), torch.no_grad():
                for tensor in tensors:
                    content = tensor.detach().cpu().contiguous()
                    dist.broadcast(content, 0, group=self.patient)
                    tensor.copy_(content)

    def gathered(self, parts: Sequence[Tensor], sizes: Sequence[int]) -> list[Tensor]:
        """Concatenates each part (A, n, …), on the CPU, over all processes along n, in process 0; returns [] in the others.

        sizes: the n of every process; a process with n = 0 has no parts, and n > 0 in process 0.
        """
        if self.count == 1:
            return list(parts)
        with noticing():
            if not self.first:
                for part in parts:
                    dist.send(part.contiguous(), 0, group=self.patient)
                return []
            found = [[part] for part in parts]
            for process in range(1, self.count):
                for part, whole in zip(parts, found, strict=True):
                    if sizes[process]:
                        whole.append(torch.empty(len(part), sizes[process], *part.shape[2:], dtype=part.dtype))
                        dist.recv(whole[-1], process, group=self.patient)
        return [torch.cat(whole, 1) for whole in found]


ALONE = Processes()


@contextlib.contextmanager
def noticing() -> Iterator[None]:
    """Turns errors of a lost connection to another process into Elsewhere."""
    try:
        yield
    except RuntimeError as error:
        joint = dist.is_available() and dist.is_initialized()
        if joint and (isinstance(error, dist.DistError) or (type(error) is RuntimeError and LOST.search(str(error)))):
            raise Elsewhere(f"the connection to another process is lost: {error}") from error
        raise


def started() -> int:
    """The number of processes that train together, from the environment; 1 for a process that trains alone.

    Errors: ValueError for an incomplete environment, and under torchrun, which may run what others on the network send.
    """
    if RENDEZVOUS not in os.environ:
        if "TORCHELASTIC_RUN_ID" in os.environ:
            found = "torchrun has started this process, but it accepts and unpickles what anyone on the network sends"
            raise ValueError(f"{found}; on one machine pass devices=N to a single process, on several see slurm/README.md")
        return 1
    if wrong := [name for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE") if not os.environ.get(name, "").isdecimal()]:
        found = ", ".join(f"{name}={os.environ.get(name, '')!r}" for name in wrong)
        raise ValueError(f"environment: found {RENDEZVOUS} with {found}, expected numbers; set them as in slurm/README.md")
    return int(os.environ["WORLD_SIZE"])
