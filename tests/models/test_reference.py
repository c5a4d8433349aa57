"""The networks against numbers from the original programs, with weights derived from their original names."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from original import KEYS, NETWORKS, REFERENCE, deviation, gradient_norms, images, network, reference_losses, training_step

from fsclib.models.official import branch_channels, place, use_published_order


@pytest.mark.parametrize("key", KEYS)
def test_embeddings_agree_with_the_original(key):
    expected = np.load(REFERENCE / f"net_{key}.npz", allow_pickle=False)
    net = network(key).eval()
    for modality, code, seed in (("visible", 1, 1), ("infrared", 2, 2)):
        with torch.inference_mode():
            found = net.embed(images(seed, 3), modality)
        for parts, name in zip(found, ("pool", "bn"), strict=True):
            view_major = F.normalize(parts, dim=2).transpose(0, 1).flatten(0, 1)
            assert deviation(view_major, expected[f"eval_{name}_modal{code}"]) < 1e-4


@pytest.mark.parametrize("published_order", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_a_training_step_agrees_with_the_original(key, published_order):
    expected = np.load(REFERENCE / f"net_{key}.npz", allow_pickle=False)
    net = network(key)
    use_published_order(net, published_order)
    output, parts = training_step(net)
    assert deviation(output.features.flatten(0, 1), expected["train_pool"]) < 1e-4
    assert deviation(output.logits.flatten(0, 1), expected["train_logits"]) < 1e-4
    # AGW's triplet uses unnormalised features: a row's distance to itself is the root of a rounding error, about 0.01, and has a
    # weight; on its own features, the reference is 3.3e-5 away from float64
    bound = {"triplet": 1e-5 if key.startswith(("fsc", "deen")) else 3e-5}
    for part, value in reference_losses(expected).items():
        assert getattr(parts, part).item() == pytest.approx(value, rel=bound.get(part, 1e-5)), part
    if not published_order:
        return  # this order rounds differently, and the network amplifies that; test_modules.py compares the gradients

    norms, found = NETWORKS[key]["grad_norm"], gradient_norms(net, key)
    own = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    assert {place(name, branch_channels(net)).name for name in norms} == own
    # Where convolutions round differently, the network agrees with the original only as well as with itself after its images
    # change in their last bit: to 1e-3 on one processor, to 2 % in small biases on another. AGW's rank-one attention amplifies
    # more: biases of a ten-thousandth of the largest norm or less move by up to 40 %.
    nudged = network(key)
    use_published_order(nudged, True)
    training_step(nudged, nudge=1e-7)
    share = 1e-5 if key == "agw" else 1e-8  # zero except for rounding: biases before a BatchNorm
    again, least = gradient_norms(nudged, key), share * max(norms.values())
    significant = [name for name, norm in norms.items() if norm > 10 * least]
    rounding = max(abs(again[name] - found[name]) / norms[name] for name in significant)
    assert rounding < (0.1 if key == "agw" else 0.05)
    for name, norm in norms.items():
        assert found[name] == pytest.approx(norm, rel=max(1e-3, 2 * rounding), abs=least), name
    assert np.median([abs(found[name] / norms[name] - 1) for name in significant]) < 5e-4
