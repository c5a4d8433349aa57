"""safetensors files, also on a disk that is full or that cannot map files into memory."""

import json
from collections.abc import KeysView, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor

from fsclib.disk import can_map
from fsclib.files import replacing
from fsclib.reading import regular


def write_tensors(file: Path, tensors: Mapping[str, Tensor], entries: Mapping[str, str]) -> None:
    """Contiguous tensors and the entries of the header, whole or not at all. Errors: DiskError."""
    content = save(dict(tensors), dict(entries))  # its save_file writes and renames a file of its own, which a kill would leave
    with replacing(file) as part:
        part.write_bytes(content)


def open_tensors(file: Path) -> "safe_open | InMemory":
    """safe_open, or, where the file system cannot map files, the same of a copy in memory.

    Errors: OSError, also for what is no regular file; SafetensorError.
    """
    return safe_open(file, framework="pt") if can_map(regular(file)) else InMemory(file.read_bytes())


class InMemory(AbstractContextManager):
    """The bytes of a safetensors file, opened as safe_open would."""

    def __init__(self, content: bytes):
        self._tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        self._entries = json.loads(content[8 : 8 + length]).get("__metadata__")

    def metadata(self) -> dict[str, str] | None:
        return self._entries

    def keys(self) -> KeysView[str]:
        return self._tensors.keys()

    def get_tensor(self, name: str) -> Tensor:
        return self._tensors[name]

    def __exit__(self, *error: object) -> None:
        self._tensors = {}
