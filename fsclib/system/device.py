"""The device and precision that a network runs with, and their names."""

import os
import platform
import re
import sys
from pathlib import Path

import torch

from fsclib.system.processes import started


def device_of(name: str) -> torch.device:
    """The device of this name, "cpu", "cuda", "cuda:N" or "mps" (Apple); "auto" is a GPU if there is one.

    Each process of a training gets its own GPU. Errors: ValueError if the device does not exist.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and started() > 1:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device: found {name!r}, but torch sees {torch.cuda.device_count()} GPUs here; pass device=cpu or auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device: found 'mps', but torch sees no Apple GPU here; pass device=cpu or auto")
    return device


def precision_of(name: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; "auto" is bfloat16 if the device multiplies bfloat16 matrices in hardware."""
    if name != "auto":
        return getattr(torch, name)
    if device.type == "mps":
        fast = False
    elif device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        # missing in the oldest torch that we support
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        fast = capabilities.get("amx_bf16", False) or capabilities.get("avx512_bf16", False)
    return torch.bfloat16 if fast else torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """The autocast context for running a network with this precision."""
    return torch.autocast(device.type, precision, enabled=precision != torch.float32)


def name_of(device: torch.device) -> str:
    """The model name of the GPU or the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    information = Path("/proc/cpuinfo")  # platform.processor returns the architecture at best
    text = information.read_text(encoding="utf-8") if information.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.processor() or platform.machine()


def peak_memory(device: torch.device | str, mapped: bool = False) -> int:
    """Peak memory of this process so far, in bytes: allocated by torch on a GPU, else resident, with or without what is `mapped`
    from files."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":  # where getrusage inherits the peak of the parent process
        kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE))
        return 1024 * (int(kilobytes["VmHWM"]) - (0 if mapped else int(kilobytes["RssFile"])))
    import resource  # not available on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes
