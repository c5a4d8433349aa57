"""What a run runs on: its device, its arithmetic, and a description of both for config.json."""

import os
import platform
import re
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from fsclib import extensions
from fsclib.config import Config
from fsclib.data.images import Images
from fsclib.meeting import started
from fsclib.strict import AUTO

PACKAGES = ("fsclib", "torch", "torchvision", "numpy", "pandas", "pillow", "safetensors", "papermill")


def device_of(config: Config) -> torch.device:
    """The device that the configuration names; "auto" is a GPU where there is one. Of several processes that torchrun has started
    each has a GPU of its own. ValueError if it is not there."""
    name = config.device if config.device != AUTO else ("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and started() > 1:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device: found {name!r}, but torch sees {torch.cuda.device_count()} GPUs here; pass device=cpu or auto")
    return device


def precision_of(config: Config, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; "auto" is bfloat16 where the device multiplies such matrices in hardware."""
    if config.precision != AUTO:
        return getattr(torch, config.precision)
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # newer than the oldest torch that we support
        fast = capabilities.get("amx_bf16", False) or capabilities.get("avx512_bf16", False)
    return torch.bfloat16 if fast else torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """The context in which a network runs with this precision."""
    return torch.autocast(device.type, precision, enabled=precision != torch.float32)


def environment(device: torch.device, precision: torch.dtype, images: Images, ranks: int = 1) -> dict[str, Any]:
    """What config.json keeps beside the parameters, so that a run can be repeated. ranks: processes that train together."""
    return {
        "revision": revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": name_of(device),
        "threads": torch.get_num_threads(),
        "ranks": ranks,
        "precision": str(precision).removeprefix("torch."),
        "packages": versions(),
        "extensions": extensions.versions(),
        "data_hash": images.data_hash,
        "pixels_hash": images.pixels_hash,
        "synthetic": images.synthetic,
    }


def name_of(device: torch.device) -> str:
    """What the maker calls the GPU or the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    information = Path("/proc/cpuinfo")  # platform.processor knows the architecture at most
    found = re.search(r"^model name\s*:\s*(.+)$", information.read_text(), re.MULTILINE) if information.exists() else None
    return " ".join(found[1].split()) if found else platform.processor() or platform.machine()


def peak_memory(device: torch.device | str, mapped: bool = False) -> int:
    """The most memory that this process has had so far, in bytes: on a GPU what torch allocated, elsewhere what was resident, with
    or without what is mapped from files."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":  # whose getrusage starts with the peak of the process that started this one
        kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE))
        return 1024 * (int(kilobytes["VmHWM"]) - (0 if mapped else int(kilobytes["RssFile"])))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes


def revision() -> str:
    """The git revision of the checkout this package runs from, with "+changes" if it has any; "" outside a checkout."""

    def git(*words: str) -> str:
        answer = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
        return answer.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # else it would be that of a repository around the environment
        return git("rev-parse", "HEAD") + "+changes" * bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions() -> dict[str, str]:
    """Versions of the packages that make the numbers, "" for one that is not installed."""
    return {name: _version(name) for name in PACKAGES} | {"torch": torch.__version__}  # which tells +cpu from +cu


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
