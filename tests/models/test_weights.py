"""Bundled weights: networks that start from them, and files that are missing, truncated, altered or of another network."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from fsclib.config import Config
from fsclib.models import weights
from fsclib.models.networks import build_model
from fsclib.runs.folder import _config
from synthpeople.corpus import Corpus
from workbook.demo import DEMO

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import make_weights


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the weights that a test may damage."""
    shutil.copytree(weights.FOLDER, tmp_path / "weights")
    monkeypatch.setattr(weights, "FOLDER", tmp_path / "weights")
    return tmp_path / "weights"


@pytest.mark.parametrize("network", ["fsc", "deen", "agw", "twostream"])
def test_every_network_starts_from_the_trunk(network):
    state = weights.read("people")
    net = build_model(network, 7, backbone="resnet18-half", init="people")
    own = net.state_dict()
    assert {name.split(".")[0] for name in state} == {"visible_stem", "infrared_stem", "layers"}
    assert [name for name, value in state.items() if not torch.equal(own[name], value)] == []
    assert all(value.isfinite().all() for value in own.values())


def test_stages_that_a_network_lacks_are_left_out():
    net = build_model("fsc", 7, stages=3, backbone="resnet18-half", init="people")
    assert torch.equal(net.state_dict()["layers.2.0.conv1.weight"], weights.read("people")["layers.2.0.conv1.weight"])


def test_files_are_small_and_their_cards_complete():
    assert weights.names()[0] == weights.TRUNK
    for name in weights.names():
        assert (weights.FOLDER / f"{name}.safetensors").stat().st_size < 8e6
        card = weights.card(name)
        fields = {"network", "backbone", "image", "data", "recipe", "seed", "command", "commit", "figures", "limits", "licence"}
        assert fields <= card.keys()
        for figures in card["figures"].values():
            assert figures["ir2vis.rank1_low"] <= figures["ir2vis.rank1"] <= figures["ir2vis.rank1_high"]


def test_another_backbone_is_refused_with_the_one_that_has_weights():
    with pytest.raises(ValueError, match=r"weights for resnet18-half, with backbone 'resnet50'; expected backbone resnet18-half"):
        build_model("fsc", 7, backbone="resnet50", init="people")


def test_missing_truncated_or_altered_files_are_refused_by_name(folder):
    file = folder / "people" / "trunk.safetensors"
    content = file.read_bytes()
    for broken in (content[: len(content) // 2], content[:-1] + bytes([content[-1] ^ 1]), b""):
        file.write_bytes(broken)
        with pytest.raises(ValueError, match=r"trunk\.safetensors: truncated or modified \(.* SHA-256 .*\); install fsclib again"):
            weights.read("people")
    file.unlink()
    with pytest.raises(ValueError, match=r"trunk\.safetensors: does not exist, but its card does; install fsclib again"):
        weights.read("people")


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"sha256": "0"})])
def test_a_broken_card_is_refused(folder, text):
    (folder / "people" / "trunk.json").write_text(text)
    with pytest.raises(ValueError, match=r"trunk\.json: .*install fsclib again"):
        weights.read("people")


def test_weights_of_another_backbone_are_refused():
    net = build_model("twostream", 3, backbone="resnet18-half")
    for other in (
        {"layers.9.weight": torch.zeros(2)},
        *(build_model("twostream", 3, backbone=f"resnet{n}").state_dict() for n in (18, 34)),
    ):
        before = {name: value.clone() for name, value in net.state_dict().items()}
        with pytest.raises(ValueError, match="found weights of another backbone: "):
            weights.start_from(net, other)
        assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_weights_survive_being_written_in_half_precision(tmp_path, monkeypatch):
    net = build_model("twostream", 3, backbone="resnet18-half")
    facts = {"network": "twostream", "backbone": "resnet18-half"}
    weights.write("people/mine", net.state_dict(), facts, tmp_path)
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    found = weights.read("people/mine", "resnet18-half")
    assert found.keys() == {name for name in net.state_dict() if not name.endswith("num_batches_tracked")}
    for name, value in found.items():
        torch.testing.assert_close(value, net.state_dict()[name], rtol=1e-3, atol=1e-4)


def test_training_and_test_corpora_of_the_weights_share_no_person():
    def seeds(words):
        given = dict(zip(words.split()[::2], words.split()[1::2], strict=True))
        start = int(given["--seed"])
        return set(range(start, start + int(given.get("--worlds", 1))))

    corpora = {name: seeds(words) for name, words in make_weights.CORPORA.items()}
    learned = {corpus for run in make_weights.RUNS for corpus in make_weights.learned_from(run)}
    trained = set().union(*(corpora[name] for name in learned))
    tested = [found for name, found in corpora.items() if name not in learned]
    assert len(tested) == 15
    assert sum(map(len, tested)) == len(set().union(*tested))
    assert not trained & set().union(*tested)
    assert not trained & set(Corpus(**DEMO).seeds)
    assert not set().union(*tested) & set(Corpus(**DEMO).seeds)


def test_older_runs_open_with_the_recipe_they_were_trained_with():
    new = set(Config().to_dict()) - {
        "optimizer", "schedule", "warmup_steps", "small_epochs", "clip", "label_smoothing", "metric_on", "ramp_from", "ramp_steps",
        "infonce_weight", "temperature", "attributes_weight", "streams", "channel", "pseudo_infrared", "jitter", "init", "parent",
    }  # fmt: skip
    old = {name: value for name, value in Config(dataset="demo").to_dict().items() if name in new}
    old |= {"backbone": "resnet18", "pretrained": False, "weight_decay": 5e-4, "loss": "fsc"}
    config = _config(Path("config.json"), old)
    assert (config.optimizer, config.schedule, config.metric_on, config.infonce_weight) == ("sgd", "step", "pooled", 0)
    assert (config.init, config.small_epochs, config.channel, config.streams) == ("none", 0, 0, "both")
