"""More epochs for a run, as a new run that names its parent."""

import shutil

import pytest
from safetensors.torch import load_file

from fsclib.config import Config
from fsclib.config.strict import ConfigError
from fsclib.runs import RunError
from fsclib.runs.checkpoint import CheckpointError
from fsclib.training import continuation
from fsclib.training.loop import fit

SHORT = {"identities": 4, "images": 4, "validate_every": 1}


@pytest.fixture(scope="module", params=["last", "test"])
def parent(request, trained):
    return trained(**SHORT, select_on=request.param, epochs=1, name="first")


@pytest.fixture
def first(parent, home):
    """A run of one epoch in the results of this home."""
    folder = home / "results/llcm/first"
    shutil.copytree(parent.folder, folder)
    return parent.config


def test_it_ends_like_a_single_run_of_all_epochs(first, trained, tiny):
    single = trained(**SHORT, select_on=first.select_on, epochs=2, name="single")
    continued = fit(tiny(**SHORT, select_on=first.select_on, epochs=2, parent="first"))
    assert continued.folder.name == "first-epochs2"
    assert continued.config.parent == "first"
    for which in ("best", "last"):
        found, expected = load_file(continued.checkpoint(which)), load_file(single.checkpoint(which))
        assert found.keys() == expected.keys()
        assert all(bool((found[name] == value).all()) for name, value in expected.items())
    assert continued.metrics == single.metrics
    assert continued.log().drop(columns="seconds").equals(single.log().drop(columns="seconds"))
    assert continued.environment.keys() == single.environment.keys()


def test_it_resumes_without_its_parent(first, home, tiny):
    config = tiny(**SHORT, select_on=first.select_on, epochs=2, parent="first")
    run = fit(config)
    metrics = (run.folder / "metrics.json").read_text()
    (run.folder / "metrics.json").unlink()
    shutil.rmtree(home / "results/llcm/first")
    assert fit(config).finished
    assert (run.folder / "metrics.json").read_text() == metrics


def problem(config, environment=None, kind=RunError):
    with pytest.raises(kind) as error:
        continuation.check(config, environment)
    return str(error.value)


def test_another_recipe_data_or_precision_is_refused(first, home, tiny):
    told = problem(tiny(**SHORT, epochs=2, parent="first", select_on=first.select_on, seed=5, lr=0.5, network="deen"))
    for part in (
        "was trained differently",
        "seed: 0 vs 5",
        f"lr: {first.lr} vs 0.5",
        "network: 'fsc' vs 'deen'",
        "init=llcm/first",
    ):
        assert part in told
    assert "epochs:" not in told
    config = tiny(**SHORT, epochs=2, parent="first", select_on=first.select_on)
    told = problem(config, {"data_hash": "other", "precision": "bfloat16"})
    assert "data_hash: " in told
    assert "precision: 'float32' vs 'bfloat16'" in told
    assert not (home / "results/llcm/first-epochs2").exists()


def test_a_parent_that_cannot_be_continued_is_refused(first, home, tiny):
    values = SHORT | {"select_on": first.select_on}
    assert "epochs: found 1, but" in problem(tiny(**values, epochs=1, parent="first"))
    assert "no run 'nobody' of 'llcm'" in problem(tiny(**values, epochs=2, parent="nobody"))
    (home / "results/llcm/first/checkpoints/last.safetensors").unlink()
    assert "no such checkpoint" in problem(tiny(**values, epochs=2, parent="first"), kind=CheckpointError)
    with pytest.raises(RunError, match="no run 'nobody'"):  # before images are decoded
        fit(tiny(**values, epochs=2, parent="nobody"))


def test_the_name_of_the_parent_is_checked():
    with pytest.raises(ConfigError, match=r"parent: found '\.\./x', expected the name of a run of the same data set"):
        Config(parent="../x")
    with pytest.raises(ConfigError, match="parent: found 'first', the name of this run itself"):
        Config(parent="first", name="first")
    assert Config(parent="x" * 100, epochs=10_000).name == "x" * 80 + "-epochs10000"
