"""Networks: shapes, order of the parts, initial values, pretrained and published weights, and refused arguments."""

import itertools
import pickle
import re
import zipfile
from urllib.error import URLError

import pytest
import torch
from original import NETWORKS, state_of
from torch import nn

from fsclib import losses
from fsclib.models import backbone
from fsclib.models.networks import build_model
from fsclib.models.official import DEAD, load_official, place, read_official

MODULES = ("frequency", "channel", "spatial")


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return build_model("fsc", 7, backbone="resnet18")


@pytest.mark.parametrize(("stages", "size"), [(4, 512), (3, 256)])
@pytest.mark.parametrize("name", ["fsc", "deen"])
def test_shapes(name, stages, size):
    net = build_model(name, 7, stages=stages, backbone="resnet18")
    output = net.train()(torch.randn(4, 3, 64, 32), torch.randn(4, 3, 64, 32))
    assert output.features.shape == (3, 8, size)
    assert output.logits.shape == (3, 8, 7)
    embedding = net.eval().embed(torch.randn(5, 3, 64, 32), "infrared")
    assert embedding.pool.shape == embedding.neck.shape == (5, 3, size)


@pytest.mark.parametrize(("stages", "size"), [(4, 2048), (3, 1024)])
def test_embedding_sizes_of_resnet50(stages, size):
    net = build_model("fsc", 7, stages=stages).eval()
    assert net.embed(torch.randn(1, 3, 64, 32), "visible").pool.shape == (1, 3, size)


@pytest.mark.parametrize("name", ["agw", "twostream"])
@pytest.mark.parametrize(("backbone", "size"), [("resnet18", 512), ("resnet50", 2048)])
def test_baselines_have_one_view(name, backbone, size):
    net = build_model(name, 7, backbone=backbone)
    output = net.train()(torch.randn(2, 3, 64, 32), torch.randn(2, 3, 64, 32))
    assert output.features.shape == (1, 4, size)
    assert output.logits.shape == (1, 4, 7)
    assert net.eval().embed(torch.randn(3, 3, 64, 32), "infrared").neck.shape == (3, 1, size)


def test_agw_has_its_non_local_blocks_after_the_last_residual_blocks():
    assert [len(blocks) for blocks in build_model("agw", 7).non_locals] == [0, 2, 3, 0]
    net = build_model("agw", 7, backbone="resnet18")
    assert [len(blocks) for blocks in net.non_locals] == [0, 2, 2, 0]
    seen = []
    for name, module in net.named_modules():
        if re.fullmatch(r"layers\.[12]\.\d|non_locals\.\d\.\d", name):
            module.register_forward_hook(lambda *_, name=name: seen.append(name))
    net.eval().embed(torch.randn(1, 3, 64, 32), "visible")
    expected = [f"{part}.{layer}.{block}" for layer in (1, 2) for block in (0, 1) for part in ("layers", "non_locals")]
    assert seen == expected


def test_an_untrained_agw_equals_twostream_except_for_its_pooling():
    torch.manual_seed(0)
    agw, two = build_model("agw", 7, backbone="resnet18").eval(), build_model("twostream", 7, backbone="resnet18").eval()
    two.load_state_dict({name: value for name, value in agw.state_dict().items() if not name.startswith("non_locals")})
    images = torch.randn(2, 3, 64, 32)
    maps = {}
    for name, net in (("agw", agw), ("two", two)):
        net.layers[-1].register_forward_hook(lambda module, inputs, output, name=name: maps.update({name: output}))
        net.embed(images, "visible")
    # AGW calls its layers block by block, so the hook on its last layer never runs
    assert "agw" not in maps
    expected = (maps["two"].pow(3).mean((2, 3)) + 1e-12).pow(1 / 3)
    torch.testing.assert_close(agw.embed(images, "visible").pool[:, 0], expected)


@pytest.mark.parametrize("name", ["fsc", "deen"])
def test_one_branch_gives_two_views(name):
    net = build_model(name, 7, branches=1, backbone="resnet18")
    output = net.train()(torch.randn(4, 3, 64, 32), torch.randn(4, 3, 64, 32))
    assert output.features.shape == (2, 8, 512)
    parts = losses.fsc_loss(output, torch.tensor([0, 0, 1, 1]).repeat(2))
    assert parts.orthogonality == 0
    assert parts.cpm > 0


def test_modules_run_in_the_given_order():
    torch.manual_seed(0)
    net = build_model("fsc", 7, modules=("spatial", "frequency"), backbone="resnet18").eval()
    branch, features = net.expansion.branches[0], torch.randn(1, 64, 6, 4)
    assert list(branch.steps) == ["spatial", "frequency"]
    expected = branch.restore(torch.relu(branch.steps["frequency"](branch.steps["spatial"](features))))
    torch.testing.assert_close(branch(features), expected)


def test_every_combination_of_modules_builds_and_no_modules_make_deen():
    for number in range(4):
        for modules in itertools.combinations(MODULES, number):
            net = build_model("fsc", 7, modules=modules, backbone="resnet18")
            assert tuple(net.expansion.branches[0].steps) == modules
    deen = build_model("deen", 7, backbone="resnet18").state_dict()
    plain = build_model("fsc", 7, modules=(), backbone="resnet18").state_dict()
    assert {name: value.shape for name, value in deen.items()} == {name: value.shape for name, value in plain.items()}


def test_training_rows_are_visible_then_infrared_and_the_stems_differ(net):
    net.eval()
    visible, infrared = torch.randn(2, 3, 64, 32), torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        features = net(visible, infrared).features
        for modality, images, rows in (("visible", visible, slice(0, 2)), ("infrared", infrared, slice(2, 4))):
            torch.testing.assert_close(net.embed(images, modality).pool.transpose(0, 1), features[:, rows], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(net.embed(visible, "visible").pool, net.embed(visible, "infrared").pool, rtol=1e-2)


def test_an_image_has_the_same_embedding_in_any_batch(net):
    images = torch.randn(4, 3, 64, 32)
    with torch.inference_mode():
        together, alone = net.eval().embed(images, "visible"), net.embed(images[2:3], "visible")
    torch.testing.assert_close(together.neck[2:3], alone.neck, rtol=1e-4, atol=1e-5)


def test_memory_format_does_not_change_the_function(net):
    images = torch.randn(2, 3, 64, 32)
    with torch.inference_mode():
        expected = net.eval().embed(images, "visible").pool
        last = net.to(memory_format=torch.channels_last)
        found = last.embed(images.contiguous(memory_format=torch.channels_last), "visible").pool
    net.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_initial_values():
    torch.manual_seed(0)
    net = build_model("fsc", 4000, backbone="resnet18")
    assert net.classifier.bias is None
    assert net.classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert (net.neck.bias == 0).all()
    assert not net.neck.bias.requires_grad
    assert net.neck.weight.mean().item() == pytest.approx(1, abs=0.005)
    assert net.neck.weight.std().item() == pytest.approx(0.01, rel=0.2)
    for conv in net.expansion.dilated:
        assert conv.weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)
    for aggregate in net.aggregations:
        for half in (aggregate.channel, aggregate.position):
            assert (half.project[1].weight == 0).all()


def test_layer4_keeps_its_size_and_layer3_does_not():
    for name in ("resnet18", "resnet50"):
        layers = backbone.build_backbone(name, 4, imagenet=False).layers
        strides = [max(m.stride[0] for m in layer.modules() if isinstance(m, nn.Conv2d)) for layer in layers]
        assert strides == [1, 2, 2, 1]


def test_wrong_names_are_refused():
    with pytest.raises(ValueError, match=r"network: found 'fcs', expected one of fsc, deen"):
        build_model("fcs", 7)
    with pytest.raises(ValueError, match=r"backbone: found 'resnet35', expected one of resnet18-half, resnet18, resnet34"):
        build_model("fsc", 7, backbone="resnet35")
    with pytest.raises(ValueError, match="stages: found 3, expected 4: AGW"):
        build_model("agw", 7, stages=3)
    with pytest.raises(ValueError, match="stages: found 5, expected 3"):
        build_model("fsc", 7, stages=5)
    with pytest.raises(ValueError, match="modality: found 'thermal', expected one of visible, infrared"):
        build_model("fsc", 7, backbone="resnet18").embed(torch.zeros(1, 3, 64, 32), "thermal")


def test_the_error_for_missing_imagenet_weights_names_file_and_folder(monkeypatch, tmp_path):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(FileNotFoundError) as error:
        build_model("fsc", 7, backbone="resnet18", init="imagenet")
    for part in ("resnet18-f37072fd.pth", str(tmp_path / "checkpoints"), "init=none", "https://download.pytorch.org"):
        assert part in str(error.value)


def test_imagenet_weights_on_disk_go_into_both_stems_and_the_trunk(monkeypatch, tmp_path):
    torch.manual_seed(3)
    donor = backbone.BACKBONES["resnet18"][0]()
    (tmp_path / "checkpoints").mkdir()
    torch.save(donor.state_dict(), tmp_path / "checkpoints" / "resnet18-f37072fd.pth")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    net = build_model("fsc", 7, backbone="resnet18", init="imagenet")
    for stem in (net.visible_stem, net.infrared_stem):
        assert torch.equal(stem.conv.weight, donor.conv1.weight)
    assert net.visible_stem.conv.weight is not net.infrared_stem.conv.weight
    assert torch.equal(net.layers[3][1].conv2.weight, donor.layer4[1].conv2.weight)


def published(net, stages: int) -> dict[str, torch.Tensor]:
    """A checkpoint as the published programs would save this network: their names, and dead entries as well."""
    quarter, own = net.expansion.dilated[0].out_channels // 2, net.state_dict()
    state = {}
    for name in candidate_names():
        target = place(name, quarter)
        if target is not None and target.name in own:
            state[name] = own[target.name] if target.rows is None else own[target.name][target.rows]
    dead = ["visible_module.visible.layer1.0.conv1.weight", "thermal_module.thermal.fc.bias", "base_resnet.base.conv1.weight"]
    dead += ["base_resnet.base.layer4.0.conv1.weight"] * (stages == 3)
    return state | {name: torch.zeros(3) for name in dead}


def candidate_names() -> list[str]:
    """Published names for ResNet-18, by inverting the rules of `place`."""
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    both = ("weight", "bias")
    names = ["classifier.weight", *(f"bottleneck.{n}" for n in norm)]
    for stem in ("visible_module.visible", "thermal_module.thermal"):
        names += [f"{stem}.conv1.weight", *(f"{stem}.bn1.{n}" for n in norm)]
    for layer, block in itertools.product(range(1, 5), range(2)):
        prefix = f"base_resnet.base.layer{layer}.{block}"
        names += [f"{prefix}.conv{i}.weight" for i in (1, 2)] + [f"{prefix}.bn{i}.{n}" for i in (1, 2) for n in norm]
        names += [f"{prefix}.downsample.0.weight", *(f"{prefix}.downsample.1.{n}" for n in norm)]
    for mfa, half in itertools.product(range(1, 4), ("CNL", "PNL")):
        names += [f"MFA{mfa}.{half}.{part}.{n}" for part in ("g", "theta", "phi", "W.0") for n in both]
        names += [f"MFA{mfa}.{half}.W.1.{n}" for n in norm]
    for k in (1, 2):
        names += [f"DEE.FC{k}{d}.weight" for d in (1, 2, 3)] + [f"DEE.FC{k}.{n}" for n in both]
        names += [f"DEE.freq_attn{k}.{part}.{n}" for part in ("conv_reduce", "mlp.0", "mlp.2") for n in both]
        names += [f"DEE.gate{k}.{part}.{n}" for part in ("norm", "fc1", "conv", "fc2") for n in both]
        names += [f"DEE.spitial{k}.conv.{n}" for n in both] + [f"DEE.spitial{k}.norm.{n}" for n in norm]
    return names


def test_a_published_checkpoint_fills_all_entries_and_skips_dead_parts(net):
    state = published(net, 4)
    assert any(DEAD.match(name) for name in state)
    other = build_model("fsc", 7, backbone="resnet18")
    load_official(other, {f"module.{name}": value for name, value in state.items()})
    for name, value in net.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_a_published_checkpoint_of_agw_may_hold_dead_parts_too():
    dead = ["visible_module.visible.layer4.2.bn3.weight", "thermal_module.thermal.fc.weight", "base_resnet.base.bn1.bias"]
    net, state = build_model("agw", NETWORKS["agw"]["num_classes"]), state_of("agw")
    load_official(net, state | {name: torch.zeros(3) for name in dead})
    assert torch.equal(net.non_locals[2][1].theta.weight, state["NL_3.1.theta.weight"])
    assert torch.equal(net.infrared_stem.norm.bias, state["thermal_module.thermal.bn1.bias"])
    with pytest.raises(ValueError, match=r"NL_2\.0\.theta\.weight: unknown"):
        load_official(build_model("twostream", NETWORKS["agw"]["num_classes"]), state)


def test_layer4_is_dead_with_three_stages_only(net):
    source, target = (build_model("fsc", 7, stages=3, backbone="resnet18") for _ in range(2))
    load_official(target, published(source, 3))
    assert torch.equal(target.expansion.dilated[2].weight, source.expansion.dilated[2].weight)
    with pytest.raises(ValueError, match=r"base_resnet\.base\.layer4\.9\.conv1\.weight: unknown"):
        load_official(net, published(net, 4) | {"base_resnet.base.layer4.9.conv1.weight": torch.zeros(1)})


def test_all_misfits_of_a_checkpoint_are_listed_and_nothing_is_copied(net):
    state = published(net, 4)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    del state["MFA2.PNL.W.0.bias"], state["DEE.FC21.weight"]
    wrong = {"classifier.weight": torch.zeros(9, 512), "DEE.attention.weight": torch.zeros(1), "bottleneck.bias": torch.ones(512)}
    with pytest.raises(ValueError, match="does not fit this network") as error:
        load_official(net, state | wrong)
    for part in (
        "aggregations.1.position.project.0.bias: not in the checkpoint",
        "expansion.dilated.0.weight: not in the checkpoint",
        "classifier.weight: found shape (9, 512), expected (7, 512)",
        "DEE.attention.weight: unknown",
    ):
        assert part in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


class Bomb:
    """Unpickling this would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_reading_a_published_file_runs_none_of_its_code(tmp_path):
    torch.save({"net": {"classifier.weight": torch.ones(2)}, "epoch": 3}, tmp_path / "good.t")
    assert read_official(tmp_path / "good.t")["classifier.weight"].tolist() == [1, 1]
    torch.save({"net": Bomb(tmp_path / "harm")}, tmp_path / "bomb.t")
    (tmp_path / "plain.t").write_bytes(pickle.dumps(Bomb(tmp_path / "harm")))
    (tmp_path / "text.t").write_text("no checkpoint")
    for name in ("bomb.t", "plain.t", "text.t"):
        with pytest.raises(ValueError, match="not a checkpoint of tensors"):
            read_official(tmp_path / name)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("bomb", ["compressed", "overlapping", "shifted", "cut"])
def test_compressed_overlapping_or_damaged_published_files_are_refused(tmp_path, bomb):
    whole, file = tmp_path / "whole.t", tmp_path / "bomb.t"
    torch.save({"net": {"classifier.weight": torch.zeros(100_000)}}, whole)
    if bomb == "compressed":
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))
        assert file.stat().st_size < 10_000
    elif bomb == "overlapping":
        with zipfile.ZipFile(whole) as source:
            content, sizes = whole.read_bytes(), [entry.file_size for entry in source.infolist()]
        size = max(sizes).to_bytes(4, "little")
        file.write_bytes(content.replace(size, (2**31 - 1).to_bytes(4, "little")))
    elif bomb == "shifted":
        file.write_bytes(b"PK\x03\x04 and more" + whole.read_bytes())
    else:
        file.write_bytes(whole.read_bytes()[:-30])
    messages = {
        "compressed": "compressed, unlike", "shifted": "data before its first", "overlapping": "would unpack to",
        "cut": "not a complete archive",
    }  # fmt: skip
    with pytest.raises(ValueError, match=messages[bomb]):
        read_official(file)
