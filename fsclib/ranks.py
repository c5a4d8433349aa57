"""The processes that train one network together, which of them this one is, and how they talk.

torchrun starts them and says in the environment who is who. They talk in two groups: one for the arithmetic of a step, over NCCL on
GPUs and Gloo on processors, in which nobody waits long; and one of patience, over Gloo, for what the first process does alone. A
process that dies closes its connections, and Gloo notices at once, however patient it is.

Nothing but numbers and text is exchanged, and no object is unpickled.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")

LOST = re.compile(r"onnection (closed|reset|refused)|[Bb]roken pipe|[Tt]imed? ?out|NCCL|\[.*gloo/|[Ss]ocket|ProcessGroup")


class Elsewhere(RuntimeError):
    """Another process of the training has stopped, and says why itself: this one has nothing to add."""


@dataclass(frozen=True)
class Ranks:
    """Which process this is, of how many. A training in a single process is ALONE, and everything here does nothing then."""

    rank: int = 0
    count: int = 1
    steps: dist.ProcessGroup | None = field(default=None, repr=False, compare=False)
    patient: dist.ProcessGroup | None = field(default=None, repr=False, compare=False)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks for all."""
        return self.rank == 0

    def part(self, number: int) -> slice:
        """Which of `number` things, a multiple of `count`, are this process's: neighbours."""
        each = number // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def texts(self, text: str) -> list[str]:
        """What every process says, in the order of ranks. Waits for all."""
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
        """Returns when all processes have come here."""
        self.texts("")

    def told(self, value: Any) -> Any:
        """The first process's value, whatever this one has: plain values, as JSON keeps them. Waits for all."""
        return value if self.count == 1 else json.loads(self.texts(json.dumps(value) if self.first else "")[0])

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes of numbers on the CPU. Waits for all."""
        if self.count > 1:
            with noticing():
                dist.all_reduce(values, group=self.patient)
            values /= self.count
        return values

    def agree(self, act: Callable[[], T]) -> T:
        """What `act` returns, once it has succeeded everywhere.

        Errors: its own, in the first process where it fails; Elsewhere in all others.
        """
        if self.count == 1:
            return act()
        found, failure = None, None
        try:
            found = act()
        except Elsewhere:
            raise
        except Exception as error:
            failure = error
        told = self.texts(str(failure) or type(failure).__name__ if failure else "")
        failed = next((rank for rank, text in enumerate(told) if text), None)
        if failed == self.rank:
            raise failure
        if failed is not None:
            raise Elsewhere(f"process {failed} has stopped: {told[failed]}")
        return found

    def copy(self, tensors: Iterable[Tensor]) -> None:
        """Fills the tensors of all processes, on any device, from those of the first."""
        if self.count > 1:
            with noticing(), torch.no_grad():
                for tensor in tensors:
                    content = tensor.detach().cpu().contiguous()
                    dist.broadcast(content, 0, group=self.patient)
                    tensor.copy_(content)

    def gathered(self, parts: Sequence[Tensor], sizes: Sequence[int]) -> list[Tensor]:
        """Each part (A, n, …), on the CPU, of every process behind each other along n, in the first; nothing in the others.

        sizes: the n of every process; a process whose n is 0 has no parts, and is not the first.
        """
        if self.count == 1:
            return list(parts)
        with noticing():
            if not self.first:
                for part in parts:
                    dist.send(part.contiguous(), 0, group=self.patient)
                return []
            found = [[part] for part in parts]
            for rank in range(1, self.count):
                for part, whole in zip(parts, found, strict=True):
                    if sizes[rank]:
                        whole.append(torch.empty(len(part), sizes[rank], *part.shape[2:], dtype=part.dtype))
                        dist.recv(whole[-1], rank, group=self.patient)
        return [torch.cat(whole, 1) for whole in found]


ALONE = Ranks()


@contextlib.contextmanager
def noticing() -> Iterator[None]:
    """Turns what a lost connection to another process raises into Elsewhere."""
    try:
        yield
    except RuntimeError as error:
        joint = dist.is_available() and dist.is_initialized()
        if joint and (isinstance(error, dist.DistError) or (type(error) is RuntimeError and LOST.search(str(error)))):
            raise Elsewhere(f"the connection to another process is lost: {error}") from error
        raise
