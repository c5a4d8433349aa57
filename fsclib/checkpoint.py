"""Everything needed to go on as if nothing had happened, in one safetensors file without pickled objects.

Network and optimiser are tensors; epoch, learning rates, best value and recipe are JSON in the header. Random numbers need no
entry: sampler, augmentation and dropout are seeded anew from (seed, epoch, rank) at the start of every epoch.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn

from fsclib.files import replacing
from fsclib.tensorfile import open_tensors

NETWORK, OPTIMIZER = "network.", "optimizer."
FORMAT = "fsclib checkpoint 1"  # the one entry of the header: of several, safetensors would shuffle the order from file to file
SHOWN = 50  # entries of another network that an error lists


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read: which file, why, and what to do."""


def write(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer | None, state: Mapping[str, Any]) -> None:
    """Writes network, optimiser and `state` (plain values); the file at `path` is replaced whole or stays as it was.

    Errors: CheckpointError when the disk is full or the folder not writable.
    """
    tensors = {NETWORK + name: value for name, value in net.state_dict().items()}
    header: dict[str, Any] = {"state": dict(state)}
    if optimizer is not None:
        own = optimizer.state_dict()
        header["groups"] = own["param_groups"]
        for index, entries in own["state"].items():
            tensors |= {f"{OPTIMIZER}{index}.{name}": v for name, v in entries.items() if isinstance(v, Tensor)}
    content = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, {FORMAT: json.dumps(header)})
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.write(content)
    except OSError as error:
        kept = "the one written before it is intact" if path.exists() else "none was written before it"
        raise CheckpointError(
            f"{path}: a checkpoint of {len(content) / 1e6:.0f} MB could not be written ({error.strerror or error}); {kept}. "
            "Make room or mend the folder, then start the same command again: it goes on from there."
        ) from error


def size(net: nn.Module, momenta: bool) -> int:
    """Bytes of a checkpoint of a network, with the momenta of its parameters or without; the header adds a little."""
    weights = sum(value.nbytes for value in net.state_dict().values())
    return weights + momenta * sum(parameter.nbytes for parameter in net.parameters() if parameter.requires_grad)


def read(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> dict[str, Any]:
    """Fills `net` (and `optimizer`) from the file, in place, and returns the `state` that `write` was given.

    Errors: CheckpointError for a missing, broken or foreign file, or one of another network; nothing is changed then.
    """
    header, tensors = _content(path)
    network = {name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)}
    own = net.state_dict()
    wrong = [f"{name}: not in the checkpoint" for name in own if name not in network]
    wrong += [f"{name}: unknown to this network" for name in network if name not in own]
    wrong += [
        f"{name}: found shape {tuple(network[name].shape)}, expected {tuple(value.shape)}"
        for name, value in own.items()
        if name in network and network[name].shape != value.shape
    ]
    if wrong:
        listed = "\n  ".join([*wrong[:SHOWN], *([f"… and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else [])])
        raise CheckpointError(f"{path}: a checkpoint of another network:\n  {listed}")
    if optimizer is not None:
        optimizer.load_state_dict(_optimizer_state(path, header, tensors, optimizer))
    net.load_state_dict(network)
    return header["state"]


def state(path: Path) -> dict[str, Any]:
    """The `state` of a checkpoint, without its tensors."""
    return _content(path, tensors=False)[0]["state"]


def fingerprint(path: Path) -> str:
    """Hash of a checkpoint's bytes, hexadecimal."""
    if not path.exists():
        raise CheckpointError(_missing(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]


def _optimizer_state(
    path: Path, header: Mapping[str, Any], tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """What `optimizer.load_state_dict` takes, each tensor in the memory format of its parameter."""
    if "groups" not in header:
        raise CheckpointError(f"{path}: holds no optimiser; go on from last.safetensors instead")
    found, expected = ([len(group["params"]) for group in many] for many in (header["groups"], optimizer.param_groups))
    if found != expected:
        raise CheckpointError(f"{path}: found an optimiser with groups of {found} parameters, expected {expected}")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(OPTIMIZER):
            index, key = name.removeprefix(OPTIMIZER).split(".", 1)
            parameter = parameters[int(index)]
            if value.ndim and value.shape != parameter.shape:
                expected = tuple(parameter.shape)
                raise CheckpointError(f"{path}: {name}: found shape {tuple(value.shape)}, expected {expected}")
            if value.ndim:  # the file does not keep memory formats, and steps over mixed ones are slower
                value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
            entries.setdefault(int(index), {})[key] = value
    return {"state": entries, "param_groups": header["groups"]}


def _missing(path: Path) -> str:
    return f"{path}: no such checkpoint; train the run first (notebook 02_train, or python -m fsclib.train)"


def _content(path: Path, tensors: bool = True) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.exists():
        raise CheckpointError(_missing(path))
    try:
        with open_tensors(path) as file:
            entries = file.metadata() or {}
            content = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
        header = json.loads(entries.get(FORMAT, "null"))
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not a readable checkpoint ({error}); delete it to begin the run anew") from error
    if header is None:
        raise CheckpointError(f"{path}: found header entries {sorted(entries)}, expected {FORMAT!r}; written by another program?")
    return header, content
