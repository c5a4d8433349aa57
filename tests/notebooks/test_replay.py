"""A run is repeated from its config.json: changes are reported before it is trained, and differing numbers afterwards."""

import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from conftest import settle
from safetensors.torch import load_file

from fsclib import runs
from fsclib.config import Config
from fsclib.config.specs import DATASETS
from fsclib.runs import Run, RunError
from fsclib.runs.folder import ASIDE
from fsclib.training import loop, state
from workbook import replay

NAME = "one"


@pytest.fixture(scope="module")
def repeated(corpora, tmp_path_factory, tiny):
    """Results with a run and its repeat. Tests must not change them."""
    home = tmp_path_factory.mktemp("replay")
    with pytest.MonkeyPatch.context() as patch:
        settle(home, corpora, patch)
        run = loop.fit(tiny(name=NAME, epochs=2, seed=4, select_on="holdout", validate_every=1))
        found = replay.replay(run)
    assert found.agrees
    return home


@pytest.fixture
def results(repeated, home):
    """A copy of them that a test may change."""
    shutil.copytree(repeated / "results", home / "results")
    return home / "results" / "llcm"


@pytest.fixture
def untrained(monkeypatch):
    """Fails the test if anything is trained."""
    monkeypatch.setattr(state, "training_steps", lambda *_: pytest.fail("trained"))


def tamper(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_a_repeat_has_the_same_numbers_and_weights(results, untrained, capsys):
    assert replay.main(["llcm", NAME]) == 0
    printed = capsys.readouterr().out
    for line in ("one ran in the present environment", "all entries of metrics.json agree", "weights are the same, bit for bit"):
        assert line in printed
    assert "all epochs of log.csv agree" in printed
    there, here = runs.load("llcm", NAME), runs.load("llcm", f"{NAME}.replay")
    assert here.config.recipe() == there.config.recipe()
    assert here.metrics == there.metrics
    assert list(replay.compare(there, here).figures["figure"]) == list(there.metrics)
    assert there.metrics.items() >= {"select_on": "holdout", "test_selected": False}.items()


def test_a_repeat_does_not_count_as_a_run(results):
    table = runs.table()
    assert sorted(table["name"]) == [NAME, f"{NAME}.replay"]
    assert list(runs.finished(table)["name"]) == [NAME]
    assert runs.siblings(runs.load("llcm", NAME), "name") == []
    other = runs.load("llcm", NAME)
    tamper(other.folder / "config.json", lambda content: content["config"].update(seed=5))
    assert runs.siblings(runs.load("llcm", NAME), "seed") == []


def test_differing_metrics_are_reported_with_their_difference(results, untrained, capsys):
    def change(metrics):
        metrics["paper.ir2vis.map"] += 0.5
        metrics["select_on"] = "test"
        metrics["forgotten"] = 1

    metrics = runs.load("llcm", NAME).metrics
    tamper(results / NAME / "metrics.json", change)
    assert replay.main([str(results / NAME)]) == 1
    printed = capsys.readouterr().out
    assert f"3 of {len(metrics) + 1} entries of metrics.json differ" in printed
    found = replay.compare(runs.load("llcm", NAME), runs.load("llcm", f"{NAME}.replay"))
    rows = found.figures.set_index("figure")
    assert rows["difference"]["paper.ir2vis.map"] == pytest.approx(-0.5)
    assert rows.loc["select_on", ["there", "here", "same"]].tolist() == ["test", "holdout", False]
    assert rows.loc["forgotten", ["there", "here", "same"]].tolist() == [1, None, False]
    assert rows["same"].sum() == len(metrics) - 2


def test_differing_weights_and_epochs_are_reported_beside_equal_metrics(results, untrained, capsys):
    run = runs.load("llcm", NAME)
    log = run.log()
    log.loc[1, "total"] = 7.5
    log.to_csv(run.folder / "log.csv", index=False)
    run.checkpoint("best").write_bytes(b"other weights")
    assert replay.main(["llcm", NAME]) == 0
    printed = capsys.readouterr().out
    assert "weights differ" in printed
    assert "log.csv differs from epoch 2: total: 7.5 vs " in printed
    run.checkpoint("best").unlink()
    assert replay.main(["llcm", NAME]) == 0
    assert f"weights cannot be compared: {run.folder} has none" in capsys.readouterr().out


def test_environments_are_compared_before_anything_is_trained(results, monkeypatch, capsys):
    def change(content):
        content["environment"] |= {"revision": "0123abc", "threads": 77}
        content["environment"]["packages"]["torch"] = "1.0"

    tamper(results / NAME / "config.json", change)
    monkeypatch.setattr(loop, "fit", lambda config: pytest.fail(f"begun: {capsys.readouterr().out}"))
    with pytest.raises(pytest.fail.Exception) as caught:
        replay.main(["llcm", NAME])
    message = str(caught.value)
    for line in ("revision: '0123abc' vs ", "threads: 77 vs ", "packages torch: '1.0' vs "):
        assert line in message
    assert message.count(" vs ") == 3


@pytest.mark.parametrize("same", [True, False])
def test_a_repeat_is_resumed_only_with_the_same_versions(results, monkeypatch, same):
    begun, asked = results / f"{NAME}.replay", []
    (begun / "metrics.json").unlink()
    if not same:
        tamper(begun / "config.json", lambda content: content["environment"]["packages"].update(torch="1.0"))

    def fit(config):
        asked.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        replay.replay(runs.load("llcm", NAME))
    assert [config.resume for config in asked] == [same]


def test_other_data_are_refused_before_any_training(results, untrained):
    tamper(results / NAME / "config.json", lambda content: content["environment"].update(data_hash="other"))
    with pytest.raises(RunError, match=r"holds other data than .*one was trained on"):
        replay.main(["llcm", NAME])


def test_an_unfinished_run_is_refused(results, untrained):
    (results / NAME / "metrics.json").unlink()
    with pytest.raises(RunError, match="is not finished: 2 epochs are done"):
        replay.main(["llcm", NAME])


@pytest.mark.parametrize("name", ["a", "a.old-3", "x" * 100, "x" * 90 + ".old-12"])
def test_a_repeat_has_a_valid_run_name(tmp_path, tiny, name):
    run = runs.begin(tiny(), {"precision": "bfloat16", "data_hash": ""}, tmp_path)
    config = replay.config_of(Run(run.folder.rename(tmp_path / name), run.config))
    assert config.name.endswith(".replay")
    assert config.name[:80] == (name + ".replay")[:80]
    assert config.precision == "bfloat16"
    assert ASIDE.search(config.name)


def test_device_and_data_default_to_those_of_the_run(results, monkeypatch):
    asked = []

    def stop(run):
        asked.append(run.config)
        raise KeyboardInterrupt

    monkeypatch.setattr(replay, "replay", stop)
    for words in ([], ["--device", "auto", "--workers", "3", "--data-root", "/elsewhere"]):
        with pytest.raises(KeyboardInterrupt):
            replay.main(["llcm", NAME, *words])
    recorded = Config(**json.loads((results / NAME / "config.json").read_text())["config"])
    assert (recorded.device, recorded.workers) == ("cpu", 1)
    assert asked[0] == recorded
    assert (asked[1].device, asked[1].workers, asked[1].data_root) == ("auto", 3, "/elsewhere")


def test_a_foreign_configuration_cannot_start_too_many_processes(results, monkeypatch):
    changes = {"devices": 1024, "workers": 1024, "batch": "per-process"}
    tamper(results / NAME / "config.json", lambda content: content["config"].update(changes))
    monkeypatch.setattr(replay, "usable_cores", lambda: 4)
    monkeypatch.setattr(replay.torch.cuda, "device_count", lambda: 2)
    asked = []

    def fit(config):
        asked.append((config.devices, config.workers))
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "fit", fit)
    with pytest.raises(RunError, match=r"devices: found 1024 in .*, expected at most 4 on this machine; pass --devices 4 or fewer"):
        replay.main(["llcm", NAME])
    with pytest.raises(RunError, match="devices: found 5"):
        replay.main(["llcm", NAME, "--devices", "5"])
    with pytest.raises(KeyboardInterrupt):
        replay.main(["llcm", NAME, "--devices", "2"])
    assert asked == [(2, 4)]


def test_first_difference_of_logs():
    log = pd.DataFrame({"epoch": [0, 1], "total": [3.0, 2.0], "val_map": [float("nan"), 5.0], "seconds": [1.0, 1.0]})
    assert replay.first_difference(log, log.assign(seconds=2.0)) == ""
    assert replay.first_difference(log, log.assign(total=[3.0, 2.5])) == "epoch 2: total: 2.0 vs 2.5"
    assert replay.first_difference(log, log[:1]).startswith("epoch 2: epoch: 1")


def test_from_a_shell(results, tmp_path):
    """A whole repeat from the command line, on a copy of the corpus that two processes decode instead of one."""
    shutil.rmtree(results / f"{NAME}.replay")
    copy = shutil.copytree(results.parents[1] / "data" / DATASETS["llcm"].folder, tmp_path / "copy")
    words = [str(results / NAME), "--workers", "2", "--data-root", str(copy)]
    done = subprocess.run([sys.executable, "-m", "workbook.replay", *words], capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert "weights are the same, bit for bit" in done.stdout
    here = load_file(results / f"{NAME}.replay" / "checkpoints" / "last.safetensors")
    there = load_file(results / NAME / "checkpoints" / "last.safetensors")
    assert all(there[name].equal(value) for name, value in here.items())


def test_a_missing_run_is_reported_without_a_traceback(results):
    with pytest.raises(SystemExit, match="no run 'nobody' of 'llcm'"):
        replay.command(["llcm", "nobody"])
    with pytest.raises(SystemExit, match="2"):
        replay.command(["a", "b", "c"])
