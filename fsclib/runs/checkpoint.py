"""Checkpoints: everything needed to resume a training exactly, in one safetensors file without pickled objects.

Network and optimiser are tensors; epoch, learning rates, best value and recipe are JSON in the header. Random states are not
stored: sampler, augmentation and dropout are seeded again from (seed, epoch, process) at the start of every epoch.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn

from fsclib.config.strict import shown
from fsclib.system.errors import FsclibError
from fsclib.system.reading import regular
from fsclib.system.storage import replacing
from fsclib.system.tensor_files import open_tensors

NETWORK, OPTIMIZER = "network.", "optimizer."
FORMAT = "fsclib checkpoint 1"  # the only header entry: safetensors would write several in an order that varies between files
SHOWN = 50  # mismatched entries that an error lists
POSSIBLE = {"epoch": range(-1, 10_000), "num_classes": range(1, 100_001)}  # valid ranges of numbers in the state
ALIKE = ((int, float), (bool, type(None)), (list, tuple))  # interchangeable types of an optimiser's values


class CheckpointError(FsclibError, RuntimeError):
    """A checkpoint that cannot be written or read: names the file, the reason and what to do."""


def write(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer | None, state: Mapping[str, Any]) -> None:
    """Writes network, optimiser and `state` (plain values) atomically: on an error the file at `path` is unchanged.

    Errors: CheckpointError if the disk is full or the folder is not writable.
    """
    tensors = {NETWORK + name: value for name, value in net.state_dict().items()}
    header: dict[str, Any] = {"state": dict(state)}
    if optimizer is not None:
        own = optimizer.state_dict()
        header["groups"] = own["param_groups"]
        for index, entries in own["state"].items():
            tensors |= {f"{OPTIMIZER}{index}.{name}": v for name, v in entries.items() if isinstance(v, Tensor)}
    content = save(_separate(tensors), {FORMAT: json.dumps(header)})
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.write(content)
    except OSError as error:
        kept = "the previous one is intact" if path.exists() else "there is no previous one"
        raise CheckpointError(
            f"{path}: a checkpoint of {len(content) / 1e6:.0f} MB could not be written ({error.strerror or error}); {kept}. "
            "Free some space or fix the folder, then start the same command again: it resumes from there."
        ) from error


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, with copies of those that share memory with another, as tied weights do: safetensors refuses them."""
    separate: dict[str, Tensor] = {}
    seen = set()
    for name, value in tensors.items():
        value = value.detach().cpu().contiguous()
        storage = value.untyped_storage().data_ptr()
        separate[name] = value.clone() if storage in seen else value
        seen.add(storage)
    return separate


def size(net: nn.Module, momenta: int) -> int:
    """Approximate size in bytes of a network's checkpoint, without the header. momenta: optimiser tensors per parameter."""
    weights = sum(value.nbytes for value in net.state_dict().values())
    return weights + momenta * sum(parameter.nbytes for parameter in net.parameters() if parameter.requires_grad)


def read(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> dict[str, Any]:
    """Loads the file into `net` (and `optimizer`), in place, and returns the `state` that was passed to `write`.

    The attribute head is used in training only: it is skipped if the network has none.
    Errors: CheckpointError for a missing, broken or foreign file, or a checkpoint of another network; nothing is changed then.
    """
    header, tensors = _content(path)
    state = _state(path, header)
    network = {name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)}
    if getattr(net, "attributes", None) is None:
        network = {name: value for name, value in network.items() if not name.startswith("attributes.")}
    own = net.state_dict()
    wrong = [f"{name}: not in the checkpoint" for name in own if name not in network]
    wrong += [f"{name}: unknown to this network" for name in network if name not in own]
    wrong += [f"{name}: {told}" for name, value in own.items() if name in network and (told := _unlike(network[name], value))]
    if wrong:
        listed = "\n  ".join([*wrong[:SHOWN], *([f"… and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else [])])
        raise CheckpointError(f"{path}: a checkpoint of another network:\n  {listed}")
    if optimizer is not None:
        optimizer.load_state_dict(_optimizer_state(path, header, tensors, optimizer))
    net.load_state_dict(network)
    return state


def network(path: Path) -> dict[str, Tensor]:
    """The network's tensors in a checkpoint, by name. Errors: CheckpointError for a missing, broken or foreign file."""
    return {name.removeprefix(NETWORK): value for name, value in _content(path)[1].items() if name.startswith(NETWORK)}


def state(path: Path, *needed: str) -> dict[str, Any]:
    """The `state` of a checkpoint, without reading its tensors. needed: required entries besides "epoch". Errors: as in `read`."""
    return _state(path, _content(path, tensors=False)[0], needed)


def fingerprint(path: Path) -> str:
    """Hexadecimal hash of a checkpoint file. Errors: CheckpointError for a missing or unreadable file."""
    if not path.exists():
        raise CheckpointError(_missing(path))
    try:
        with regular(path).open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except OSError as error:
        raise CheckpointError(_unreadable(path, error)) from error


def _optimizer_state(
    path: Path, header: Mapping[str, Any], tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """The argument of `optimizer.load_state_dict`, each tensor in the memory format of its parameter."""
    if "groups" not in header:
        raise CheckpointError(f"{path}: contains no optimiser state; resume from last.safetensors instead")
    groups = _groups(path, header["groups"], optimizer.state_dict()["param_groups"])
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(OPTIMIZER):
            match = re.fullmatch(r"(\d{1,9})\.(\w+)", name.removeprefix(OPTIMIZER), re.ASCII)
            if match is None or int(match[1]) >= len(parameters):
                found = f"found an entry that belongs to no parameter, expected {len(parameters)} parameters"
                raise CheckpointError(f"{path}: {shown(name)}: {found}")
            parameter = parameters[int(match[1])]
            if value.ndim and (told := _unlike(value, parameter)):
                raise CheckpointError(f"{path}: {name}: {told}")
            if value.ndim:  # the file does not store memory formats, and mixed ones slow training down
                value = torch.empty_like(parameter).copy_(value)
            entries.setdefault(int(match[1]), {})[match[2]] = value
    return {"state": entries, "param_groups": groups}


def _groups(path: Path, found: Any, own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The optimiser's groups with the values of the file; entries that this version of torch does not know are dropped."""
    plain = isinstance(found, list) and all(isinstance(group, dict) and isinstance(group.get("params"), list) for group in found)
    if not plain or [group["params"] for group in found] != [group["params"] for group in own]:
        sizes = [len(group["params"]) for group in found] if plain else shown(found)
        expected = [len(group["params"]) for group in own]
        raise CheckpointError(f"{path}: found an optimiser with groups of {sizes} parameters, expected {expected}")
    kept = [{name: old.get(name, value) for name, value in new.items()} for old, new in zip(found, own, strict=True)]
    for group, new in zip(kept, own, strict=True):
        for name, value in new.items():
            if type(group[name]) not in next((kinds for kinds in ALIKE if type(value) in kinds), (type(value),)):
                raise CheckpointError(f"{path}: optimiser, {name}: found {shown(group[name])}, expected one like {shown(value)}")
    return kept


def _unlike(found: Tensor, expected: Tensor) -> str:
    """How two tensors differ in shape or dtype, "" if they do not."""
    if found.shape != expected.shape:
        return f"found shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
    return f"found {found.dtype}, expected {expected.dtype}" if found.dtype != expected.dtype else ""


def _state(path: Path, header: Mapping[str, Any], needed: Sequence[str] = ()) -> dict[str, Any]:
    state = header.get("state")
    missing = [name for name in ("epoch", *needed) if not isinstance(state, dict) or name not in state]
    if missing or not isinstance(state, dict):
        found = f"found {shown(state)}, expected an object with {' and '.join(missing)}"
        raise CheckpointError(f"{path}: state: {found}; written by another program?")
    for name, possible in POSSIBLE.items():
        if name in state and (type(state[name]) is not int or state[name] not in possible):
            found = f"found {shown(state[name])}, expected a whole number from {possible[0]} to {possible[-1]}"
            raise CheckpointError(f"{path}: {name}: {found}; written by another program?")
    return state


def _missing(path: Path) -> str:
    return f"{path}: no such checkpoint; train the run first (notebook 02_train, or python -m fsclib.training)"


def _unreadable(path: Path, error: Exception) -> str:
    return f"{path}: not a readable checkpoint ({error}); delete it to start the run again"


def _content(path: Path, tensors: bool = True) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.exists():
        raise CheckpointError(_missing(path))
    try:
        with open_tensors(path) as file:
            entries = file.metadata() or {}
            content = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
        header = json.loads(entries.get(FORMAT, "null"))
    except (SafetensorError, OSError, ValueError, RecursionError, MemoryError) as error:  # MemoryError: a file too large to map
        raise CheckpointError(_unreadable(path, error)) from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: found header entries {sorted(entries)}, expected {FORMAT!r}; written by another program?")
    return header, content
