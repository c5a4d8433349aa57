"""Initial weights: a name, a run, its folder, one of its checkpoints, a copy of one, and the file of a published program."""

import shutil

import pytest
import torch
from original import state_of

from fsclib.config.strict import ConfigError
from fsclib.models import weights
from fsclib.models.networks import build_model
from fsclib.models.official import load_official, renamed
from fsclib.runs import RunError, checkpoint
from fsclib.runs.start import digest_of_start, starting_weights
from fsclib.training import preparation
from fsclib.training.loop import fit

RESNET18 = "resnet18-half"


@pytest.fixture(scope="module")
def run(trained):
    return trained(network="twostream", stages=4, name="first", epochs=1)


@pytest.fixture
def beside(run, home):
    """The run in the results of this home, and a copy of its checkpoint elsewhere."""
    folder = home / "results/llcm/first"
    shutil.copytree(run.folder, folder)
    (home / "copy").mkdir()
    shutil.copyfile(run.checkpoint("best"), home / "copy/weights.safetensors")
    return folder


def test_all_ways_to_name_a_run_give_its_weights(beside, home, tiny, monkeypatch):
    monkeypatch.chdir(home)
    expected = checkpoint.network(beside / "checkpoints/best.safetensors")
    names = ["llcm/first", str(beside), "results/llcm/first/", "results/llcm/first/checkpoints/best.safetensors"]
    for name in [*names, "copy/weights.safetensors", f"{home}/copy/weights.safetensors"]:
        config = tiny(init=name)
        found = starting_weights(config.init, RESNET18)
        assert found.keys() == expected.keys(), name
        assert all(torch.equal(found[entry], value) for entry, value in expected.items()), name
        assert digest_of_start(config) == weights.digest_of(expected), name


def test_a_path_is_recorded_as_an_absolute_one(beside, home, tiny, monkeypatch):
    monkeypatch.chdir(home)
    assert tiny(init="copy/weights.safetensors").init == f"{home}/copy/weights.safetensors"
    assert tiny(init="llcm/first").init == "llcm/first"
    for name in ("copy/nothing.safetensors", "nothing.pth", "lcm/first"):
        with pytest.raises(ConfigError, match=f"init: found '{name}', and no such file or folder; expected none, imagenet, people"):
            tiny(init=name)


def test_a_run_of_a_data_set_of_ones_own_is_known_by_its_folder(beside, home, tiny):
    with pytest.raises(ConfigError, match="init: found 'pairs/first', and no such file"):
        tiny(init="pairs/first")
    shutil.copytree(beside, home / "results/pairs/first")
    assert tiny(init="pairs/first").init == "pairs/first"


@pytest.mark.parametrize("key", ["fsc_llcm", "deen_regdb", "agw"])
def test_the_entries_of_a_published_checkpoint_are_renamed_as_they_are_loaded(key):
    state = state_of(key)
    network = key.partition("_")[0]
    stages = 3 if key.endswith("regdb") else 4
    classes = next(len(value) for name, value in state.items() if name.endswith("classifier.weight"))
    net = build_model(network, classes, stages=stages)
    load_official(net, state)
    ours = renamed({f"module.{name}": value for name, value in state.items()})
    for name, value in net.state_dict().items():
        assert torch.equal(ours[name], value), name


def test_another_network_starts_from_the_file_of_a_published_program(tmp_path):
    state = state_of("twostream")
    torch.save({"net": state, "epoch": 3}, tmp_path / "published.t")
    found = starting_weights(str(tmp_path / "published.t"), "resnet50")
    net = build_model("agw", 7)
    left = weights.start_from(net, found)
    assert {name.split(".")[0] for name in left} == {"non_locals", "classifier"}
    assert torch.equal(net.state_dict()["layers.3.2.conv3.weight"], state["base_resnet.base.layer4.2.conv3.weight"])
    assert torch.equal(net.state_dict()["infrared_stem.conv.weight"], state["thermal_module.thermal.conv1.weight"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file or folder; expected the folder of a run, or a checkpoint"),
        ("folder", "a folder without config.json; expected the folder of a run"),
        (b"text", "not a checkpoint of tensors"),
        ({"net": {"patch_embed.proj.weight": torch.zeros(2)}}, "a vision transformer"),
        ({"weight": torch.zeros(2)}, "1 entries without those of a published network"),
        ({"base_resnet.base.layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}, "found weights of another backbone"),
    ],
)
def test_a_file_without_fitting_weights_is_refused_before_training(home, tiny, content, message):
    file = home / "weights.pth"
    if content == "folder":
        file.mkdir()
    elif isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(ValueError, match=message) as error:
        preparation.check(tiny(init=str(file)))
    assert str(file) in str(error.value)
    assert not (home / "results").exists()


def test_a_run_with_another_backbone_is_refused_by_name_and_by_the_shapes_of_its_layers(beside, home, tiny):
    with pytest.raises(ValueError, match="a run with backbone resnet18-half, expected resnet18; choose another"):
        preparation.check(tiny(backbone="resnet18", init=str(beside)))
    with pytest.raises(ValueError, match=r"found weights of another backbone: \d+ of \d+ entries of the layers do not fit"):
        preparation.check(tiny(backbone="resnet18", init=f"{home}/copy/weights.safetensors"))


def test_a_file_that_changes_between_start_and_resumption_is_noticed(beside, home, tiny):
    file = home / "copy/weights.safetensors"
    run = fit(tiny(network="twostream", stages=4, init=str(file), name="tuned", epochs=0))
    assert run.environment["weights"] == weights.digest_of(checkpoint.network(file))
    (run.folder / "metrics.json").unlink()
    checkpoint.write(file, build_model("twostream", 4, backbone=RESNET18), None, {"epoch": 0})
    with pytest.raises(RunError, match=r"weights: '[0-9a-f]+' vs '[0-9a-f]+'"):
        fit(tiny(network="twostream", stages=4, init=str(file), name="tuned", epochs=0))
    file.unlink()  # a run that has begun needs it no more
    assert fit(tiny(network="twostream", stages=4, init=str(file), name="tuned", epochs=0)).finished
