"""The file of a machine: every case and every curve that was ever measured on it, each with the versions it was measured with.

    {"machine": name, "device": "cpu" | "cuda", "cases": {name: …}, "curves": {name: …}}
"""

import json
from pathlib import Path
from typing import Any

from fsclib.files import replacing
from fsclib.reading import read_json


def read(file: Path, machine: str) -> dict[str, Any]:
    """What the file holds of a machine; nothing yet where there is none. ValueError for another machine's, or no such results."""
    if not file.exists():
        return {"cases": {}, "curves": {}}
    try:
        found = read_json(file)
        whose = found["machine"]
        if not all(isinstance(found[kind], dict) for kind in ("cases", "curves")):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} does not hold results of benchmarks; move it away, or name another file with --out") from error
    if whose != machine:
        raise ValueError(f"{file} holds results of {whose}, expected {machine}; name another file with --out")
    return found


def keep(file: Path, machine: str, device: str, kind: str, name: str, record: dict[str, Any]) -> dict[str, Any]:
    """Puts a record in place of an older one of its name, in "cases" or "curves", and leaves the others; returns all of them.

    Errors: as in `read`.
    """
    kept = {"machine": machine, "device": device} | read(file, machine)
    kept[kind][name] = record
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part:
        part.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return kept
