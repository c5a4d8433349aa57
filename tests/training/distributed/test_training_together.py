"""Runs trained by several processes: their files, how they end, and what is refused."""

import contextlib
import io
import json
import os
import re
import signal
import tempfile
from shutil import copytree

import pytest
import torch
from conftest import settle
from listening import of_this_test
from safetensors.torch import load_file
from starting import TRAINING, children, fork, forked, load, together, trained, words_of
from waiting import until

from fsclib import runs
from fsclib.config import Config, ConfigError
from fsclib.data.records import hold_out
from fsclib.retrieval import evaluation
from fsclib.runs import checkpoint
from fsclib.runs.assemble import network_of
from fsclib.system.locks import held, lock_beside
from fsclib.system.processes import Processes
from fsclib.training import __main__ as command_line
from fsclib.training import loop, preparation
from fsclib.training.distributed.rendezvous import check_devices, joined
from fsclib.training.loop import TrainingError


def same_weights(first, second):
    there, here = (load_file(run.checkpoint("last")) for run in (first, second))
    return there.keys() == here.keys() and all(torch.equal(value, here[name]) for name, value in there.items())


TOGETHER = TRAINING | {"name": "uninterrupted", "devices": 2}


@pytest.fixture(scope="module")
def shown(corpora, tmp_path_factory):
    """A home with a run trained by two processes that `fit` has started, and what it printed."""
    folder = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        settle(folder, corpora, patch)
        loop.fit(Config(**TOGETHER))
    return folder, printed.getvalue()


@pytest.fixture
def uninterrupted(shown, home):
    """A copy of that run in the home of this test."""
    copytree(shown[0] / "results", home / "results")
    return load("uninterrupted")


def killed(function, values, after, victim):
    """Forks a process that trains, and kills the process that `victim` picks once a line matches `after`; returns what is printed
    and the exit code."""
    process, lines = fork(function, values), []
    for line in process.stdout:
        lines.append(line)
        if after and re.search(after, line):
            os.kill(victim(process), signal.SIGKILL)
            after = ""
    return "".join(lines), process.wait(60)


def test_a_run_of_two_processes_is_written_once_like_any_other(uninterrupted, capfd):
    run = uninterrupted
    assert run.finished
    assert run.environment["processes"] == 2
    assert run.log()["epoch"].tolist() == [0, 1, 2]
    assert run.log()["val_map"].notna().all()
    assert {file.name for file in (run.folder / "checkpoints").iterdir()} == {"last.safetensors", "best.safetensors"}
    assert forked(2, loop.fit, run.config) == [0, 0]
    assert capfd.readouterr().out.count("is complete; nothing to train") == 1
    # the test embeddings, computed by both processes, equal those of one process
    shared = load_file(run.folder / "embeddings" / "test.safetensors")
    (run.folder / "embeddings" / "test.safetensors").unlink()
    alone = evaluation.run_features(run, evaluation.run_images(run))
    order, other = shared["rows"].argsort(), alone.rows.argsort()
    assert torch.equal(shared["pool"][:, order], alone.pool[:, other])
    assert torch.equal(shared["neck"][:, order], alone.neck[:, other])


def test_a_killed_process_ends_the_run_and_a_restart_resumes_it(uninterrupted):
    values = TOGETHER | {"name": "interrupted"}
    printed, status = killed(trained, values, r"^epoch 1/3: ", lambda process: children(process.pid)[1])
    assert status != 0
    assert "process 1 of the training was killed by SIGKILL" in printed
    run = load("interrupted")
    assert not run.finished
    assert checkpoint.state(run.checkpoint("last"))["epoch"] >= 0
    printed, status = killed(trained, values, r"^epoch 2/3: ", lambda process: children(process.pid)[0])
    assert status != 0
    assert "process 0 of the training was killed by SIGKILL" in printed
    again, status = killed(trained, values, "", None)
    assert status == 0, again
    assert (printed + again).count("resuming after epoch") == 2
    assert same_weights(load("interrupted"), uninterrupted)
    assert load("interrupted").metrics == uninterrupted.metrics


def test_a_run_resumes_with_another_number_of_processes(home, monkeypatch, capfd):
    config, keep, before = Config(**TRAINING | {"name": "changing"}), loop.keep, None

    def keep_and_die(*arguments):
        keep(*arguments)
        os._exit(9)

    for epoch, count in enumerate((2, 4, 2)):
        with monkeypatch.context() as patch:
            if epoch < 2:
                patch.setattr(loop, "keep", keep_and_die)
            assert forked(count, loop.fit, config) == ([9] + [1] * (count - 1) if epoch < 2 else [0] * count)
        said = capfd.readouterr()
        assert ("Elsewhere: the connection to another process is lost" in said.err) == (epoch < 2)
        assert (f"resuming after epoch {epoch} of 3" in said.out) == (epoch > 0)
        log = load("changing").log()
        assert log["epoch"].tolist() == list(range(epoch + 1))
        assert before is None or log[:epoch].equals(before)
        before = log
    assert load("changing").finished


def test_fit_starts_the_processes_and_shows_their_progress(shown, uninterrupted):
    _, printed = shown
    assert uninterrupted.finished
    assert uninterrupted.environment["processes"] == 2
    assert [f"epoch {number}/3: " in printed for number in (1, 2, 3)] == [True] * 3


def test_a_run_that_is_being_trained_is_refused_by_all_processes(home, capfd):
    config = Config(**TRAINING | {"name": "held"})
    with runs.alone(config):
        assert forked(2, loop.fit, config) == [1, 1]
    said = capfd.readouterr().err
    assert f"is being trained by process {os.getpid()} on " in said


def test_errors_of_started_processes_are_raised_in_the_parent(home):
    diverging = {"lr": 1e30, "body_lr": 1e30, "warmup_steps": 0, "schedule": "step", "optimizer": "sgd", "clip": 0.0}
    config = Config(**TRAINING | {"name": "diverging", "devices": 2} | diverging)
    with pytest.raises(TrainingError, match=r"epoch 1, step \d+: .*(?s:.)*learning rates: 1e\+30") as caught:
        loop.fit(config)
    assert "visible images of this step: " in str(caught.value)
    kept = runs.folder_of(config) / "checkpoints" / "before-failure.safetensors"
    assert str(kept) in str(caught.value)
    assert kept.exists()


def fit(values):
    loop.fit(Config(**values))


def test_no_process_is_left_when_the_parent_is_killed(home, monkeypatch):
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)  # so that it is read again

    def parent(process):
        assert [*(home / "tmp").iterdir()]
        return process.pid

    _, status = killed(fit, TOGETHER | {"name": "orphan"}, r"^epoch 1/3: ", parent)
    assert status == -signal.SIGKILL
    until(lambda: not held(lock_beside(load("orphan").folder)))
    until(lambda: not of_this_test())
    assert not [*(home / "tmp").iterdir()]
    assert not load("orphan").finished


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"devices": 3}, "devices: found 3, expected a divisor of 4, the number of identities per step"),
        ({"devices": 8}, "devices: found 8, expected"),
        ({"devices": 2, "device": "cuda:1"}, "device: found 'cuda:1' for 2 processes"),
        ({"devices": 0}, "devices: found 0"),
    ],
)
def test_impossible_device_counts_are_refused_by_name(values, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Config(**TRAINING | values)
    Config(**TRAINING | {"devices": 3, "batch": "per-process"})


def test_an_unsuitable_process_count_is_reported_once_before_any_work(home, tmp_path):
    failure = together(2, "fsclib.training", *words_of(TRAINING | {"name": "three", "identities": 3}))
    assert failure.count("processes: found 2, expected a divisor of 3, the number of identities per step") == 1
    assert "fsclib/training/" not in failure  # no traceback
    assert not (home / "results/llcm/three").exists()


@pytest.mark.parametrize("variable", ["FSCLIB_RESTARTS", "SLURM_RESTART_COUNT"])
def test_resume_false_is_refused_on_a_restart(home, monkeypatch, variable):
    """SLURM and its script rerun the same command, where resume=False would start over at each restart."""
    config = Config(**TRAINING | {"name": "anew", "resume": False})
    monkeypatch.setenv(variable, "1")
    preparation.check(config)
    (home / "results/llcm/anew").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"resume: found False, but .*anew exists: .* leave resume out"):
        preparation.check(config)
    monkeypatch.setenv(variable, "0")
    preparation.check(config)


def test_more_devices_than_processes_are_refused(home):
    with pytest.raises(ValueError, match="devices: found 4, but 2 processes train together; leave devices out"):
        preparation.check(Config(**TRAINING | {"devices": 4}), Processes(0, 2))


def broadcast(length):
    with joined(torch.device("cpu")) as processes:
        assert processes.told("é" * length if processes.first else None) == "é" * length


def test_a_text_of_any_length_reaches_all_processes():
    assert forked(2, broadcast, 1 << 20) == [0, 0]


def processes_with(*kinds):
    """Processes that report these devices and visible GPUs to each other."""

    class Reporting(Processes):
        def texts(self, text):
            return [json.dumps([*kind, *(None,) * (4 - len(kind))]) for kind in kinds]

    return Reporting(0, len(kinds))


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ([["cuda", "0", "", 0], ["cpu", "1", ""]], "process 0 has cuda, process 1 cpu; check that every node sees its GPUs"),
        ([["cuda", "0", "", 0], ["cuda", "1", "", 0], ["cuda", "0", "", 0]], "process 2 has the GPU of process 0"),
    ],
)
def test_devices_that_cannot_work_together_are_refused(kinds, message):
    with pytest.raises(ValueError, match=message):
        check_devices(torch.device("cpu"), processes_with(*kinds))


def test_devices_that_can_work_together_are_accepted():
    check_devices(torch.device("cpu"), processes_with(["cpu", "0", ""], ["cpu", "0", ""]))
    check_devices(torch.device("cpu"), processes_with(["cuda", "0", "", 0], ["cuda", "0", "", 1], ["cuda", "1", "", 0]))
    check_devices(torch.device("cpu"), processes_with(["cuda", "0", "0", 0], ["cuda", "0", "1", 0]))  # one visible GPU each


def fit_own(configurations):
    fit(configurations[int(os.environ["RANK"])])


@pytest.mark.parametrize("other", ["configuration", "data"])
def test_processes_with_different_configurations_or_data_are_refused(home, capfd, other):
    values = TRAINING | {"name": "unequal"}
    if other == "configuration":
        changed, told = {"epochs": 5}, "epochs: 5 vs 3"
    else:
        folder = copytree(home / "data/LLCM", home / "other")
        victim = sorted((folder / "vis").rglob("*.jpg"))[0]
        victim.write_bytes(sorted((folder / "vis").rglob("*.jpg"))[1].read_bytes())
        changed, told = {"data_root": str(folder)}, r"data_hash: '\w+' vs '\w+'"
    assert forked(2, fit_own, [values, values | changed]) == [1, 1]
    assert re.search(rf"process 1 on \S+: {told}", capfd.readouterr().err)
    assert not (home / "results/llcm/unequal").exists()


def test_a_run_with_per_process_batches(home):
    assert forked(3, loop.fit, Config(**TRAINING | {"name": "own", "batch": "per-process", "epochs": 1, "decay": "1"})) == [0] * 3
    run = load("own")
    assert run.finished
    assert run.environment["processes"] == 3
    # all processes validate the network that process 0 saves, whose BatchNorm has seen only its own images
    images = evaluation.run_images(run)
    images = images.with_records(hold_out(images.records, run.config.seed))
    net = network_of(run.config, checkpoint.state(run.checkpoint("last"))["num_classes"], pretrained=False)
    checkpoint.read(run.checkpoint("last"), net)
    net = net.to(memory_format=torch.channels_last)
    found = evaluation.validate(net, images, torch.device("cpu"), torch.float32, "holdout")
    assert found == pytest.approx(run.log().iloc[-1][list(found)].to_dict(), rel=1e-12)


def test_arguments_override_a_configuration_file(home, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(TRAINING | {"epochs": 1, "name": "from-file"}))
    command_line.main(["--config", str(file), "--select-on", "last"])
    run = load("from-file")
    assert (run.config.epochs, run.config.select_on) == (1, "last")
    command_line.main(["--config", str(run.folder / "config.json")])  # already complete
    for content in ("[1]", "{", '"x"'):
        file.write_text(content)
        with pytest.raises(ValueError, match=r"mine\.json"):
            command_line.main(["--config", str(file)])
    with pytest.raises(ValueError, match="cannot be read"):
        command_line.main(["--config", str(tmp_path / "nowhere.json")])
