"""The card of an exported network, model.json: what was exported, and what the files take and return. Needs no torch."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

from fsclib.config.strict import shown
from fsclib.inference.export.errors import ExportError
from fsclib.system.reading import read_json
from fsclib.system.storage import write_text

NAME = "model.json"
MODALITIES = ("visible", "infrared")  # one file each
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}  # of each format
INPUT, OUTPUT = "images", "vectors"  # names in the graphs


@dataclass(frozen=True, kw_only=True)
class Card:
    """A network's export.

    format, quantise, mirror: as in `export`; height, width: of the images; dimensions: of the vectors; least_cosine: between
    vectors of the export and of the network, over the images that they were compared on; source: the network's name; weights:
    hash of its tensors; files: SHA-256 of each modality's file; fsclib, torch: their versions.
    """

    format: str
    quantise: str
    mirror: bool
    height: int
    width: int
    dimensions: int
    least_cosine: float
    source: str
    weights: str
    files: dict[str, str]
    fsclib: str
    torch: str

    @property
    def input_shape(self) -> list[str | int]:
        """Shape of a graph's input, as ONNX Runtime reports it."""
        return ["batch", self.height, self.width, 3]

    def file(self, modality: str) -> str:
        """Name of a modality's file."""
        return modality + SUFFIXES[self.format]


def write_card(folder: Path, card: Card) -> Path:
    """Writes model.json, with a description of input and output for other programs; returns its path."""
    graphs = {
        "input": {"name": INPUT, "type": "uint8", "shape": card.input_shape, "content": "RGB, resized with Lanczos"},
        "output": {"name": OUTPUT, "type": "float32", "shape": ["batch", card.dimensions], "content": "unit vectors"},
    }
    write_text(folder / NAME, json.dumps(dataclasses.asdict(card) | graphs, indent=1, ensure_ascii=False) + "\n")
    return folder / NAME


def read_card(folder: Path) -> Card:
    """Reads model.json. Errors: ExportError if it is missing, unreadable or incomplete."""
    file = folder / NAME
    try:
        found = read_json(file)
    except FileNotFoundError:
        raise ExportError(f"{folder}: found no {NAME}, expected the folder of an exported network; export one into it") from None
    except (OSError, ValueError) as error:
        raise ExportError(f"{file}: cannot be read ({error}); export the network again") from error
    if not isinstance(found, dict):
        raise ExportError(f"{file}: found {shown(found)}, expected an object; export the network again")
    types = get_type_hints(Card) | {"files": dict}
    problems = [
        f"{name}: found {shown(found.get(name))}, expected {kind.__name__}"
        for name, kind in types.items()
        if type(found.get(name)) is not kind
    ]
    if not problems:
        problems += [
            f"{name}: found {found[name]}, expected at least 1" for name in ("height", "width", "dimensions") if found[name] < 1
        ]
        if found["format"] not in SUFFIXES:
            problems.append(f"format: found {shown(found['format'])}, expected {' or '.join(SUFFIXES)}")
        if sorted(found["files"]) != sorted(MODALITIES):
            problems.append(f"files: found {shown(sorted(found['files']))}, expected {' and '.join(MODALITIES)}")
    if problems:
        raise ExportError("\n".join([f"{file}: not the card of an exported network; export it again", *problems]))
    return Card(**{name: found[name] for name in types})
