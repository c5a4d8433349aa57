"""One-stream and deep zero-padding: what their stem sees, one BatchNorm for both modalities, and initial weights."""

from itertools import permutations

import pytest
import torch

from fsclib.models.backbone import BACKBONES
from fsclib.models.imagenet import MEAN, STD
from fsclib.models.networks import build_model
from fsclib.models.official import load_official
from fsclib.models.single_stem import LUMA, gray
from fsclib.models.weights import start_from

SINGLE = ("onestream", "zeropad")


def column(values):
    return torch.tensor(values)[:, None, None]


def normalised(planes):
    return (planes - column(MEAN)) / column(STD)


def pictures(count=4, seed=0):
    return torch.rand(count, 3, 64, 32, generator=torch.Generator().manual_seed(seed))


def built(name, init="none", seed=0):
    torch.manual_seed(seed)
    return build_model(name, 7, backbone="resnet18-half", init=init)


def seen(net, images, modality):
    """The input of the stem."""
    found = []
    with net.stem.conv.register_forward_hook(lambda module, inputs, output: found.append(inputs[0])), torch.no_grad():
        net.eval().embed(images, modality)
    return found[0]


@pytest.mark.parametrize("name", SINGLE)
def test_there_is_one_stem_and_one_view(name):
    net = built(name)
    assert {entry.split(".")[0] for entry in net.state_dict()} == {"stem", "layers", "neck", "classifier"}
    output = net.train()(normalised(pictures()), normalised(pictures(seed=1)))
    assert output.features.shape == (1, 8, 256)
    assert output.logits.shape == (1, 8, 7)


def test_gray_values_are_weighted_sums_of_the_colours():
    planes = pictures()
    assert torch.allclose(gray(normalised(planes)), (planes * column(LUMA)).sum(1, keepdim=True), atol=1e-6)


@pytest.mark.parametrize("name", SINGLE)
def test_colours_of_equal_luminance_look_alike(name):
    net, planes = built(name).eval(), pictures()
    shift = torch.tensor([LUMA[1], -LUMA[0], 0])[:, None, None] / 10
    with torch.no_grad():
        for modality in ("visible", "infrared"):
            first, second = (net.embed(normalised(found), modality).pool for found in (planes, planes + shift))
            torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


def test_one_stream_sees_three_equal_channels_of_either_modality():
    net, planes = built("onestream"), pictures()
    luma = (planes * column(LUMA)).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    for modality in ("visible", "infrared"):
        torch.testing.assert_close(seen(net, normalised(planes), modality), normalised(luma), rtol=1e-4, atol=1e-5)


def test_zero_padding_leaves_the_channel_of_the_other_modality_empty():
    net, images = built("zeropad"), normalised(pictures())
    visible, infrared = seen(net, images, "visible"), seen(net, images, "infrared")
    assert visible.shape == infrared.shape == (4, 2, 64, 32)
    assert not visible[:, 1].any()
    assert not infrared[:, 0].any()
    assert torch.equal(visible[:, 0], infrared[:, 1])
    assert visible[:, 0].std() > 0.1


@pytest.mark.parametrize("name", SINGLE)
def test_batch_norm_sees_both_modalities_as_one_batch(name):
    net, visible, infrared = built(name).train(), normalised(pictures()), normalised(pictures(seed=1)) + 2
    with torch.no_grad():
        together = net.stem.conv(torch.cat([net.stem_input(visible, "visible"), net.stem_input(infrared, "infrared")]))
        net(visible, infrared)
    torch.testing.assert_close(net.stem.norm.running_mean, 0.1 * together.mean((0, 2, 3)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_shipped_weights_start_both_networks(modality):
    """On gray images both start as the two-stream network does, zero-padding up to its one mean and deviation for all colours."""
    planes = pictures(8)[:, :1].expand(-1, 3, -1, -1)
    nets = {name: built(name, "people").eval() for name in (*SINGLE, "twostream")}
    with torch.no_grad():
        found = {name: net.embed(normalised(planes), modality).pool for name, net in nets.items()}
        alike = torch.cosine_similarity(*(found[name].flatten(1) for name in ("zeropad", "twostream")))
        untrained = built("zeropad").eval().embed(normalised(planes), modality).pool.flatten(1)
    assert alike.min() > 0.98
    assert torch.cosine_similarity(untrained, found["twostream"].flatten(1)).max() < 0.95
    if modality == "visible":
        torch.testing.assert_close(found["onestream"], found["twostream"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SINGLE)
def test_their_own_weights_start_them_unchanged(name):
    net, other = built(name), built(name)
    with torch.no_grad():
        for value in other.state_dict().values():
            value.add_(1)
    net.load_state_dict(net.adapted(other.state_dict()))
    assert all(torch.equal(value, other.state_dict()[entry]) for entry, value in net.state_dict().items())


@pytest.mark.parametrize(("ours", "theirs"), [*permutations((*SINGLE, "twostream"), 2)])
@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_every_kind_of_stem_starts_from_the_others(ours, theirs, modality):
    """On gray images the embeddings agree, up to zero-padding's one mean and deviation for all colours; nothing is left out."""
    planes = pictures(8)[:, :1].expand(-1, 3, -1, -1)
    source, started, before = (built(name, seed=seed).eval() for name, seed in ((theirs, 1), (ours, 0), (ours, 0)))
    with torch.no_grad():  # equal stems, since one-stream can only take one of them
        for stem in source.stems.values():
            stem.load_state_dict(next(iter(source.stems.values())).state_dict())
        if theirs == "zeropad":
            source.stem.conv.weight.copy_(source.stem.conv.weight.mean(1, keepdim=True))
        left = start_from(started, started.adapted(source.state_dict()))
        expected, found, untrained = (net.embed(normalised(planes), modality).pool.flatten(1) for net in (source, started, before))
    assert not [name for name in left if "stem" in name]
    assert torch.cosine_similarity(found, expected).min() > 0.98
    assert torch.cosine_similarity(found, expected).min() > torch.cosine_similarity(untrained, expected).max()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_zero_padding_takes_every_resnet(backbone):
    with torch.device("meta"):
        net = build_model("zeropad", 7, backbone=backbone)
    assert net.stem.conv.weight.shape[1:] == (2, 7, 7)


@pytest.mark.parametrize("name", SINGLE)
def test_they_have_no_published_checkpoints(name):
    with pytest.raises(ValueError, match="expected FSC-Net, DEEN, AGW or two-stream"):
        load_official(built(name), {})
