"""Writes a trained network as files for other programs: one for each modality, and a card."""

import hashlib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from fsclib.config.strict import shown
from fsclib.data.pixels.pictures import Pictures, all_pixels
from fsclib.inference.embedder import Embedder, load
from fsclib.inference.export import programs
from fsclib.inference.export.card import INPUT, MODALITIES, OUTPUT, SUFFIXES, Card, write_card
from fsclib.inference.export.errors import ExportError
from fsclib.inference.export.quantisation import int8
from fsclib.inference.export.runner import session
from fsclib.system.disk_space import make_folder
from fsclib.system.storage import replacing

QUANTISED = ("none", "int8")
BATCHES = (1, 2, 7)  # sizes of the batches that an export is compared on
TOLERANCE = 1e-4  # of the vectors' entries in float32

Run = Callable[[np.ndarray], np.ndarray]  # uint8 (B, H, W, 3) → (B, D)


def export(
    source: str | Path | Embedder,
    folder: str | Path,
    *,
    format: str = "onnx",
    quantise: str = "none",
    mirror: bool = True,
    calibration: Mapping[str, Pictures] | None = None,
) -> list[Path]:
    """Exports a trained network as two programs, from pixels to unit vectors, and returns the files: visible, infrared, model.json.

    Input: uint8 (B, H, W, 3), RGB, of the network's size, in batches of any size; output: float32 (B, D), as from Embedder.embed
    in float32. Each program is compared with the network before it is written.

    source: as in fsclib.load, or an Embedder; folder: files of an earlier export are replaced; format: "onnx", or "torch" for
    torch.export.load; quantise: "none", or "int8" for 8-bit convolutions (ONNX only); mirror: whether the mirror image is embedded
    too; calibration: for "int8", pictures of each modality as the network will see them, some tens or hundreds.
    Errors: ExportError for impossible options, a missing extra, or a network that cannot be exported; those of fsclib.load.
    """
    calibration = calibration or {}
    _check(format, quantise, calibration)
    embedder = source if isinstance(source, Embedder) else load(source, device="cpu", precision="float32")
    contents: dict[str, bytes] = {}
    cosines, dimensions = [], 0
    for modality in MODALITIES:
        seen = all_pixels(calibration[modality], *embedder.size) if quantise == "int8" else _noise(*embedder.size)
        function = programs.Vectors(embedder.net, modality, mirror)
        contents[modality], run = _exported(function, format, seen if quantise == "int8" else None, embedder.size)
        cosine, dimensions = _compared(function, run, seen, exact=quantise == "none")
        cosines.append(cosine)
    card = Card(
        format=format,
        quantise=quantise,
        mirror=mirror,
        height=embedder.size[0],
        width=embedder.size[1],
        dimensions=dimensions,
        least_cosine=min(cosines),
        source=_name(source),
        weights=embedder.digest,
        files={modality: hashlib.sha256(content).hexdigest() for modality, content in contents.items()},
        fsclib=version("fsclib"),
        torch=torch.__version__,
    )
    folder = Path(folder)
    make_folder(folder)
    for modality, content in contents.items():
        with replacing(folder / card.file(modality)) as part:
            part.write_bytes(content)
    return [*(folder / card.file(modality) for modality in MODALITIES), write_card(folder, card)]


def _check(format: str, quantise: str, calibration: Mapping[str, Pictures]) -> None:
    """Errors: ExportError that lists every problem of the options."""
    problems = []
    if format not in SUFFIXES:
        problems.append(f"format: found {shown(format)}, expected {' or '.join(SUFFIXES)}")
    if quantise not in QUANTISED:
        problems.append(f"quantise: found {shown(quantise)}, expected {' or '.join(QUANTISED)}")
    if unknown := [name for name in calibration if name not in MODALITIES]:
        problems.append(f"calibration: found {shown(unknown)}, expected {' and '.join(MODALITIES)}")
    if quantise == "int8":
        if format == "torch":
            problems.append("quantise: found 'int8' with format 'torch', expected format 'onnx'; torch has no stable form of it")
        missing = [name for name in MODALITIES if name not in calibration]
        if missing:
            advice = "pass some tens of typical pictures of each modality"
            problems.append(f"calibration: found no {' or '.join(missing)} pictures, which int8 needs; {advice}")
    elif calibration:
        problems.append(f"calibration: found pictures with quantise {shown(quantise)}, expected 'int8'; omit them")
    if problems:
        raise ExportError("\n".join(problems))


def _exported(function: programs.Vectors, format: str, calibration: np.ndarray | None, size: tuple[int, int]) -> tuple[bytes, Run]:
    """The content of a file, and a function that runs it."""
    program = programs.torch_program(function, *size)
    if format == "torch":
        module = program.module()
        return programs.torch_file(program), lambda pixels: module(torch.from_numpy(pixels)).numpy()
    model = programs.onnx_model(program)
    content = model.SerializeToString() if calibration is None else int8(model, calibration)
    opened = session(content)
    return content, lambda pixels: opened.run([OUTPUT], {INPUT: pixels})[0]


@torch.inference_mode()
def _compared(function: programs.Vectors, run: Run, pixels: np.ndarray, exact: bool) -> tuple[float, int]:
    """The least cosine between vectors of an export and of the network, and the vectors' size.

    Errors: ExportError if an exact export differs by more than TOLERANCE.
    """
    batches = [pixels[:number] for number in BATCHES] if exact else np.split(pixels, range(BATCHES[-1], len(pixels), BATCHES[-1]))
    found = np.concatenate([run(batch) for batch in batches])
    expected = np.concatenate([function(torch.from_numpy(batch)).numpy() for batch in batches])
    difference = float(np.abs(found - expected).max())
    if exact and not difference <= TOLERANCE:
        network = type(function.net).__name__
        raise ExportError(f"{network}: the export differs from the network by {difference:.1e}, expected at most {TOLERANCE:.0e}")
    return float((found * expected).sum(1).min()), found.shape[1]


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (BATCHES[-1], height, width, 3), np.uint8)


def _name(source: str | Path | Embedder) -> str:
    """A network's name: "people/fsc", a run's data set and name, or its class; not where it lies on this machine."""
    if isinstance(source, Embedder):
        return type(source.net).__name__
    return "/".join(Path(source).resolve().parts[-2:]) if Path(source).exists() else str(source)
