"""The files that a command leaves, in a form that is equal for two runs: without times, environment and random names."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

TOKEN = re.compile(r"\.[0-9a-f]{8}\.npy")  # the random part of the name of a cache's pixel file
VOLATILE = ("environment", "pixels", "seconds")  # JSON entries: where a run was made, that name, how long it took


def contents(folder: Path) -> dict[str, list[Any]]:
    """Every file below a folder, without following links: name without its random part → contents of the files of this name."""
    found: dict[str, list[Any]] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not _of_jupyter(file):
            found.setdefault(TOKEN.sub(".npy", str(file.relative_to(folder))), []).append(_content(file))
    return found


def differences(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> list[str]:
    """Names of the files that are missing, left over or different."""
    return [
        f"{name}: {'left over' if name not in expected else 'missing' if name not in found else 'differs'}"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    ]


def _of_jupyter(file: Path) -> bool:
    """Whether this is jupyter_client's file with a kernel's ports, which a killed papermill leaves in its temporary folder."""
    return file.parent.name == "tmp" and file.suffix == ".json" and "shell_port" in json.loads(file.read_bytes())


def _content(file: Path) -> Any:
    data = file.read_bytes()
    if file.name == "log.csv":
        return pd.read_csv(file, dtype=str).drop(columns="seconds").to_csv()
    if file.suffix == ".ipynb":
        return None  # it contains execution times
    if file.suffix == ".lock":
        return None  # a killed holder's line stays until the lock is taken again; held locks are looked for elsewhere
    if file.suffix == ".json":
        return {name: value for name, value in json.loads(data).items() if name not in VOLATILE}
    if file.suffix == ".safetensors":  # its header is a table in no fixed order
        end = 8 + int.from_bytes(data[:8], "little")
        return json.loads(data[8:end]), hashlib.blake2b(data[end:]).hexdigest()
    return hashlib.blake2b(data).hexdigest()
