"""Endless training steps on random pixels, for measurements: they equal those of a training, in any memory layout."""

from itertools import islice

import numpy as np
import pytest
import torch

from fsclib.data.records import INFRARED, VISIBLE
from fsclib.data.sampler import IdentitySampler
from fsclib.runs.assemble import network_of
from fsclib.training import dry_run
from fsclib.training.dry_run import dry_steps, random_pixels
from fsclib.training.settings import settings_of
from fsclib.training.steps import training_steps


@pytest.fixture
def short(monkeypatch):
    """Epochs of two steps."""
    monkeypatch.setattr(dry_run, "STEPS", 1)


def prepared(tiny, **values):
    config = tiny(network="twostream", stages=4, **values)
    torch.manual_seed(0)
    pixels = random_pixels(2 * config.identities * config.images, config.height, config.width)
    return config, network_of(config, config.identities, init=False), pixels


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_steps_continue_after_an_epoch_in_the_requested_layout(tiny, short, layout):
    config, net, pixels = prepared(tiny)
    before = net.classifier.weight.detach().clone()
    parts = list(islice(dry_steps(net, settings_of(config), pixels, config.identities, torch.float32, layout), 3))
    assert all(torch.stack(part).isfinite().all() for part in parts)
    assert not torch.equal(net.classifier.weight, before)
    deep = [weight for weight in net.parameters() if weight.ndim == 4 and min(weight.shape[:2] + weight.shape[2:]) > 1]
    assert deep
    assert all(weight.is_contiguous(memory_format=layout) for weight in deep)


def test_a_dry_step_equals_a_training_step(tiny, short):
    config, net, pixels = prepared(tiny)
    settings = settings_of(config)
    dry = next(dry_steps(net, settings, pixels, config.identities, torch.float32))
    _, net, pixels = prepared(tiny)
    net = net.to(memory_format=torch.channels_last)
    number, labels = len(pixels) // 2, np.repeat(np.arange(config.identities), config.images)
    sampler = IdentitySampler(
        np.tile(labels, 2), np.repeat([VISIBLE, INFRARED], number), config.identities, config.images, config.seed
    )
    optimizer = settings.optimization.build(net)
    actual = next(training_steps(net, optimizer, settings, pixels, np.arange(2 * number), sampler, 0, torch.float32))
    assert torch.equal(torch.stack(dry), torch.stack(actual))
