"""Runs that several processes train: what they leave, what ends them, and what is refused."""

import json
import os
import re
import signal
import sys
from shutil import copytree

import pytest
import torch
from listening import of_this_test
from safetensors.torch import load_file
from starting import TRAINING, children, forked, load, start, together, training, words_of
from waiting import until

from fsclib import runs
from fsclib.config import Config, ConfigError
from fsclib.data.records import hold_out
from fsclib.retrieval import evaluation
from fsclib.runs import checkpoint
from fsclib.runs.assemble import network_of
from fsclib.system.locks import held, lock_beside
from fsclib.system.processes import Ranks
from fsclib.training import __main__ as command_line
from fsclib.training import loop, preparation
from fsclib.training.distributed.rendezvous import check_devices, joined
from fsclib.training.loop import TrainingError


def same_weights(first, second):
    there, here = (load_file(run.checkpoint("last")) for run in (first, second))
    return there.keys() == here.keys() and all(torch.equal(value, here[name]) for name, value in there.items())


@pytest.fixture
def undisturbed(home):
    """A run that two processes have trained."""
    assert forked(2, loop.fit, Config(**TRAINING | {"name": "undisturbed"})) == [0, 0]
    return load("undisturbed")


def killed(arguments, after, victim):
    """Runs a command and kills one of its processes, by its place, once it has printed what `after` matches: text and status."""
    process, lines = start(arguments), []
    for line in process.stdout:
        lines.append(line)
        if after and re.search(after, line):
            os.kill(victim(process), signal.SIGKILL)
            after = ""
    return "".join(lines), process.wait(60)


def test_a_run_is_written_once_and_like_any_other(undisturbed, capfd):
    run = undisturbed
    assert run.finished
    assert run.environment["ranks"] == 2
    assert run.log()["epoch"].tolist() == [0, 1, 2]
    assert run.log()["val_map"].notna().all()
    assert {file.name for file in (run.folder / "checkpoints").iterdir()} == {"last.safetensors", "best.safetensors"}
    assert forked(2, loop.fit, run.config) == [0, 0]
    assert capfd.readouterr().out.count("is complete; nothing to train") == 1
    # its test images, which they shared, are those that one process embeds
    shared = load_file(run.folder / "embeddings" / "test.safetensors")
    (run.folder / "embeddings" / "test.safetensors").unlink()
    alone = evaluation.run_features(run, evaluation.run_images(run))
    order, other = shared["rows"].argsort(), alone.rows.argsort()
    assert torch.equal(shared["pool"][:, order], alone.pool[:, other])
    assert torch.equal(shared["neck"][:, order], alone.neck[:, other])


def test_a_dead_process_ends_the_run_and_a_restart_goes_on(undisturbed):
    command = training(TRAINING | {"name": "disturbed", "devices": 2})
    printed, status = killed(command, r"^epoch 1/3: ", lambda process: children(process.pid)[1])
    assert status != 0
    assert "process 1 of the training was killed by SIGKILL" in printed
    run = load("disturbed")
    assert not run.finished
    assert checkpoint.state(run.checkpoint("last"))["epoch"] >= 0
    printed, status = killed(command, r"^epoch 2/3: ", lambda process: children(process.pid)[0])
    assert status != 0
    assert "process 0 of the training was killed by SIGKILL" in printed
    again, status = killed(command, "", None)
    assert status == 0, again
    assert (printed + again).count("resuming after epoch") == 2
    assert same_weights(load("disturbed"), undisturbed)
    assert load("disturbed").metrics == undisturbed.metrics


@pytest.mark.parametrize("counts", [(2, 4), (4, 2)])
def test_a_run_goes_on_with_another_number_of_processes(home, counts, monkeypatch, capfd):
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


def test_a_notebook_starts_the_same_and_shows_its_progress(home, capfd):
    config = Config(**TRAINING | {"name": "started", "devices": 2})
    run = loop.fit(config)
    printed = capfd.readouterr().out
    assert run.finished
    assert run.environment["ranks"] == 2
    assert [f"epoch {number}/3: " in printed for number in (1, 2, 3)] == [True] * 3


def test_what_goes_wrong_in_another_process_is_told_in_the_one_that_started_it(home):
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


def test_nobody_is_left_when_the_process_that_started_them_dies(home, monkeypatch):
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    values = TRAINING | {"name": "orphan", "devices": 2}
    program = f"import workbook; from fsclib import Config, fit; fit(Config(**{values!r}))"
    _, status = killed([sys.executable, "-c", program], r"^epoch 1/3: ", lambda process: process.pid)
    assert status == -signal.SIGKILL
    until(lambda: not held(lock_beside(load("orphan").folder)))
    until(lambda: not of_this_test())
    assert not [*(home / "tmp").iterdir()]
    assert not load("orphan").finished


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"devices": 3}, "devices: found 3, expected a divisor of 4, the number of identities per step"),
        ({"devices": 8}, "devices: found 8, expected"),
        ({"devices": 2, "device": "cuda:1"}, "device: found 'cuda:1' for 2 processes"),
        ({"devices": 0}, "devices: found 0"),
    ],
)
def test_impossible_shares_are_refused_by_name(values, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        Config(**TRAINING | values)
    Config(**TRAINING | {"devices": 3, "batch": "per-rank"})


def test_what_does_not_fit_is_said_once_and_before_any_work(home, tmp_path):
    told = together(3, "fsclib.training", *words_of(TRAINING | {"name": "three"}))
    assert told.count("processes: found 3, expected a divisor of 4, the number of identities per step") == 1
    assert "fsclib/training/" not in told  # no traceback
    assert not (home / "results/llcm/three").exists()


@pytest.mark.parametrize("variable", ["FSCLIB_RESTARTS", "SLURM_RESTART_COUNT"])
def test_nobody_begins_anew_at_each_restart(home, monkeypatch, variable):
    """SLURM and its script start the same words again: resume=False must not be among them where there is something to lose."""
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
        preparation.check(Config(**TRAINING | {"devices": 4}), Ranks(0, 2))


def tell(length):
    with joined(torch.device("cpu")) as ranks:
        assert ranks.told("é" * length if ranks.first else None) == "é" * length


def test_a_text_of_any_length_reaches_all_processes():
    assert forked(2, tell, 1 << 20) == [0, 0]


def of_ranks(*kinds):
    """What processes with these devices and GPUs that they may see say to each other."""

    class Talking(Ranks):
        def texts(self, text):
            return [json.dumps([*told, *(None,) * (4 - len(told))]) for told in kinds]

    return Talking(0, len(kinds))


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ([["cuda", "0", "", 0], ["cpu", "1", ""]], "process 0 has cuda, process 1 cpu; check that every node sees its GPUs"),
        ([["cuda", "0", "", 0], ["cuda", "1", "", 0], ["cuda", "0", "", 0]], "process 2 has the GPU of process 0"),
    ],
)
def test_devices_that_cannot_work_together_are_refused(kinds, told):
    with pytest.raises(ValueError, match=told):
        check_devices(torch.device("cpu"), of_ranks(*kinds))


def test_devices_that_can_work_together_are_taken():
    check_devices(torch.device("cpu"), of_ranks(["cpu", "0", ""], ["cpu", "0", ""]))
    check_devices(torch.device("cpu"), of_ranks(["cuda", "0", "", 0], ["cuda", "0", "", 1], ["cuda", "1", "", 0]))
    check_devices(torch.device("cpu"), of_ranks(["cuda", "0", "0", 0], ["cuda", "0", "1", 0]))  # each sees one, as number 0


def test_processes_with_other_data_are_refused(home):
    words = json.dumps([TRAINING | {"name": "unequal"}, TRAINING | {"name": "unequal", "epochs": 5}])
    assert re.search(r"process 1 on \S+: epochs: 5 vs 3", together(2, "tests.training.distributed.unequal", words))
    other = copytree(home / "data/LLCM", home / "other")
    victim = sorted((other / "vis").rglob("*.jpg"))[0]
    victim.write_bytes(sorted((other / "vis").rglob("*.jpg"))[1].read_bytes())
    words = json.dumps([TRAINING | {"name": "unequal"}, TRAINING | {"name": "unequal", "data_root": str(other)}])
    told = together(2, "tests.training.distributed.unequal", words)
    assert re.search(r"process 1 on \S+: data_hash: '\w+' vs '\w+'", told)
    assert not (home / "results/llcm/unequal").exists()


def test_each_with_a_batch_of_its_own(home):
    assert forked(3, loop.fit, Config(**TRAINING | {"name": "own", "batch": "per-rank", "epochs": 1, "decay": "1"})) == [0] * 3
    run = load("own")
    assert run.finished
    assert run.environment["ranks"] == 3
    # all have validated the network that the first one keeps, whose BatchNorm has seen its own images
    images = evaluation.run_images(run)
    images = images.with_records(hold_out(images.records, run.config.seed))
    net = network_of(run.config, checkpoint.state(run.checkpoint("last"))["num_classes"], pretrained=False)
    checkpoint.read(run.checkpoint("last"), net)
    net = net.to(memory_format=torch.channels_last)
    found = evaluation.validate(net, images, torch.device("cpu"), torch.float32, "holdout")
    assert found == pytest.approx(run.log().iloc[-1][list(found)].to_dict(), rel=1e-12)


def test_a_file_gives_parameters_and_words_overrule_it(home, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(TRAINING | {"epochs": 1, "name": "from-file"}))
    command_line.main(["--config", str(file), "--select-on", "last"])
    run = load("from-file")
    assert (run.config.epochs, run.config.select_on) == (1, "last")
    command_line.main(["--config", str(run.folder / "config.json")])  # which is complete
    for content in ("[1]", "{", '"x"'):
        file.write_text(content)
        with pytest.raises(ValueError, match=r"mine\.json"):
            command_line.main(["--config", str(file)])
    with pytest.raises(ValueError, match="cannot be read"):
        command_line.main(["--config", str(tmp_path / "nowhere.json")])
