"""The environment of a run for its config.json: revision, versions, device and data."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fsclib.config import registry
from fsclib.data.images import Images
from fsclib.system.device import name_of

PACKAGES = ("fsclib", "torch", "torchvision", "numpy", "pandas", "pillow", "safetensors", "papermill")


def environment(device: torch.device, precision: torch.dtype, images: Images, processes: int = 1) -> dict[str, Any]:
    """What config.json records besides the parameters, so that a run can be repeated. processes: processes of the training."""
    return {
        "revision": revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": name_of(device),
        "threads": torch.get_num_threads(),
        "processes": processes,
        "precision": str(precision).removeprefix("torch."),
        "packages": versions(),
        "extensions": registry.versions(),
        "data_hash": images.data_hash,
        "pixels_hash": images.pixels_hash,
        "synthetic": images.synthetic,
    }


def revision() -> str:
    """The git revision of this package's checkout, with "+changes" if there are uncommitted changes; "" outside a checkout."""

    def git(*words: str) -> str:
        answer = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # else it may be another repository that contains the environment
        return git("rev-parse", "HEAD") + "+changes" * bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions() -> dict[str, str]:
    """Versions of the packages that affect the results, "" for one that is not installed."""
    return {name: _version(name) for name in PACKAGES} | {"torch": torch.__version__}  # distinguishes +cpu from +cu builds


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
