"""Everything needed to go on as if nothing had happened, in one safetensors file without pickled objects.

Network and optimiser are tensors; epoch, learning rates, best value and recipe are JSON in the header. Random numbers need no
entry: sampler, augmentation and dropout are seeded anew from (seed, epoch, rank) at the start of every epoch.
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

from fsclib.files import replacing
from fsclib.strict import shown
from fsclib.tensorfile import open_tensors

NETWORK, OPTIMIZER = "network.", "optimizer."
FORMAT = "fsclib checkpoint 1"  # the one entry of the header: of several, safetensors would shuffle the order from file to file
SHOWN = 50  # entries of another network that an error lists
POSSIBLE = {"epoch": range(-1, 10_000), "num_classes": range(1, 100_001)}  # numbers of the state that others build upon
ALIKE = ((int, float), (bool, type(None)), (list, tuple))  # kinds of an optimiser's values that may stand for each other


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


def size(net: nn.Module, momenta: int) -> int:
    """Bytes of a checkpoint of a network, with so many momenta of each parameter; the header adds a little."""
    weights = sum(value.nbytes for value in net.state_dict().values())
    return weights + momenta * sum(parameter.nbytes for parameter in net.parameters() if parameter.requires_grad)


def read(path: Path, net: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> dict[str, Any]:
    """Fills `net` (and `optimizer`) from the file, in place, and returns the `state` that `write` was given.

    A head for attributes serves training alone: it is passed over where the network has none.
    Errors: CheckpointError for a missing, broken or foreign file, or one of another network; nothing is changed then.
    """
    header, tensors = _content(path)
    state = _state(path, header)
    network = {name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)}
    if getattr(net, "attributes", None) is None:
        network = {name: value for name, value in network.items() if not name.startswith("attributes.")}
    own = net.state_dict()
    wrong = [f"{name}: not in the checkpoint" for name in own if name not in network]
    wrong += [f"{name}: unknown to this network" for name in network if name not in own]
    wrong += [
        f"{name}: {told}" for name, value in own.items() if name in network and (told := _unlike(network[name], value))
    ]
    if wrong:
        listed = "\n  ".join([*wrong[:SHOWN], *([f"… and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else [])])
        raise CheckpointError(f"{path}: a checkpoint of another network:\n  {listed}")
    if optimizer is not None:
        optimizer.load_state_dict(_optimizer_state(path, header, tensors, optimizer))
    net.load_state_dict(network)
    return state


def network(path: Path) -> dict[str, Tensor]:
    """The entries of the network in a checkpoint. Errors: CheckpointError for a missing, broken or foreign file."""
    return {name.removeprefix(NETWORK): value for name, value in _content(path)[1].items() if name.startswith(NETWORK)}


def state(path: Path, *needed: str) -> dict[str, Any]:
    """The `state` of a checkpoint, without its tensors. needed: entries that it must have besides "epoch". Errors: as in `read`."""
    return _state(path, _content(path, tensors=False)[0], needed)


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
    groups = _groups(path, header["groups"], optimizer.state_dict()["param_groups"])
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(OPTIMIZER):
            match = re.fullmatch(r"(\d{1,9})\.(\w+)", name.removeprefix(OPTIMIZER), re.ASCII)
            if match is None or int(match[1]) >= len(parameters):
                found = f"found an entry of no parameter, expected {len(parameters)} parameters"
                raise CheckpointError(f"{path}: {shown(name)}: {found}")
            parameter = parameters[int(match[1])]
            if value.ndim and (told := _unlike(value, parameter)):
                raise CheckpointError(f"{path}: {name}: {told}")
            if value.ndim:  # the file does not keep memory formats, and steps over mixed ones are slower
                value = torch.empty_like(parameter).copy_(value)
            entries.setdefault(int(match[1]), {})[match[2]] = value
    return {"state": entries, "param_groups": groups}


def _groups(path: Path, found: Any, own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The optimiser's own groups with the values of the file; what it does not know, as of another torch, is left out."""
    plain = isinstance(found, list) and all(isinstance(group, dict) and isinstance(group.get("params"), list) for group in found)
    if not plain or [group["params"] for group in found] != [group["params"] for group in own]:
        there = [len(group["params"]) for group in found] if plain else shown(found)
        expected = [len(group["params"]) for group in own]
        raise CheckpointError(f"{path}: found an optimiser with groups of {there} parameters, expected {expected}")
    kept = [{name: there.get(name, value) for name, value in here.items()} for there, here in zip(found, own, strict=True)]
    for group, here in zip(kept, own, strict=True):
        for name, value in here.items():
            if type(group[name]) not in next((kinds for kinds in ALIKE if type(value) in kinds), (type(value),)):
                raise CheckpointError(f"{path}: optimiser, {name}: found {shown(group[name])}, expected one like {shown(value)}")
    return kept


def _unlike(found: Tensor, expected: Tensor) -> str:
    """How the one differs from the other, in shape or else in type; "" if it does not."""
    if found.shape != expected.shape:
        return f"found shape {tuple(found.shape)}, expected {tuple(expected.shape)}"
    return f"found {found.dtype}, expected {expected.dtype}" if found.dtype != expected.dtype else ""


def _state(path: Path, header: Mapping[str, Any], needed: Sequence[str] = ()) -> dict[str, Any]:
    state = header.get("state")
    missing = [name for name in ("epoch", *needed) if not isinstance(state, dict) or name not in state]
    if missing:
        found = f"{shown(state)}, expected a table with {' and '.join(missing)}"
        raise CheckpointError(f"{path}: its state is {found}; written by another program?")
    for name, possible in POSSIBLE.items():
        if name in state and (type(state[name]) is not int or state[name] not in possible):
            found = f"found {shown(state[name])}, expected a whole number from {possible[0]} to {possible[-1]}"
            raise CheckpointError(f"{path}: {name}: {found}; written by another program?")
    return state


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
    except (SafetensorError, OSError, ValueError, RecursionError, MemoryError) as error:  # a file too large to be mapped
        raise CheckpointError(f"{path}: not a readable checkpoint ({error}); delete it to begin the run anew") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: found header entries {sorted(entries)}, expected {FORMAT!r}; written by another program?")
    return header, content
