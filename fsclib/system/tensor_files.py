"""Reading and writing safetensors files, including on full disks and on file systems without memory-mapping."""

import json
from collections.abc import KeysView, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor

from fsclib.system.disk_space import can_map
from fsclib.system.reading import regular
from fsclib.system.storage import replacing


def write_tensors(file: Path, tensors: Mapping[str, Tensor], entries: Mapping[str, str]) -> None:
    """Writes contiguous tensors and header entries atomically. Errors: DiskError."""
    content = save(dict(tensors), dict(entries))  # save_file renames its own temporary file, which a killed process would leave
    with replacing(file) as part:
        part.write_bytes(content)


def open_tensors(file: Path) -> "safe_open | InMemory":
    """safe_open, or an equivalent in memory if the file system does not support memory-mapping.

    Errors: OSError, also if it is not a regular file; SafetensorError.
    """
    return safe_open(file, framework="pt") if can_map(regular(file)) else InMemory(file.read_bytes())


class InMemory(AbstractContextManager):
    """The content of a safetensors file, with the interface of safe_open."""

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
