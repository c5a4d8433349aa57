"""Weights shipped with fsclib, trained on synthetic people only, and initialisation of a network from another's weights.

Each file `fsclib/weights/<name>.safetensors`, in half precision, has a card `<name>.json` with the network and backbone that it
fits, its SHA-256 and its origin. "people" is short for "people/trunk": stems and layers, the counterpart of ImageNet weights.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn, uint8

from fsclib.system.reading import read_json

FOLDER = Path(__file__).parents[1] / "weights"
TRUNK = "people/trunk"
SHORT = {"people": TRUNK}


def names() -> list[str]:
    """Names of all shipped weights, "people/trunk" first."""
    found = sorted(file.relative_to(FOLDER).with_suffix("").as_posix() for file in FOLDER.glob("*/*.json"))
    return sorted(found, key=lambda name: name != TRUNK)


def are_shipped(name: str) -> bool:
    """Whether a name has the form of weights shipped with fsclib, "people/…"; they need not exist."""
    return name.partition("/")[0] == "people"


def card(name: str) -> dict[str, Any]:
    """The content of the card of some weights. ValueError for an unknown name or a card that cannot be read."""
    full = SHORT.get(name, name)
    if full not in names():
        raise ValueError(f"weights: found {name!r}, expected one of {', '.join([*SHORT, *names()])}")
    file = FOLDER / f"{full}.json"
    try:
        found = read_json(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read ({error}); install fsclib again") from error
    missing = [key for key in ("sha256", "network", "backbone") if not isinstance(found, dict) or key not in found]
    if missing:
        raise ValueError(f"{file}: found no {', '.join(missing)}, expected the card of some weights; install fsclib again")
    return found


def read(name: str, backbone: str | None = None) -> dict[str, Tensor]:
    """The tensors of some weights by name, float32, checked against their card.

    backbone: that of the network to initialise. Errors: ValueError for an unknown name or another backbone, and for a file that
    is missing, truncated or modified.
    """
    found = card(name)
    if backbone not in (None, found["backbone"]):
        fitting = [other for other in names() if card(other)["backbone"] == backbone]
        having = sorted({card(other)["backbone"] for other in names()})
        choice = f"one of {', '.join(fitting)}" if fitting else f"backbone {' or '.join(having)}, or init=none"
        problem = f"found {name!r}, weights for {found['backbone']}, with backbone {backbone!r}"
        raise ValueError(f"init: {problem}; expected {choice}")
    file = FOLDER / f"{SHORT.get(name, name)}.safetensors"
    again = "install fsclib again, or train them again with make weights"
    if not file.exists():
        raise ValueError(f"{file}: does not exist, but its card does; {again}")
    content = file.read_bytes()
    if (digest := hashlib.sha256(content).hexdigest()) != found["sha256"]:
        hashes = f"found SHA-256 {digest[:12]}…, expected {str(found['sha256'])[:12]}…"
        raise ValueError(f"{file}: truncated or modified ({hashes}); {again}")
    try:
        return {entry: value.float() if value.is_floating_point() else value for entry, value in load(content).items()}
    except SafetensorError as error:
        raise ValueError(f"{file}: not a safetensors file ({error}); {again}") from error


def digest_of(state: Mapping[str, Tensor]) -> str:
    """A hash of names, shapes and values of all entries, independent of their order, device and memory format."""
    total = hashlib.blake2b(digest_size=16)
    for name, value in sorted(state.items()):
        plain = value.detach().cpu().contiguous()
        total.update(f"{name}\0{plain.dtype}\0{tuple(plain.shape)}\n".encode())
        total.update(plain.flatten().view(uint8).numpy().data)
    return total.hexdigest()


def start_from(net: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Copies entries with the same name and shape into the network; returns the names of the network's other entries.

    Those (an expansion, a classifier for other people) are unchanged. ValueError if the layers are those of another backbone.
    """
    own = net.state_dict()
    fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    ours, theirs = ({name for name in entries if _in_a_layer(name)} for entries in (own, state))
    layers, shared = ours | theirs, {_layer(name) for name in ours} & {_layer(name) for name in theirs}
    if wrong := sorted(name for name in layers - fitting.keys() if _layer(name) in shared or not shared):
        listed = ", ".join(wrong[:3])
        raise ValueError(
            f"found weights of another backbone: {len(wrong)} of {len(layers)} entries of the layers do not fit, such as {listed}; "
            "choose the backbone that they were trained with"
        )
    net.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def _in_a_layer(name: str) -> bool:
    return name.startswith("layers.") and not name.endswith(".num_batches_tracked")  # which shipped weights lack


def _layer(name: str) -> str:
    return ".".join(name.split(".")[:2])


def write(name: str, state: Mapping[str, Tensor], facts: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Writes weights in half precision, and a card with `facts`, which include network and backbone; returns the file's path.

    BatchNorm's counters are omitted: they are not used with a fixed momentum.
    """
    from fsclib.system.storage import write_text
    from fsclib.system.tensor_files import write_tensors

    file = folder / f"{name}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {entry: value.detach().cpu().half().contiguous() for entry, value in state.items() if value.is_floating_point()}
    write_tensors(file, kept, {"name": name})
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    write_text(file.with_suffix(".json"), json.dumps({"sha256": digest} | dict(facts), indent=1, ensure_ascii=False) + "\n")
    return file
