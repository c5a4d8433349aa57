"""Loads a network for use in other programs: shipped weights, a run, or a checkpoint file, also one of a published program."""

from pathlib import Path

import torch
from torch import Tensor

from fsclib.config import presets
from fsclib.config.registry import expands
from fsclib.config.specs import DATASETS
from fsclib.config.strict import nearest, shown
from fsclib.inference.embedder.embedder import Embedder
from fsclib.models import weights
from fsclib.models.base import Network
from fsclib.models.folding import folded
from fsclib.models.networks import build_model
from fsclib.models.official import PUBLISHED, load_official, read_official
from fsclib.retrieval.evaluation import run_network
from fsclib.runs.start import run_at
from fsclib.system.device import device_of, precision_of


def load(source: str | Path, *, network: str = "", dataset: str = "", device: str = "auto", precision: str = "auto") -> Embedder:
    """Loads a trained network that embeds pictures.

    source: the name of a network shipped with fsclib, such as "people/fsc"; the folder of a run, or a checkpoint in it; or a file
    saved by the program of FSC-Net, DEEN or AGW, with the `network` ("fsc", "deen", "agw", "twostream") and the `dataset` ("sysu",
    "regdb", "llcm") that it was trained on. Errors: ValueError for anything else, and for weights that can only initialise a
    training; RunError, CheckpointError for a broken run.
    """
    chosen = device_of(device)
    net, size = _found(str(source), Path(source).expanduser(), network, dataset)
    fast = folded(net).to(chosen).to(memory_format=torch.channels_last).eval()
    return Embedder(fast, size, chosen, precision_of(precision, chosen), weights.digest_of(embedding_state(net)))


def embedding_state(net: Network) -> dict[str, Tensor]:
    """The entries of a network that its embeddings depend on: all but the classifiers, which only training needs."""
    return {name: value for name, value in net.state_dict().items() if not name.startswith(("classifier.", "attributes."))}


def _found(name: str, place: Path, network: str, dataset: str) -> tuple[Network, tuple[int, int]]:
    """The network and the size of its images, (height, width)."""
    if name in (*weights.names(), *weights.SHORT):
        return _ours(name)
    if at := run_at(place):
        run, which = at
        return run_network(run, torch.device("cpu"), which=which), (run.config.height, run.config.width)
    if place.is_file():
        return _published(place, network, dataset)
    kinds = f"one of {', '.join(weights.names())}, the folder of a run with a config.json, or a checkpoint file"
    raise ValueError(f"found {shown(name)}, expected {kinds}{nearest(name, weights.names())}")


def _ours(name: str) -> tuple[Network, tuple[int, int]]:
    if weights.SHORT.get(name, name) == weights.TRUNK:
        others = ", ".join(other for other in weights.names() if other != weights.TRUNK)
        raise ValueError(f"{name} can only initialise a training, since it has no neck; load one of {others}")
    card = weights.card(name)
    own = {"modules": tuple(card["modules"]), "branches": card["branches"]} if expands(card["network"]) else {}
    net = build_model(card["network"], 1, stages=card["stages"], backbone=card["backbone"], **own)
    weights.start_from(net, weights.read(name))
    return net, tuple(card["image"])


def _published(file: Path, network: str, dataset: str) -> tuple[Network, tuple[int, int]]:
    """A network in a file saved by a published program, with the options of that program."""
    published = [name for name, spec in DATASETS.items() if spec.owner]
    known = {"network": (network, PUBLISHED), "dataset": (dataset, published)}
    problems = [
        f"{option}: found {shown(given)}, expected one of {', '.join(choices)}{nearest(given, choices)}"
        for option, (given, choices) in known.items()
        if given not in choices
    ]
    if problems:
        told = "say what the checkpoint was trained with, such as network='deen', dataset='sysu'"
        raise ValueError("\n".join([f"{file}: {told}", *problems]))
    state = read_official(file)
    classes = [len(value) for name, value in state.items() if name.endswith("classifier.weight")]
    if len(classes) != 1:
        found = f"found {len(classes)} classifiers among {len(state)} entries"
        raise ValueError(f"{file}: {found}, expected the checkpoint of a published network")
    options = presets.preset(dataset, network, "paper")
    kept = {name: options[name] for name in ("stages", "modules", "branches", "backbone")}
    net = build_model(network, classes[0], **kept)
    load_official(net, state)
    return net, (options["height"], options["width"])
