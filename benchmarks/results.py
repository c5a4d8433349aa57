"""The results file of a machine: every case and curve measured on it, each with the versions used.

{"machine": name, "device": "cpu" | "cuda", "cases": {name: …}, "curves": {name: …}}
"""

import json
from pathlib import Path
from typing import Any

from fsclib.system.reading import read_json
from fsclib.system.storage import replacing


def read(file: Path, machine: str) -> dict[str, Any]:
    """Reads a machine's results; empty if there is no file. Errors: ValueError for another machine's file or other content."""
    if not file.exists():
        return {"cases": {}, "curves": {}}
    try:
        found = read_json(file)
        measured_on = found["machine"]
        if not all(isinstance(found[kind], dict) for kind in ("cases", "curves")):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} does not hold benchmark results; move it away, or name another file with --out") from error
    if measured_on != machine:
        raise ValueError(f"{file} holds results of {measured_on}, expected {machine}; name another file with --out")
    return found


def keep(file: Path, machine: str, device: str, kind: str, name: str, record: dict[str, Any]) -> dict[str, Any]:
    """Stores a record in "cases" or "curves", replacing an older one of the same name; returns all results.

    Errors: as in `read`.
    """
    kept = {"machine": machine, "device": device} | read(file, machine)
    kept[kind][name] = record
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part:
        part.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return kept
