"""A training step of several processes equals a step of one process on the same images."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from starting import forked
from taking import CLASSES, data, in_double, quiet, take

from fsclib.data.records import INFRARED, VISIBLE
from fsclib.data.sampler import IdentitySampler
from fsclib.models.networks import build_model
from fsclib.system.processes import Processes
from fsclib.training import steps
from fsclib.training.settings import settings_of

PAPER = {"lr": 0.01, "body_lr": 0.001}  # rates of the paper's first epoch
LARGER = {"height": 128, "width": 48, "images": 4}
FOUR = pytest.mark.long("further trainings of several processes")


def taken(folder, count, **options):
    """For each of `count` processes, its tensors by name after the steps."""
    assert forked(count, partial(take, folder / "steps", **options)) == [0] * count
    return [load_file(folder / f"steps-{process}-of-{count}.safetensors") for process in range(count)]


def apart(there, here, names):
    """‖there − here‖ / ‖here‖ over all these tensors together."""
    difference, size = (
        sum(of(name).square().sum() for name in names).sqrt().item()
        for of in (lambda name: there[name].double() - here[name].double(), lambda name: here[name].double())
    )
    return difference / (size or 1)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """alone(**options): the tensors of a single process after its steps, cached."""
    found = {}

    def of(**options):
        key = json.dumps(options)
        if key not in found:
            found[key] = taken(tmp_path_factory.mktemp("alone"), 1, **options)[0]
        return found[key]

    return of


@pytest.mark.parametrize(
    ("count", "network", "stages"), [(2, "fsc", 4), pytest.param(4, "fsc", 3, marks=FOUR), pytest.param(2, "agw", 4, marks=FOUR)]
)
def test_steps_of_several_processes_equal_those_of_one_up_to_rounding(tmp_path, alone, count, network, stages):
    options = {"network": network, "stages": stages, "loud": True, "precision": "float64", "number": 3}
    expected = alone(**options)
    for found in taken(tmp_path, count, **options):
        for name in expected:
            assert apart(found, expected, [name]) < 1e-7, name


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=FOUR)])
def test_steps_in_single_precision_match_too(tmp_path, alone, count):
    options = PAPER | LARGER | {"number": 3}
    expected = alone(**options)
    weights = [name for name in expected if "running" not in name and name != "losses"]
    found = taken(tmp_path, count, **options)
    assert apart(found[0], expected, weights) < 2e-5  # the difference that another memory format makes in one process
    for other in found[1:]:
        assert all(torch.equal(other[name], found[0][name]) for name in expected)


def test_steps_in_half_precision_match_too(tmp_path, alone):
    options = {"precision": "bfloat16", "number": 2} | PAPER
    found, expected = taken(tmp_path, 2, **options)[0], alone(**options)
    torch.testing.assert_close(found["losses"][:, :2], expected["losses"][:, :2], rtol=0.01, atol=0)


def test_gradients_of_per_process_batches_are_averaged(tmp_path, tiny, monkeypatch):
    options = {"batch": "per-process", "precision": "float64", "number": 1, "identities": 4}
    found = taken(tmp_path, 2, **options)
    config = tiny(batch="per-process", identities=4)
    labels, modalities, pixels = data(config)
    sampler = IdentitySampler(labels, modalities, 4, config.images, config.seed, 2)
    monkeypatch.setattr(steps, "batches", in_double(steps.batches))
    torch.manual_seed(1)
    start = quiet(build_model("fsc", CLASSES, stages=3, backbone="resnet18-half")).double()
    gradients = []
    for process in range(2):
        torch.manual_seed(1)
        net = quiet(build_model("fsc", CLASSES, stages=3, backbone="resnet18-half")).double()
        settings, rows = settings_of(config), np.arange(len(labels))
        optimizer = settings.optimization.build(net)
        next(steps.training_steps(net, optimizer, settings, pixels, rows, sampler, 0, torch.float32, Processes(process, 2)))
        gradients.append({name: p.grad for name, p in net.named_parameters() if p.requires_grad})
    assert any(not torch.equal(value, gradients[1][name]) for name, value in gradients[0].items())
    for name, value in start.named_parameters():
        if value.requires_grad:
            rate = config.lr if name in ("neck.weight", "classifier.weight") else config.body_lr
            mean = (gradients[0][name] + gradients[1][name]) / 2
            expected = value.detach() - rate * (1 + config.momentum) * (mean + config.weight_decay * value.detach())
            for one in found:
                torch.testing.assert_close(one[name], expected, rtol=1e-9, atol=1e-12, msg=name)


def test_more_batches_per_step_mean_fewer_steps_per_epoch():
    labels, modalities = [0, 0, 1, 1] * 12, [VISIBLE, INFRARED] * 24
    one, four = (IdentitySampler(labels, modalities, 2, 1, seed=0, processes=processes) for processes in (1, 4))
    assert (one.steps, four.steps) == (24 // 2 + 1, 24 // 8 + 1)
    assert [len(part) for part in four.epoch(0, 3)] == [4, 4, 4]
