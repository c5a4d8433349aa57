"""File contents that create a marker file if they are executed instead of read as data."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import torch
import yaml


class Bomb:
    """Unpickling it creates the marker file."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def _torch(marker: Path, **options: bool) -> bytes:
    content = io.BytesIO()
    torch.save({"net": Bomb(marker), "config": Bomb(marker)}, content, **options)
    return content.getvalue()


def _npy(marker: Path) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([Bomb(marker)], dtype=object), allow_pickle=True)
    return content.getvalue()


def _npz(marker: Path) -> bytes:
    content = io.BytesIO()
    np.savez(content, pixels=np.array([Bomb(marker)], dtype=object))
    return content.getvalue()


def _notebook(marker: Path) -> bytes:
    source = f"open({str(marker)!r}, 'w')"
    prose = f"# T\n\n<script>{source}</script><img src=x onerror={source!r}>"
    cells = [nbformat.v4.new_markdown_cell(prose), nbformat.v4.new_code_cell(source)]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()


BOMBS: dict[str, Callable[[Path], bytes]] = {
    "pickle": lambda marker: pickle.dumps(Bomb(marker)),
    "ASCII pickle": lambda marker: pickle.dumps(Bomb(marker), protocol=0),
    "torch": _torch,
    "legacy torch": lambda marker: _torch(marker, _use_new_zipfile_serialization=False),
    "npy": _npy,
    "npz": _npz,
    "YAML": lambda marker: f"!!python/object/apply:builtins.open ['{marker}', 'w']\n".encode(),
    "YAML in a table": lambda marker: f"fixed: !!python/object/apply:builtins.open ['{marker}', 'w']\ngrids: []\n".encode(),
    "Python": lambda marker: f"__import__('builtins').open({str(marker)!r}, 'w')\n".encode(),
    "shell": lambda marker: f"#!/bin/sh\ntouch '{marker}'\n$(touch '{marker}') `touch '{marker}'`\n".encode(),
    "PostScript": lambda marker: (
        f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 64\n({marker}) (w) file closefile\nshowpage\n%%EOF\n".encode()
    ),
    "LaTeX": lambda marker: rf"\immediate\write18{{touch {marker}}}\newwrite\f\immediate\openout\f={marker} ".encode(),
    "notebook": _notebook,
}
UNSAFE_READERS: dict[str, Callable[[bytes], object]] = {  # which the library must not use
    "pickle": pickle.loads,
    "ASCII pickle": pickle.loads,
    "torch": lambda content: torch.load(io.BytesIO(content), weights_only=False),
    "legacy torch": lambda content: torch.load(io.BytesIO(content), weights_only=False),
    "npy": lambda content: np.load(io.BytesIO(content), allow_pickle=True),
    "npz": lambda content: np.load(io.BytesIO(content), allow_pickle=True)["pixels"],
    "YAML": yaml.unsafe_load,
    "YAML in a table": yaml.unsafe_load,
}
