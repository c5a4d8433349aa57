"""Networks that come with fsclib, opened as runs: here the trunk, the smallest of them, on a small corpus."""

import dataclasses
import shutil

import pytest
import torch
from conftest import settle

from fsclib import runs
from fsclib.config import ConfigError
from fsclib.models import weights
from fsclib.retrieval import evaluation
from fsclib.runs import RunError
from workbook import replay, shipped
from workbook.run_options import NamedRunOptions


@pytest.fixture(scope="module")
def tested(corpora, tmp_path_factory):
    """A home in which the trunk is tested. Tests must not change it."""
    home = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        settle(home, corpora, patch)
        shipped.open_run("llcm", "people/trunk", workers=1)
    return home


@pytest.fixture
def opened(tested, home):
    """The run of the trunk, in a copy that a test may change."""
    shutil.copytree(tested / "results", home / "results")
    return runs.load("llcm", "shipped-trunk")


def test_a_shipped_network_is_tested_on_a_data_set(opened, home):
    assert opened.finished
    assert opened.folder == home / "results" / "llcm" / "shipped-trunk"
    assert 0 <= opened.metrics["paper.ir2vis.rank1"] <= 100
    assert len(opened.log()) == 0
    net = evaluation.run_network(opened, torch.device("cpu"))
    kept = weights.read("people/trunk")
    assert kept.keys() <= net.state_dict().keys()
    for name, value in kept.items():
        torch.testing.assert_close(net.state_dict()[name], value, rtol=0, atol=0)


def test_a_shipped_network_is_tested_once(opened, monkeypatch):
    monkeypatch.setattr(shipped, "fit", lambda config: pytest.fail("tested again"))
    again = shipped.open_run("llcm", "people/trunk", device="cpu", workers=1)
    assert again.folder == opened.folder


def test_a_shipped_network_is_tested_again_when_its_weights_change(opened, monkeypatch):
    card = weights.card("people/trunk")
    monkeypatch.setattr(weights, "card", lambda name: card | {"sha256": "0" * 64})
    called = []
    monkeypatch.setattr(shipped, "fit", lambda config: called.append(config) or opened)
    shipped.open_run("llcm", "people/trunk", workers=1)
    (config,) = called
    assert not config.resume
    assert config.epochs == 0


def test_a_run_is_opened_by_its_name(opened):
    assert shipped.open_run("llcm", "shipped-trunk").folder == opened.folder
    with pytest.raises(RunError, match="Existing runs: shipped-trunk"):
        shipped.open_run("llcm", "mine")
    assert NamedRunOptions(dataset="llcm", name="people/trunk").run().folder == opened.folder


def test_unknown_names_are_refused(home):
    with pytest.raises(ValueError, match=r"found 'people/nobody', expected one of people, people/trunk, "):
        shipped.open_run("llcm", "people/nobody")
    with pytest.raises(ConfigError, match=r"name: found '\.\./x'"):
        NamedRunOptions(dataset="llcm", name="../x")


def test_a_run_that_started_from_other_weights_is_not_continued(opened):
    config = dataclasses.replace(opened.config, name="shipped-trunk")
    environment = dict(opened.environment)
    runs.check(config, environment)
    with pytest.raises(RunError, match="weights: "):
        runs.check(config, environment | {"weights": "0" * 64})


def test_its_repeat_starts_from_the_same_weights_and_is_resumed(opened, monkeypatch, capsys):
    assert replay.replay(opened).agrees
    assert "ran in the present environment" in capsys.readouterr().out
    asked = []
    fit = replay.loop.fit
    monkeypatch.setattr(replay.loop, "fit", lambda config: asked.append(config.resume) or fit(config))
    assert replay.replay(opened).agrees
    assert asked == [True]


@pytest.mark.parametrize("network", ["fsc", "deen", "agw", "twostream"])
def test_before_any_training_the_default_run_is_a_shipped_network(home, monkeypatch, network, capsys):
    called = []
    monkeypatch.setattr(shipped, "fit", lambda config: called.append(config))
    NamedRunOptions(dataset="llcm", network=network).run()
    (config,) = called
    assert (config.init, config.network, config.epochs) == (f"people/{network}", network, 0)
    assert f"nothing is trained on llcm yet: using people/{network}" in capsys.readouterr().out


@pytest.mark.parametrize("asked", [{"seed": 3}, {"scale": "small"}])
def test_asking_for_a_seed_or_scale_excludes_shipped_networks(home, asked):
    with pytest.raises(RunError, match="There are no runs of this data set"):
        NamedRunOptions(dataset="llcm", **asked).run()


@pytest.mark.parametrize("content", ["", "{}"])
def test_after_a_training_the_default_run_is_named_as_by_02_train(opened, home, content):
    assert shipped.usual("llcm") == "people/fsc"  # tested but not trained
    trained = (opened.folder / "config.json").read_text().replace('"epochs": 0', '"epochs": 1')
    (home / "results/llcm/mine").mkdir()
    (home / "results/llcm/mine/config.json").write_text(content or trained)
    assert shipped.usual("llcm") == ""
    with pytest.raises(RunError, match=r"no run 'fsc-paper-seed0' of 'llcm'.* Existing runs: mine, shipped-trunk"):
        NamedRunOptions(dataset="llcm").run()
