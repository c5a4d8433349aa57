"""A training step never waits for its device, and no n×n attention map is made, as seen by counting operations."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fsclib.data.sampler import IdentitySampler
from fsclib.models.aggregation import MultistageFeatureAggregation
from fsclib.models.networks import build_model
from fsclib.training.settings import settings_of
from fsclib.training.steps import training_steps

WAITING = {  # operations whose result, or its size, the host needs: it waits until the GPU has done all queued work
    "_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "masked_select", "unique_dim", "_unique2",
    "unique_consecutive", "bincount", "repeat_interleave.Tensor",
}  # fmt: skip


class Counter(TorchDispatchMode):
    """waits: names of the operations that wait; largest: number of entries of the largest tensor created."""

    def __init__(self):
        super().__init__()
        self.waits, self.largest = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name.removeprefix("aten::")
        indices = args[1] if name.startswith("index") and len(args) > 1 else ()
        masks = [index for index in indices if isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)]
        if masks or name in WAITING or f"{name}.{function._schema.overload_name}" in WAITING:
            self.waits.append(name)
        made = function(*args, **kwargs or {})
        for tensor in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.numel())
        return made


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("network", "stages"), [("fsc", 3), ("fsc", 4), ("deen", 4), ("agw", 4), ("twostream", 4), ("bdtr", 4), ("zeropad", 4)]
)
def test_a_training_step_does_not_wait_for_its_device(tiny, network, stages, precision):
    config = tiny(network=network, stages=stages)
    labels = np.repeat(np.arange(4), 4)
    modalities = np.tile(["visible", "infrared"], 8)
    sampler = IdentitySampler(labels, modalities, config.identities, config.images, config.seed)
    pixels = np.random.default_rng(0).integers(0, 256, (16, config.height, config.width, 3), dtype=np.uint8)
    net = build_model(network, 4, stages=stages, backbone=config.backbone)
    settings = settings_of(config)
    optimizer = settings.optimization.build(net)
    steps = training_steps(net, optimizer, settings, pixels, np.arange(16), sampler, 0, precision)
    next(steps)  # the first one creates the optimiser's state
    with Counter() as counter:
        next(steps)
    assert not counter.waits
    assert counter.largest > 0


def test_the_counter_finds_operations_that_wait():
    x = torch.arange(4.0)
    with Counter() as counter:
        x.sum().item()
        x[x > 1]
        bool((x == x).all())
        x.nonzero()
    assert len(counter.waits) >= 4


@pytest.mark.parametrize("published_order", [False, True])
def test_mfa_makes_no_map_of_all_position_pairs(published_order):
    height, width, images = 96, 36, 2  # of MFA1 at 384×144
    block = MultistageFeatureAggregation(256, 64, 1)
    block.position.published_order = published_order
    high, low = (torch.randn(images, channels, height, width, requires_grad=True) for channels in (256, 64))
    with Counter() as counter:
        block(high, low).sum().backward()
    pairs = images * (height * width // 2) ** 2
    assert (counter.largest >= pairs) == published_order
    assert published_order or counter.largest == images * 256 * height * width
