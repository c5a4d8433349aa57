"""Trained networks for programs without fsclib or without torch: ONNX files, or programs of torch.export.

    export("people/fsc", "exported")                     # visible.onnx, infrared.onnx and model.json
    Exported("exported").embed(["a.jpg"], "visible")     # (1, D), without torch

The names are loaded when they are first used: the runner needs no torch, the exporter no ONNX Runtime unless it writes ONNX.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsclib.inference.export.exporting import export
    from fsclib.inference.export.runner import Exported

__all__ = ["Exported", "export"]
_PLACES = {"export": "fsclib.inference.export.exporting", "Exported": "fsclib.inference.export.runner"}

if not TYPE_CHECKING:  # as in fsclib

    def __getattr__(name: str) -> Any:
        if name in _PLACES:
            return getattr(import_module(_PLACES[name]), name)
        raise AttributeError(f"module 'fsclib.inference.export' has no attribute {name!r}")
