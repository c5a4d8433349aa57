"""fsclib: visible-infrared person re-identification, from images on disk to figures of a paper.

    import fsclib
    embedder = fsclib.load("people/fsc")
    net = fsclib.build_model("fsc", num_classes=395)
    run = fsclib.fit(fsclib.Config(dataset="llcm"))
    table = fsclib.evaluate(run)

Everything is loaded when it is first used: importing fsclib takes milliseconds, and a Config needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsclib import losses, metrics
    from fsclib.config import Config
    from fsclib.inference.embedder import load
    from fsclib.models.networks import build_model
    from fsclib.retrieval.evaluation import evaluate_run as evaluate
    from fsclib.system.errors import FsclibError
    from fsclib.training.loop import fit

__version__ = "0.1.0"
__all__ = ["Config", "FsclibError", "build_model", "evaluate", "fit", "load", "losses", "metrics"]
_PLACES = {  # name → module that has it, and its name there
    "FsclibError": ("fsclib.system.errors", "FsclibError"),
    "Config": ("fsclib.config", "Config"),
    "build_model": ("fsclib.models.networks", "build_model"),
    "evaluate": ("fsclib.retrieval.evaluation", "evaluate_run"),
    "fit": ("fsclib.training.loop", "fit"),
    "load": ("fsclib.inference.embedder", "load"),
}


if not TYPE_CHECKING:  # a type checker would take it for a promise that every name exists

    def __getattr__(name: str) -> Any:
        if name in _PLACES:
            module, own = _PLACES[name]
            return getattr(import_module(module), own)
        if name in __all__:
            return import_module(f"fsclib.{name}")
        raise AttributeError(f"module 'fsclib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
