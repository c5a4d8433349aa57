"""What a command has left behind, in a form in which two runs of it are equal: without seconds, surroundings and random names."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

TOKEN = re.compile(r"\.[0-9a-f]{8}\.npy")  # the random part of the name of a cache's pixel file
PASSING = ("environment", "pixels", "seconds")  # entries of a table in JSON: where a run was made, that name, how long it took


def contents(folder: Path) -> dict[str, list[Any]]:
    """Every file below a folder, links not followed: its name without what is random in it → what the files of this name hold."""
    found: dict[str, list[Any]] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not _of_jupyter(file):
            found.setdefault(TOKEN.sub(".npy", str(file.relative_to(folder))), []).append(_content(file))
    return found


def differences(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> list[str]:
    """Names of the files that are missing, too many or of other content."""
    return [
        f"{name}: {'left over' if name not in expected else 'missing' if name not in found else 'differs'}"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    ]


def _of_jupyter(file: Path) -> bool:
    """Whether a file is jupyter_client's note of a kernel's ports, which stays in the temporary folder of a killed papermill."""
    return file.parent.name == "tmp" and file.suffix == ".json" and "shell_port" in json.loads(file.read_bytes())


def _content(file: Path) -> Any:
    data = file.read_bytes()
    if file.name == "log.csv":
        return pd.read_csv(file, dtype=str).drop(columns="seconds").to_csv()
    if file.suffix == ".ipynb":
        return None  # times of execution stand in it
    if file.suffix == ".lock":
        return None  # the line of a killed holder stays until somebody else has to lock; whether one is held is asked elsewhere
    if file.suffix == ".json":
        return {name: value for name, value in json.loads(data).items() if name not in PASSING}
    if file.suffix == ".safetensors":  # whose header is a table that may stand in any order
        end = 8 + int.from_bytes(data[:8], "little")
        return json.loads(data[8:end]), hashlib.blake2b(data[end:]).hexdigest()
    return hashlib.blake2b(data).hexdigest()
