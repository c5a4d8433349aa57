"""Small networks, feature maps and spectra that the tests of the frequency analyses share."""

import numpy as np
import torch
from torch import nn

from fsclib import figures
from fsclib.analysis.frequency import before_after, gates
from fsclib.analysis.frequency.gates import Gated, gated
from fsclib.analysis.frequency.measurement import Spectra
from fsclib.analysis.frequency.noise import products
from fsclib.analysis.frequency.spectrum import by_ring, energy
from fsclib.models.fsc import FrequencySemanticAttention
from fsclib.models.networks import build_model


def network(name="fsc", **options):
    """A small network with random normalisation weights: no aggregation or attention is zero."""
    torch.manual_seed(0)
    net = build_model(name, 5, backbone="resnet18", **options)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.1)
            nn.init.normal_(module.bias, 0, 0.1)
    return net.eval()


def batch(number=2, seed=0):
    return torch.randn(number, 3, 64, 32, generator=torch.Generator().manual_seed(seed))


def attended(number=3, height=6, width=4, seed=0, strength=1.0):
    """A Gated whose two gates differ from each other, between channels and between images."""
    torch.manual_seed(seed)
    step = FrequencySemanticAttention(16, reduction=2).eval()  # a single hidden unit might be zero everywhere
    for layer in (step.gate[0], step.gate[2]):
        nn.init.normal_(layer.weight, 0, strength)
    nn.init.constant_(step.gate[0].bias, 1.0)
    maps = torch.randn(number, 16, height, width)
    with torch.inference_mode():
        return gated(step, maps.numpy(), step(maps).numpy())


def measured(chains, height=6, width=4, people=3, seed=0):
    """Random spectra of two visible and two infrared images per person, by four cameras, at the input and in `chains`."""
    rng = np.random.default_rng(seed)
    number = 4 * people
    names = ["input", *(name for line in chains.values() for name in line)]
    features = {name: rng.normal(size=(number, 5, height, width)) + 1 for name in names}
    shares = {name: rng.uniform(0.1, 0.9, number) for name in names}
    errors = {name: rng.uniform(0.1, 0.9, (number, 5)) for name in names}
    power = {name: energy(value) for name, value in features.items()}
    rings, pictures = ({name: of(value) for name, value in power.items()} for of in (by_ring, lambda value: value.mean(1)))
    inner = {name: products(value) for name, value in features.items()}
    identity, camera = np.repeat(np.arange(people), 4), np.tile([1, 2, 3, 4], people)
    modality = np.tile(["visible", "visible", "infrared", "infrared"], people)
    return Spectra(identity, camera, modality, rings, pictures, shares, inner, errors, chains)


def equal_gates():
    """A Gated whose two gates agree everywhere, as in a trained network whose attention has no effect."""
    found = attended()
    return Gated(found.maps, found.maps / 2, np.full_like(found.real, 0.5), np.full_like(found.real, 0.5))


VIEWS = {f"view {view}": [f"view {view} {name}" for name in ("before", "FSA", "GCA", "ST")] for view in (1, 2)}
LAYERS = {
    "MFA1": ["layer1", "MFA1"],
    "stem": ["stem"],
    "non-local 2.1": ["layer2 block 1", "non-local 2.1"],
    "view 1": ["view 1 before", "view 1 a-module-of-my-own"],
}


def examples():
    """Functions that draw the figures of notebook 04, by name."""
    several = {f"view {view} FSA": {modality: attended(seed=view) for modality in ("visible", "infrared")} for view in (1, 2)}
    silent = {"view 1 FSA": {"visible": equal_gates()}}
    views, layers, narrow = measured(VIEWS, 24, 9), measured(LAYERS, 12, 5), measured(VIEWS, 6, 3).pair(0)
    alone = measured({"layer1": ["layer1"]}, 24, 9)
    found = {
        "module spectra": lambda: figures.module_spectra(before_after.pictures(views), before_after.boxes(views)),
        "module spectra of three columns": lambda: figures.module_spectra(
            before_after.pictures(narrow), before_after.boxes(narrow)
        ),
        "module spectra of layers": lambda: figures.module_spectra(before_after.pictures(layers), before_after.boxes(layers)),
        "radial": lambda: figures.radial(before_after.profiles(views), before_after.transfers(views)),
        "radial of layers": lambda: figures.radial(before_after.profiles(layers), before_after.transfers(layers)),
        "radial without a module": lambda: figures.radial(before_after.profiles(alone), before_after.transfers(alone)),
        "pooled transfers": lambda: figures.pooled_transfers(before_after.pooled_transfers(views)),
        "pooled transfers of layers": lambda: figures.pooled_transfers(before_after.pooled_transfers(layers)),
        "gap by radius": lambda: figures.gap_by_radius(before_after.gaps(layers, 0)),
    }
    for name, group in (("gates", several), ("silent gates", silent)):
        module = list(group)[-1]
        found[name] = lambda group=group: figures.gate_histograms(gates.histograms(group))
        found[f"gains of {name}"] = lambda group=group, module=module: figures.gains(*gates.examples(group[module], module))
    return found
