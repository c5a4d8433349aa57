"""Backbones of timm: divided as timm computes them, in every network that fits, with weights from a file, and refused otherwise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fsclib.config import Config, ConfigError
from fsclib.data.progressive import reduced_size
from fsclib.models.folding import folded
from fsclib.models.networks import build_model
from fsclib.models.official import load_official

pytest.importorskip("timm", reason="backbones of timm need the extra timm")
from fsclib.models import timm_backbones
from fsclib.models.timm_backbones import creation
from fsclib.models.timm_backbones.transformer import Transformer

RESNET, CONVNEXT, EFFICIENTNET, VIT = (f"timm/test_{name}" for name in ("resnet", "convnext", "efficientnet", "vit"))
MAMBA, BYOB = "timm/test_mambaout", "timm/test_byobnet"  # maps with channels last; BatchNorms with an activation inside
SWIN = "timm/swin_tiny_patch4_window7_224"


def seeded(build):
    torch.manual_seed(3)
    return build()


@pytest.mark.parametrize("name", [RESNET, CONVNEXT, EFFICIENTNET, MAMBA, BYOB])
def test_stem_and_layers_compute_the_features_of_timm(name):
    trunk, whole = (seeded(lambda make=make: make(name)) for make in (lambda n: timm_backbones.build(n, 4, False), created))
    maps, images = [], torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        low = trunk.visible_stem.eval()(images)
        for layer in trunk.layers.eval():
            low = layer(low)
            maps.append(low)
        expected = whole.eval()(images)
    if name == MAMBA:
        expected = [features.permute(0, 3, 1, 2) for features in expected]
    assert len(maps) == len(expected) == 4
    assert all(torch.allclose(found, wanted, atol=1e-6) for found, wanted in zip(maps, expected, strict=True))
    assert trunk.channels[1:] == [features.shape[1] for features in maps]


def created(name):
    return timm_backbones.create(name, pretrained=False)


def test_a_transformer_gives_the_map_of_its_patch_tokens():
    images = torch.randn(2, 3, 64, 40)  # not whole patches: timm pads them
    trunk, whole = seeded(lambda: timm_backbones.build(VIT, 4, False)), seeded(lambda: created(VIT))
    whole.patch_embed.dynamic_img_pad = True
    with torch.inference_mode():
        found = trunk.layers.eval()[0](trunk.visible_stem.eval()(images))
        tokens = whole.eval().forward_features(images)[:, whole.num_prefix_tokens :]
    assert found.shape == (2, 64, 4, 3)
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), tokens)


def test_adapting_a_transformer_to_a_size_interpolates_its_position_embedding_once():
    net = seeded(lambda: build_model("twostream", 3, backbone=VIT)).eval()
    images = torch.randn(2, 3, 64, 40)
    with torch.inference_mode():
        before = net.embed(images, "infrared").pool
    timm_backbones.adapt(net, VIT, (64, 40))
    (part,) = (part for part in net.modules() if isinstance(part, Transformer))
    assert part.transformer.patch_embed.grid_size == (4, 3)
    assert part.transformer.pos_embed.shape[1] == 12 + part.transformer.num_prefix_tokens
    with torch.inference_mode():
        torch.testing.assert_close(net.embed(images, "infrared").pool, before)
        assert net.embed(images[:, :, :32], "infrared").pool.shape == before.shape  # smaller images, as in the first epochs


@pytest.mark.parametrize("name", [RESNET, CONVNEXT, EFFICIENTNET, BYOB, MAMBA])
@pytest.mark.parametrize("network", ["fsc", "agw"])
def test_networks_with_parts_between_stages_train_on_a_hierarchy(name, network):
    net = seeded(lambda: build_model(network, 3, backbone=name))
    net.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        output = net(torch.randn(2, 3, 128, 64), torch.randn(2, 3, 128, 64))  # maps of 2×1 can become nan: progressive.SMALLEST
    output.logits.square().sum().backward()
    body = [(key, p.grad) for key, p in net.named_parameters() if p.requires_grad]
    assert [key for key, gradient in body if gradient is None or not gradient.isfinite().all()] == []
    assert output.features.isfinite().all()
    assert len(net.layers) == 4


def test_swin_serves_fsc_with_maps_of_any_size():
    with torch.device("meta"):
        net = build_model("fsc", 3, backbone=SWIN)
        timm_backbones.adapt(net, SWIN, (96, 40))
    assert net.strides == [1, 2, 2, 2]
    assert net.neck.num_features == 768


def test_three_stages_leave_out_the_last_one():
    net = build_model("fsc", 3, stages=3, backbone=RESNET).eval()
    whole = created(RESNET).feature_info.channels()
    assert net.embed(torch.randn(1, 3, 64, 32), "visible").pool.shape == (1, 3, whole[2])


@pytest.mark.parametrize(("network", "name"), [("fsc", BYOB), ("twostream", VIT)])
def test_the_same_seed_gives_the_same_network_and_the_meta_device_draws_nothing(network, name):
    first, second = (seeded(lambda: build_model(network, 3, backbone=name)).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    before = torch.get_rng_state()
    with torch.device("meta"):
        net = build_model(network, 3, backbone=name)
        timm_backbones.adapt(net, name, (64, 32))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(value.is_meta for value in net.state_dict().values())


def test_the_stems_are_equal_at_first_but_separate():
    net = build_model("twostream", 3, backbone=CONVNEXT)
    pairs = list(zip(net.visible_stem.parameters(), net.infrared_stem.parameters(), strict=True))
    assert pairs
    assert all(torch.equal(a, b) and a is not b for a, b in pairs)


@pytest.mark.parametrize(("network", "name"), [("fsc", BYOB), ("agw", RESNET), ("twostream", VIT)])
def test_a_folded_network_gives_the_same_embeddings(network, name):
    net = seeded(lambda: build_model(network, 3, backbone=name)).train()
    with torch.no_grad():
        for _ in range(2):
            net(torch.randn(4, 3, 64, 32), torch.randn(4, 3, 64, 32))  # statistics other than the initial ones
    images = torch.randn(2, 3, 64, 32)
    fast = folded(net)
    with torch.inference_mode():
        torch.testing.assert_close(
            fast.embed(images, "visible").pool, net.eval().embed(images, "visible").pool, rtol=1e-3, atol=1e-4
        )
    norms = [sum(type(part) is nn.BatchNorm2d for part in each.modules()) for each in (fast, net)]
    assert norms[0] < norms[1] or name == VIT


def test_no_norm_has_its_activation_inside():
    norms = [part for part in build_model("twostream", 3, backbone=BYOB).modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert {type(norm) for norm in norms} == {nn.BatchNorm2d}


@pytest.mark.parametrize(
    ("network", "name", "stages", "message"),
    [
        (
            "fsc",
            "timm/convnext_tini",
            4,
            r"found 'timm/convnext_tini', expected a model of timm .*, did you mean 'timm/convnext_tiny'",
        ),
        ("twostream", "timm/test_resnet.nothing", 4, "timm cannot build it for feature extraction"),
        ("fsc", VIT, 4, "has no stages, but FSCNet has parts between stages; use network 'twostream'"),
        ("agw", VIT, 4, "has no stages, but AGW has parts between stages"),
        ("twostream", VIT, 3, "stages: found 3 with backbone 'timm/test_vit', expected 4"),
        (
            "twostream",
            "timm/test_vit_relpos",
            4,
            r"not divide it into stages .*expected a hierarchy of stages, such as timm/resnet50d",
        ),
        ("twostream", "timm/test_maxvit", 4, "its parts do not work one after another"),
        ("twostream", "timm/deit_tiny_distilled_patch16_224", 4, "a VisionTransformerDistilled, not a plain vision transformer"),
    ],
)
def test_models_that_do_not_fit_are_refused_with_the_reason(network, name, stages, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        build_model(network, 3, stages=stages, backbone=name)


def test_images_that_cannot_pass_are_refused_before_training():
    with torch.device("meta"):
        net = build_model("fsc", 3, backbone=CONVNEXT)
        timm_backbones.adapt(net, CONVNEXT, (64, 32))
        with pytest.raises(
            ValueError, match=r"images of 64×24 cannot pass FSCNet with backbone 'timm/test_convnext'.*multiples of 32"
        ):
            timm_backbones.adapt(net, CONVNEXT, (64, 24))
        timm_backbones.adapt(net, CONVNEXT, (192, 96), reduced_size(192, 96))
        with pytest.raises(ValueError, match=r"images of 192×85 cannot pass FSCNet.*; set small_epochs to 0"):
            timm_backbones.adapt(net, CONVNEXT, (288, 128), reduced_size(288, 128))


def test_pretrained_weights_are_read_from_a_file_in_the_hub_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    import timm

    donor = timm.create_model("test_resnet")
    file = creation.weights_file(RESNET)
    file.parent.mkdir()
    save_file(donor.state_dict(), file)
    net = build_model("twostream", 3, backbone=RESNET, init="imagenet")
    first = next(name for name, value in donor.state_dict().items() if value.ndim == 4)
    weights = [
        next(value for value in stem.state_dict().values() if value.ndim == 4) for stem in (net.visible_stem, net.infrared_stem)
    ]
    assert all(torch.equal(weight, donor.state_dict()[first]) for weight in weights)
    assert torch.equal(net.state_dict()["layers.3.0.conv1.weight"], donor.state_dict()["layer4.0.conv1.weight"])


def test_weights_that_cannot_be_loaded_are_reported_with_file_folder_and_origin(monkeypatch, tmp_path):
    import timm

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(FileNotFoundError) as error:
        build_model("twostream", 3, backbone=RESNET, init="imagenet")
    for part in (
        "no network",
        "https://huggingface.co/",
        str(tmp_path / "checkpoints"),
        "test_resnet.safetensors",
        "init=none",
    ):
        assert part in str(error.value)


def test_other_weights_and_published_checkpoints_are_refused():
    with pytest.raises(ValueError, match=r"weights for resnet18-half, with backbone 'timm/test_resnet'"):
        build_model("twostream", 3, backbone=RESNET, init="people")
    with pytest.raises(ValueError, match=r"backbone of another package, expected a ResNet.*backbone='resnet50'"):
        load_official(build_model("twostream", 3, backbone=RESNET), {})


def test_a_configuration_checks_only_the_form_of_the_name():
    program = (
        "import sys; from fsclib.config import Config;"
        "c = Config(dataset='llcm', backbone='timm/vit_base_patch16_224.augreg_in21k');"
        "print(c.backbone, {'torch', 'timm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["timm/vit_base_patch16_224.augreg_in21k", "set()"]
    for name in ("timm/", "timm/a b", "timm/../x", "resnet5", "tim/resnet50"):
        with pytest.raises(
            ConfigError, match=r"backbone: found .*, expected a ResNet of fsclib, or a model of timm as timm/<name>"
        ):
            Config(dataset="llcm", backbone=name)


def test_the_example_of_the_documentation_runs():
    text = (Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found: dict = {}
    exec(block, found)
    assert isinstance(found["net"].layers[0][0], Transformer)
    assert found["embedding"].pool.shape == (2, 1, 192)
    assert found["config"].backbone == "timm/convnext_tiny"


def test_without_timm_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"backbone 'timm/test_vit' needs timm, .*: pip install 'fsclib\[timm\]'"):
        build_model("twostream", 3, backbone=VIT)
