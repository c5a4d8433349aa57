"""Runs trained by several processes: their files, how they end, and what is refused."""

import json
import logging
import os
import re
import signal
import sys
from shutil import copytree

import pytest
import torch
from conftest import settle
from listening import of_this_test
from safetensors.torch import load_file
from starting import TRAINING, children, forked, load, start, together, words_of
from waiting import until

from fsclib import runs
from fsclib.config import Config, ConfigError
from fsclib.data.records import hold_out
from fsclib.retrieval import evaluation, validation
from fsclib.runs import checkpoint
from fsclib.runs.assemble import network_of
from fsclib.system.locks import held, lock_beside
from fsclib.system.processes import Processes
from fsclib.training import __main__ as command_line
from fsclib.training import loop, preparation
from fsclib.training.distributed import launch
from fsclib.training.distributed.rendezvous import check_devices, joined
from fsclib.training.loop import TrainingError

FOUR = pytest.mark.long("four processes")


def same_weights(first, second):
    there, here = (load_file(run.checkpoint("last")) for run in (first, second))
    return there.keys() == here.keys() and all(torch.equal(value, here[name]) for name, value in there.items())


@pytest.fixture(scope="module")
def finished(corpora, tmp_path_factory):
    """The folder of a run trained by two processes. Tests must not change it."""
    with pytest.MonkeyPatch.context() as patch:
        settle(tmp_path_factory.mktemp("finished"), corpora, patch)
        assert forked(2, loop.fit, Config(**TRAINING | {"name": "uninterrupted"})) == [0, 0]
        return load("uninterrupted").folder


@pytest.fixture
def uninterrupted(home, finished):
    """A run trained by two processes."""
    copytree(finished, home / "results/llcm/uninterrupted")
    return load("uninterrupted")


class Killer(logging.Handler):
    """Kills one of the processes that fit has started when it shows a line that starts like this."""

    def __init__(self, line: str, victim: int):
        super().__init__()
        self.line, self.victim = line, victim

    def emit(self, record):
        if record.getMessage().startswith(self.line):
            os.kill(children(os.getpid(), "fsclib.training")[self.victim], signal.SIGKILL)


def killed(arguments, after):
    """Runs a command and kills it once a line matches `after`; returns output and exit status."""
    process, lines = start(arguments), []
    for line in process.stdout:
        lines.append(line)
        if after and re.search(after, line):
            process.kill()
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


def test_a_killed_process_ends_the_run_and_a_restart_resumes_it(uninterrupted, monkeypatch, capfd):
    """fit starts the processes and shows their progress."""
    config = Config(**TRAINING | {"name": "interrupted", "devices": 2})
    for line, victim in (("epoch 1/3: ", 1), ("epoch 2/3: ", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(launch.logger, "handlers", [Killer(line, victim)])
            with pytest.raises(TrainingError, match=f"process {victim} of the training was killed by SIGKILL"):
                loop.fit(config)
        run = load("interrupted")
        assert not run.finished
        assert checkpoint.state(run.checkpoint("last"))["epoch"] >= 0
    run = loop.fit(config)
    assert run.finished
    assert run.environment["processes"] == 2
    printed = capfd.readouterr().out
    assert [f"epoch {number}/3: " in printed for number in (1, 2, 3)] == [True] * 3
    assert printed.count("resuming after epoch") == 2
    assert same_weights(run, uninterrupted)
    assert run.metrics == uninterrupted.metrics


@pytest.mark.parametrize("counts", [(2, 1), pytest.param((2, 4), marks=FOUR), pytest.param((4, 2), marks=FOUR)])
def test_a_run_resumes_with_another_number_of_processes(home, counts, monkeypatch, capfd):
    config, (before, after) = Config(**TRAINING | {"name": "changing"}), counts
    keep = loop.keep

    def keep_and_die(*arguments):
        keep(*arguments)
        os._exit(9)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "keep", keep_and_die)
        assert forked(before, loop.fit, config) == [9] + [1] * (before - 1)
    assert "Elsewhere: the connection to another process is lost" in capfd.readouterr().err
    first = load("changing").log()
    assert first["epoch"].tolist() == [0]
    assert forked(after, loop.fit, config) == [0] * after
    assert "resuming after epoch 1 of 3" in capfd.readouterr().out
    log = load("changing").log()
    assert log["epoch"].tolist() == [0, 1, 2]
    assert log[:1].equals(first)


def test_errors_of_started_processes_are_raised_in_the_parent(home):
    config = Config(**TRAINING | {"name": "held", "devices": 2})
    with runs.alone(config), pytest.raises(TrainingError, match=rf"is being trained by process {os.getpid()} on "):
        loop.fit(config)
    diverging = {"lr": 1e30, "body_lr": 1e30, "warmup_steps": 0, "schedule": "step", "optimizer": "sgd", "clip": 0.0}
    config = Config(**TRAINING | {"name": "diverging", "devices": 2} | diverging)
    with pytest.raises(TrainingError, match=r"epoch 1, step \d+: .*(?s:.)*learning rates: 1e\+30") as caught:
        loop.fit(config)
    assert "visible images of this step: " in str(caught.value)
    kept = runs.folder_of(config) / "checkpoints" / "before-failure.safetensors"
    assert str(kept) in str(caught.value)
    assert kept.exists()


def test_no_process_is_left_when_the_parent_is_killed(home, monkeypatch):
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    values = TRAINING | {"name": "orphan", "devices": 2}
    program = f"import workbook; from fsclib import Config, fit; fit(Config(**{values!r}))"
    _, status = killed([sys.executable, "-c", program], r"^epoch 1/3: ")
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
    failure = together(3, "fsclib.training", *words_of(TRAINING | {"name": "three"}))
    assert failure.count("processes: found 3, expected a divisor of 4, the number of identities per step") == 1
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


def fit_own(*values):
    """Trains with the configuration of this process."""
    loop.fit(Config(**values[int(os.environ["RANK"])]))


def test_processes_with_different_configurations_or_data_are_refused(home, capfd):
    values = TRAINING | {"name": "unequal"}
    assert forked(2, fit_own, values, values | {"epochs": 5}) == [1, 1]
    assert re.search(r"process 1 on \S+: epochs: 5 vs 3", capfd.readouterr().err)
    other = copytree(home / "data/LLCM", home / "other")
    victim = sorted((other / "vis").rglob("*.jpg"))[0]
    victim.write_bytes(sorted((other / "vis").rglob("*.jpg"))[1].read_bytes())
    assert forked(2, fit_own, values, values | {"data_root": str(other)}) == [1, 1]
    assert re.search(r"process 1 on \S+: data_hash: '\w+' vs '\w+'", capfd.readouterr().err)
    assert not (home / "results/llcm/unequal").exists()


def test_a_run_with_per_process_batches(home):
    assert forked(3, loop.fit, Config(**TRAINING | {"name": "own", "batch": "per-process", "epochs": 1, "decay": "1"})) == [0] * 3
    run = load("own")
    assert run.finished
    assert run.environment["processes"] == 3
    # all processes validate the network that process 0 saves, whose BatchNorm has seen only its own images
    images = evaluation.run_images(run)
    images = images.with_records(hold_out(images.records, run.config.seed))
    net = network_of(run.config, checkpoint.state(run.checkpoint("last"))["num_classes"], init=False)
    checkpoint.read(run.checkpoint("last"), net)
    net = net.to(memory_format=torch.channels_last)
    found = validation.validate(net, images, torch.device("cpu"), torch.float32, "holdout")
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
