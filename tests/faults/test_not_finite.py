"""If a loss is not finite, the run stops, reports the step, its images and learning rates, and keeps the network as it was before
that step, bit for bit."""

import re
from collections import Counter

import pytest
import torch
from safetensors.torch import load_file
from tally import LONG, keep

from fsclib import runs
from fsclib.data.sampler import IdentitySampler
from fsclib.losses import Parts
from fsclib.models import backbone
from fsclib.runs import RunError, checkpoint
from fsclib.runs.assemble import images_of
from fsclib.training import divergence, preparation, state, steps
from fsclib.training import steps as steps_module
from fsclib.training.loop import TrainingError, fit
from fsclib.training.settings import settings_of

NETWORKS = [
    {"network": "fsc"},
    {"network": "deen"},
    {"network": "agw", "stages": 4},
    {"network": "twostream"},
    {"network": "zeropad"},
]
ARITHMETIC = [{"precision": "float32"}, {"precision": "bfloat16"}]
PLACES = [(0, 0), (0, 1), (1, 0), (1, 3), (2, -1)]  # epoch and step, from 0; −1: the last
RATES = [{"lr": 1e30}, {"body_lr": 1e30}, {"lr": 1e308}, {"body_lr": 1e12, "warmup": 0}]


def seen(config):
    """The sampler of a training, the paths of the images it draws from, and their folder."""
    images = images_of(config)
    _, chosen, sampler = preparation.training_set(images.dataset, config)
    return sampler, images.records["path"].to_numpy()[chosen], images.dataset.root


def stopped_before(monkeypatch, config, epoch, step):
    """The tensors that a run has just before a step of an epoch, from a checkpoint written there."""
    original = steps_module.training_steps

    def interrupted(net, optimizer, settings, pixels, rows, sampler, now, *rest):
        for number, parts in enumerate(original(net, optimizer, settings, pixels, rows, sampler, now, *rest), 1):
            yield parts
            stop(net, optimizer, now, number)

    def stop(net, optimizer, now, number):
        if (now, number) == (epoch, step):
            checkpoint.write(runs.folder_of(config) / "here", net, optimizer, {})
            raise KeyboardInterrupt

    def stopped_at_once(net, optimizer, settings, pixels, rows, sampler, now, *rest):
        stop(net, optimizer, now, 0)
        return interrupted(net, optimizer, settings, pixels, rows, sampler, now, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(state, "training_steps", stopped_at_once)
        with pytest.raises(KeyboardInterrupt):
            fit(config)
    return load_file(runs.folder_of(config) / "here")


def poison(monkeypatch, epoch, step):
    """Makes one pixel in the batch of a step NaN, each time that step is taken."""
    drawn, read, now = IdentitySampler.epoch, steps.batches, []

    def epoch_of(self, number, process=0):
        now[:] = [number]
        return drawn(self, number, process)

    def poisoned_batches(*args):
        for number, (visible, infrared, labels) in enumerate(read(*args)):
            if (now[0], number) == (epoch, step):
                infrared[1, 0, 5, 5] = float("nan")
            yield visible, infrared, labels

    monkeypatch.setattr(IdentitySampler, "epoch", epoch_of)
    monkeypatch.setattr(steps, "batches", poisoned_batches)


def failed(config):
    """Runs a training that must fail; returns its message, its run, and the epoch and step that the message names."""
    with pytest.raises(TrainingError) as caught:
        fit(config)
    message = str(caught.value)
    epoch, step = map(int, re.match(r"epoch (\d+), step (\d+): ", message).groups())
    return message, runs.load(config.dataset, config.name), (epoch - 1, step - 1)


def check(config, message, run, place):
    """Checks that the message is complete, and that the checkpoint is from just before the failing step."""
    epoch, step = place
    assert all(re.search(rf"\b{part} \S+[,)]", message.splitlines()[0]) for part in Parts._fields)
    factor = settings_of(config).optimization.factor(epoch)
    assert f"{config.lr * factor:.4g} for neck and classifier, {config.body_lr * factor:.4g} for everything else" in message
    sampler, paths, root = seen(config)
    for modality, rows in zip(("visible", "infrared"), sampler.epoch(epoch), strict=False):
        (line,) = (line for line in message.splitlines() if line.startswith(f"{modality} images of this step: "))
        named = line.split(": ", 1)[1].split(", ")
        assert set(named) == set(paths[rows[step]])
        assert all((root / path).is_file() for path in named)
    file = run.checkpoint(divergence.KEPT)
    assert f"from before this step are in {file}\n" in message
    state = checkpoint.state(file)
    assert (state["epoch"], state["step"], state["num_classes"]) == (epoch, step, len(sampler.labels))
    assert all(value.isfinite().all() for value in load_file(file).values())
    last = run.checkpoint("last")
    assert last.exists() == (epoch > 0)
    assert (f"is intact: {last}" if epoch else "no epoch was finished before") in message
    if epoch:
        assert checkpoint.state(last)["epoch"] == epoch - 1
    assert run.log().get("epoch", default=[]).tolist() == list(range(epoch)) if epoch else run.log().empty
    assert not run.finished


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    assert [name for name, value in expected.items() if not torch.equal(found[name], value)] == []


def trials(of, short):
    """Pairs of an arithmetic and an entry of `of`: all, or those of the short form."""
    return [(values, one) for values in ARITHMETIC for one in of] if LONG else [(ARITHMETIC[nth], of[one]) for nth, one in short]


@pytest.mark.parametrize("network", NETWORKS if LONG else NETWORKS[:1], ids=lambda values: values["network"])
def test_pixel_that_is_nan(home, tiny, monkeypatch, network):
    outcomes = Counter()
    for number, (values, (epoch, step)) in enumerate(trials(PLACES, [(1, 3)])):
        config = tiny(name=f"poisoned-{number}", **network, **values)
        step %= seen(config)[0].steps
        expected = stopped_before(monkeypatch, tiny(name=f"reference-{number}", **network, **values), epoch, step)
        with monkeypatch.context() as patch:
            poison(patch, epoch, step)
            message, run, found = failed(config)
        assert found == (epoch, step)
        assert "the loss is not finite (total nan" in message
        check(config, message, run, found)
        assert_same(load_file(run.checkpoint(divergence.KEPT)), expected)
        outcomes["stopped at its loss, and the network before the step kept bit for bit"] += 1
    keep("not finite", f"a pixel, {network['network']}", outcomes)


@pytest.mark.parametrize("network", NETWORKS if LONG else NETWORKS[:1], ids=lambda values: values["network"])
def test_learning_rate_that_is_too_large(home, tiny, monkeypatch, network):
    outcomes = Counter()
    for number, (values, rates) in enumerate(trials(RATES, [(0, 2)])):
        config = tiny(name=f"fast-{number}", **network, **values, **rates)
        message, run, place = failed(config)
        check(config, message, run, place)
        expected = stopped_before(monkeypatch, tiny(name=f"reference-{number}", **network, **values, **rates), *place)
        assert_same(load_file(run.checkpoint(divergence.KEPT)), expected)
        how = "weights" if "weights are not finite" in message else "loss"
        outcomes[f"stopped at its {how}, and the network before the step kept bit for bit"] += 1
    keep("not finite", f"a learning rate, {network['network']}", outcomes)


def test_failure_in_the_first_step_keeps_the_imagenet_weights(home, tiny, monkeypatch):
    torch.manual_seed(5)
    weights = backbone.BACKBONES["resnet18"][0]().state_dict()
    for module in (backbone, preparation):
        monkeypatch.setattr(module, "imagenet_weights", lambda name: weights)
    poison(monkeypatch, 0, 0)
    message, run, place = failed(tiny(name="poisoned", backbone="resnet18", init="imagenet"))
    check(run.config, message, run, place)
    kept = load_file(run.checkpoint(divergence.KEPT))
    assert torch.equal(kept["network.layers.0.0.conv1.weight"], weights["layer1.0.conv1.weight"])


def test_remedies_after_a_failure(home, tiny, monkeypatch):
    """The same training fails again; another learning rate is refused under the same name unless resume=False."""
    wrong = {"name": "again", "lr": 1e30, "epochs": 1}
    first, _, _ = failed(tiny(**wrong))
    assert first.endswith("Lower lr and body_lr, or train with precision=float32, under another name or with resume=False.")
    assert failed(tiny(**wrong))[0] == first
    with pytest.raises(RunError, match=r"lr: 1e\+30 vs .*\n.*resume=False"):
        fit(tiny(name="again", epochs=1))
    run = fit(tiny(name="again", epochs=1, resume=False))
    assert run.finished
    assert not run.checkpoint(divergence.KEPT).exists()


def test_full_disk_does_not_hide_the_failure(home, tiny, monkeypatch):
    def full(*args):
        raise checkpoint.CheckpointError("before-failure: No space left on device")

    monkeypatch.setattr(checkpoint, "write", full)
    message = failed(tiny(name="full", lr=1e30))[0]
    assert "before-failure: No space left on device\n" in message
    assert "visible images of this step: " in message


def test_run_stops_at_the_next_check_within_the_epoch(home, tiny, monkeypatch):
    original, taken = steps_module.training_steps, Counter()

    def counted(net, optimizer, settings, pixels, rows, sampler, epoch, *rest):
        for parts in original(net, optimizer, settings, pixels, rows, sampler, epoch, *rest):
            taken[epoch] += 1
            yield parts

    monkeypatch.setattr(state, "training_steps", counted)
    monkeypatch.setattr(divergence, "LOOK", 2)
    poison(monkeypatch, 0, 2)
    assert failed(tiny(name="poisoned"))[2] == (0, 2)
    assert taken == {0: 4 + 2}  # two checks of two steps, and two steps repeated
