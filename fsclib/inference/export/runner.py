"""Runs an exported network in ONNX Runtime, without torch: needs NumPy, Pillow and ONNX Runtime.

exported = Exported("exported")                     # a folder written by fsclib.inference.export.export
vectors = exported.embed(["a.jpg", "b.jpg"], "visible")   # (2, D)
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fsclib.config.strict import shown
from fsclib.data.pixels.pictures import Pictures, all_pixels
from fsclib.inference.export.card import INPUT, MODALITIES, OUTPUT, Card, read_card
from fsclib.inference.export.errors import ExportError
from fsclib.system.reading import regular

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class Exported:
    """An exported network that is ready to embed pictures of people, one person per picture.

    folder: written by `export` with format="onnx"; threads: of ONNX Runtime, 0: one per core; providers: ONNX Runtime's devices.
    Errors: ExportError if the folder, a file in it or onnxruntime is missing, or if a file is not the one that was exported.
    """

    def __init__(self, folder: str | Path, *, threads: int = 0, providers: Sequence[str] = ("CPUExecutionProvider",)):
        self.card = read_card(Path(folder))
        if self.card.format != "onnx":
            advice = "open its .pt2 files with torch.export.load, or export again with format=onnx"
            raise ExportError(f"{folder}: found format {self.card.format!r}, expected 'onnx'; {advice}")
        self._sessions = {name: session(_content(Path(folder), self.card, name), threads, providers) for name in MODALITIES}
        for name, opened in self._sessions.items():
            if (found := opened.get_inputs()[0].shape) != self.card.input_shape:
                raise ExportError(f"{folder}/{self.card.file(name)}: found input {found}, expected {self.card.input_shape}")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) that pictures are resized to."""
        return self.card.height, self.card.width

    def embed(self, images: Pictures, modality: str, *, batch: int = 64) -> NDArray[np.float32]:
        """Embeds pictures as vectors, (N, D) float32 of unit length, so that inner products are cosines.

        images: a folder, or paths, PIL images, or arrays of uint8 (H, W, 3) of any size; modality: "visible" or "infrared".
        Errors: ValueError that lists every picture that cannot be used.
        """
        if modality not in MODALITIES:
            raise ValueError(f"modality: found {shown(modality)}, expected {' or '.join(MODALITIES)}")
        pixels = all_pixels(images, *self.size)
        vectors = np.empty((len(pixels), self.card.dimensions), np.float32)
        for first in range(0, len(pixels), batch):
            (vectors[first : first + batch],) = self._sessions[modality].run([OUTPUT], {INPUT: pixels[first : first + batch]})
        return vectors


def session(content: bytes, threads: int = 0, providers: Sequence[str] = ("CPUExecutionProvider",)) -> "InferenceSession":
    """Opens an ONNX model. Errors: ExportError if it is invalid, or onnxruntime is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ExportError("onnxruntime is not installed, but exported networks need it: pip install 'fsclib[export]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(content, options, providers=list(providers))
    except Exception as error:  # onnxruntime's own classes, which derive from nothing but Exception
        raise ExportError(f"ONNX Runtime cannot open the model: {error}") from error


def _content(folder: Path, card: Card, modality: str) -> bytes:
    file = folder / card.file(modality)
    try:
        content = regular(file).read_bytes()
    except OSError as error:
        raise ExportError(f"{file}: cannot be read ({error.strerror}); export the network again") from error
    if (found := hashlib.sha256(content).hexdigest()) != card.files[modality]:
        hashes = f"found SHA-256 {found[:12]}…, expected {shown(card.files[modality])[:13]}…"
        raise ExportError(f"{file}: truncated or modified ({hashes}); export the network again")
    return content
