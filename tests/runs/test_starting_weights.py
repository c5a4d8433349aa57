"""A run records a hash of its initial weights, and is not resumed from others."""

import json
import shutil

import pytest
import torch

from fsclib import runs
from fsclib.config import Config
from fsclib.models import weights
from fsclib.runs import RunError, assemble, checkpoint

START, OTHER = "a" * 32, "b" * 32
AROUND = {"data_hash": "d1", "precision": "float32"}


def starting_from(start: str, **values) -> Config:
    return Config(**{"dataset": "llcm", "scale": "tiny", "init": start} | values)


@pytest.fixture
def first(tmp_path, monkeypatch):
    """A run with a checkpoint, from which others may start; `write` changes its weights."""
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    run = runs.begin(starting_from("none", name="first"), AROUND)
    write(run, 1.0)
    return run


def write(run, value: float) -> None:
    torch.manual_seed(0)
    net = assemble.network_of(run.config, 4, init=False)
    torch.nn.init.constant_(net.neck.weight, value)
    checkpoint.write(run.checkpoint("best"), net, None, {"epoch": 0, "num_classes": 4})


def test_the_hash_is_that_of_the_weights():
    assert assemble.digest_of_start(starting_from("none")) == ""
    assert assemble.digest_of_start(starting_from("people/fsc")) == weights.card("people/fsc")["sha256"]


def test_the_hash_follows_the_run_that_it_starts_from(first):
    config = starting_from("llcm/first")
    before = assemble.digest_of_start(config)
    assert len(before) == 32
    write(first, 1.0)
    assert assemble.digest_of_start(config) == before
    write(first, 0.5)
    assert assemble.digest_of_start(config) not in ("", before)
    shutil.rmtree(first.folder)
    assert assemble.digest_of_start(config) == ""


def test_the_environment_has_the_hash_if_there_are_such_weights(first, monkeypatch):
    monkeypatch.setattr(assemble, "environment", lambda *_: AROUND)
    around = lambda config: assemble.environment_of(config, torch.device("cpu"), torch.float32, None)  # noqa: E731
    config = starting_from("llcm/first")
    assert around(config) == AROUND | {"weights": assemble.digest_of_start(config)}
    assert around(starting_from("none")) == AROUND
    shutil.rmtree(first.folder)
    assert around(config) == AROUND


def test_a_run_is_not_resumed_from_other_weights(tmp_path):
    config = starting_from("llcm/first", name="second")
    folder = runs.begin(config, AROUND | {"weights": START}, tmp_path).folder
    assert json.loads((folder / "config.json").read_text())["environment"]["weights"] == START
    runs.begin(config, AROUND | {"weights": START}, tmp_path)
    with pytest.raises(RunError) as caught:
        runs.begin(config, AROUND | {"weights": OTHER}, tmp_path)
    assert f"hash of the initial weights: {START!r} vs {OTHER!r}" in str(caught.value)
    assert "resume=False" in str(caught.value)


@pytest.mark.parametrize(("recorded", "present"), [({}, {"weights": START}), ({"weights": START}, {}), ({}, {})])
def test_a_run_without_a_hash_or_whose_start_is_gone_is_resumed(tmp_path, recorded, present):
    config = starting_from("llcm/first", name="second")
    begun = runs.begin(config, AROUND | recorded, tmp_path)
    assert runs.begin(config, AROUND | present, tmp_path).environment == begun.environment == AROUND | recorded
