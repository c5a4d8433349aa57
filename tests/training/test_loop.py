"""Training: the recipe, the files of a run, early refusals, and exact resumption."""

import errno
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file

from fsclib import runs
from fsclib.config import Config
from fsclib.config.specs import DATASETS
from fsclib.config.strict import ConfigError
from fsclib.data.records import DatasetError
from fsclib.runs import RunError, checkpoint
from fsclib.runs.assemble import network_of
from fsclib.training import __main__ as command_line
from fsclib.training import preparation, state
from fsclib.training import steps as steps_module
from fsclib.training.loop import TrainingError, fit
from fsclib.training.settings import settings_of

STEPS = {"identities": 4, "images": 4}  # larger batches than `tiny` has, so that an epoch takes only six steps


@pytest.fixture
def quick(tiny):
    """Builds a configuration of few steps: quick(epochs=1, …)."""
    return lambda **values: tiny(**STEPS | values)


def weights(run, name="last"):
    return load_file(run.checkpoint(name))


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_published_schedule():
    config = Config(dataset="llcm")
    factors = [settings_of(config).optimization.factor(epoch) for epoch in range(config.epochs)]
    assert factors[:10] == pytest.approx([(e + 1) / 10 for e in range(10)])
    assert factors[10:20] == [1] * 10
    assert factors[20:80] == pytest.approx([0.1] * 60)
    assert factors[80:] == pytest.approx([0.01] * 70)


def test_neck_and_classifier_have_their_own_learning_rate():
    config = Config(dataset="llcm", backbone="resnet18")
    net = network_of(config, 5, init=False)
    optimization = settings_of(config).optimization
    optimizer = optimization.build(net)
    optimization.set_rates(optimizer, 15)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    expected = {id(net.neck.weight): 0.1, id(net.classifier.weight): 0.1}
    assert rates == {id(p): expected.get(id(p), 0.01) for p in net.parameters() if p.requires_grad}
    assert id(net.neck.bias) not in rates
    for group in optimizer.param_groups:
        assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.9, True, 5e-4)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_optimizer_steps_follow_the_formula(layout):
    """v ← μv + g, w ← w − η(g + μv) with g = ∇ + λw; Nesterov's form of Sutskever et al. (ICML 2013), as torch writes it."""
    torch.manual_seed(0)
    config = Config(dataset="llcm", backbone="resnet18")
    net = network_of(config, 5, init=False).to(memory_format=layout)
    optimizer = settings_of(config).optimization.build(net)
    before = {name: value.detach().double().contiguous() for name, value in net.named_parameters()}
    momenta = dict.fromkeys(before, 0.0)
    for _ in range(3):
        optimizer.zero_grad(set_to_none=True)
        (net(*torch.randn(2, 2, 3, 64, 32)).logits ** 2).mean().backward()
        for name, parameter in net.named_parameters():
            if not parameter.requires_grad:
                continue
            rate = 0.1 if name in ("neck.weight", "classifier.weight") else 0.01
            gradient = parameter.grad.double().contiguous() + 5e-4 * before[name]
            momenta[name] = 0.9 * momenta[name] + gradient
            before[name] = before[name] - rate * (gradient + 0.9 * momenta[name])
        optimizer.step()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.detach().double().contiguous(), before[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_a_run_has_all_its_files_and_metadata(home, quick, dataset):
    run = fit(quick(dataset=dataset, epochs=1))
    assert run.folder == home / "results" / dataset / run.config.name
    expected = {"config.json", "log.csv", "metrics.json", "checkpoints", "tables", "embeddings"}
    assert expected <= {path.name for path in run.folder.iterdir()}
    assert {p.name for p in (run.folder / "checkpoints").iterdir()} == {"last.safetensors", "best.safetensors"}
    log = run.log()
    assert log["epoch"].tolist() == [0]
    parts = log["identity"] + log["triplet"] + run.config.cpm_weight * log["cpm"] + 0.01 * log["orthogonality"]
    assert log["total"].tolist() == pytest.approx(parts.tolist(), rel=1e-5)
    assert run.metrics["select_on"] == "last"
    assert run.metrics["skipped"] == 0
    assert run.environment["data_hash"]
    assert run.environment["packages"]["torch"]


def test_a_finished_run_is_not_trained_again(copied, capsys):
    config = copied(epochs=1, **STEPS).config
    folder = runs.folder_of(config)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert fit(config).folder == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert "is complete; nothing to train" in capsys.readouterr().out


def test_the_same_run_twice_gives_the_same_numbers(home, quick, trained):
    first, second = trained(**STEPS), fit(quick(name="second"))
    assert_same(weights(first), weights(second))
    assert first.metrics == second.metrics
    short, other = weights(trained(epochs=1, **STEPS)), weights(fit(quick(epochs=1, seed=1)))
    assert any(not torch.equal(value, other[name]) for name, value in short.items())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_equals_an_uninterrupted_one(home, quick, trained, monkeypatch, precision):
    values = {"select_on": "holdout", "validate_every": 1, "precision": precision}
    uninterrupted = trained(**STEPS, **values)
    steps = steps_module.training_steps

    def interrupted(net, optimizer, settings, pixels, rows, sampler, epoch, *rest):
        for number, parts in enumerate(steps(net, optimizer, settings, pixels, rows, sampler, epoch, *rest)):
            if (epoch, number) == (1, 2):
                raise KeyboardInterrupt
            yield parts

    config = quick(name="interrupted", **values)
    with monkeypatch.context() as patch:
        patch.setattr(state, "training_steps", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(config)
    assert not (home / "results/llcm/interrupted/metrics.json").exists()
    resumed = fit(config)
    assert_same(weights(uninterrupted), weights(resumed))
    assert_same(weights(uninterrupted, "best"), weights(resumed, "best"))
    assert uninterrupted.metrics == resumed.metrics
    assert uninterrupted.log().drop(columns="seconds").equals(resumed.log().drop(columns="seconds"))


def test_the_best_checkpoint_is_chosen_by_select_on(trained):
    for select_on, column in (("holdout", "val_map"), ("test", "val_rank1")):
        run = trained(**STEPS, select_on=select_on, validate_every=1, precision="float32")
        best = int(run.log()[column].to_numpy().argmax())
        assert checkpoint.state(run.checkpoint("best"))["epoch"] == best
        assert run.metrics["epoch"] == best + 1
        assert run.metrics["test_selected"] == (select_on == "test")
    run = trained(**STEPS)
    assert run.config.select_on == "last"
    assert checkpoint.state(run.checkpoint("best"))["epoch"] == run.config.epochs - 1
    assert "val_map" not in run.log()


def test_held_out_identities_are_not_trained_on(trained):
    everyone = trained(**STEPS)
    without = trained(**STEPS, select_on="holdout", validate_every=1, precision="float32")
    classes = [checkpoint.state(run.checkpoint("last"))["num_classes"] for run in (everyone, without)]
    assert classes[0] - classes[1] == 2


def test_another_configuration_of_the_same_name_is_refused_before_decoding(quick, copied, monkeypatch):
    taken = copied(epochs=1, **STEPS).config.name
    monkeypatch.setattr(preparation, "images_of", lambda config: pytest.fail("decoded"))
    with pytest.raises(RunError, match=r"epochs: 1 vs 2"):
        fit(quick(epochs=2, name=taken))


def test_resume_false_starts_over_and_keeps_the_old_run(quick, copied):
    again = copied(epochs=1, **STEPS).config.name
    run = fit(quick(epochs=2, name=again, resume=False))
    assert len(run.log()) == 2
    assert (run.folder.parent / f"{again}.old-1" / "metrics.json").exists()


def test_a_full_disk_keeps_the_previous_checkpoint(home, quick, trained, monkeypatch):
    from fsclib.system import storage

    flush, written = storage._flush, []

    def full(path):
        if path.name.startswith("last"):
            written.append(path)
            if len(written) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        flush(path)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "_flush", full)
        with pytest.raises(checkpoint.CheckpointError, match="No space left on device"):
            fit(quick(name="full"))
    assert checkpoint.state(home / "results/llcm/full/checkpoints/last.safetensors")["epoch"] == 0
    assert_same(weights(trained(**STEPS)), weights(fit(quick(name="full"))))


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(home, quick, monkeypatch):
    from fsclib import losses

    steps = steps_module.training_steps

    def spoilt(net, optimizer, settings, pixels, rows, sampler, epoch, *rest):
        for parts in steps(net, optimizer, settings, pixels, rows, sampler, epoch, *rest):
            yield losses.Parts(*(part * (float("nan") if epoch == 1 else 1) for part in parts))

    monkeypatch.setattr(state, "training_steps", spoilt)
    with pytest.raises(TrainingError, match="epoch 2, step 1: the loss is not finite"):
        fit(quick(name="spoilt"))
    assert checkpoint.state(home / "results/llcm/spoilt/checkpoints/last.safetensors")["epoch"] == 0


def test_missing_imagenet_weights_are_noticed_before_decoding(home, tiny, monkeypatch, tmp_path):
    from urllib.error import URLError

    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setattr(preparation, "images_of", lambda config: pytest.fail("decoded"))
    with pytest.raises(FileNotFoundError, match="init=none"):
        fit(tiny(init="imagenet", backbone="resnet18"))
    assert not list((home / "results").rglob("config.json"))


def test_a_run_is_trained_by_one_process_at_a_time(home, tiny):
    config = tiny(name="shared")
    with runs.alone(config), pytest.raises(RunError, match=rf"is being trained by process {os.getpid()} on \S+ since \d{{4}}-"):
        fit(config)
    assert not (home / "results/llcm/shared").exists()


def test_weights_that_are_not_finite_are_not_saved(home, quick, monkeypatch):
    steps = steps_module.training_steps

    def spoilt(net, *rest):
        yield from steps(net, *rest)
        if rest[5] == 1:
            net.classifier.weight.data[0, 0] = float("inf")

    monkeypatch.setattr(state, "training_steps", spoilt)
    with pytest.raises(TrainingError, match=r"epoch 2, step \d+: weights are not finite after this step \(classifier.weight"):
        fit(quick(name="spoilt"))
    assert checkpoint.state(home / "results/llcm/spoilt/checkpoints/last.safetensors")["epoch"] == 0


def test_too_few_identities_are_noticed_before_decoding(home, tiny, monkeypatch):
    monkeypatch.setattr(preparation, "images_of", lambda config: pytest.fail("decoded"))
    with pytest.raises(ValueError, match="identities, expected at least 500"):
        fit(tiny(identities=500))


def test_broken_files_are_listed_together_or_skipped_and_counted(home, quick, tmp_path):
    root = tmp_path / "broken"
    shutil.copytree(home / "data" / DATASETS["llcm"].folder, root)
    index = root / "idx/train_vis.txt"
    lines = index.read_text().splitlines()
    truncated, empty = (root / lines[row].split()[0] for row in (0, 1))
    truncated.write_bytes(truncated.read_bytes()[:200])
    empty.write_bytes(b"")
    index.write_text("\n".join([*lines, "vis/nowhere.jpg"]) + "\n")
    with pytest.raises(DatasetError) as error:
        fit(quick(data_root=str(root)))
    for part in (lines[0].split()[0], f"idx/train_vis.txt:{len(lines) + 1}", lines[1].split()[0]):
        assert part in str(error.value)
    assert not list((home / "results").rglob("config.json"))

    run = fit(quick(data_root=str(root), strict=False, epochs=1))
    assert run.metrics["skipped"] == 3
    assert sum(run.metrics["skipped_by_kind"].values()) == 3


@pytest.mark.parametrize(
    ("layout", "gone", "message", "reason"),
    [
        ("sysu", "cam[12]", "no query of sysu indoor", "cam1"),
        ("llcm", "nir/*[2-9]", "identities, expected at least 6", "nir/"),
    ],
)
def test_an_unusable_data_set_is_refused_with_its_missing_files(home, tiny, tmp_path, monkeypatch, layout, gone, message, reason):
    """Missing folders: of a protocol's cameras, of nearly all infrared training identities."""
    root = tmp_path / "broken"
    shutil.copytree(home / "data" / DATASETS[layout].folder, root)
    for folder in root.glob(gone):
        shutil.rmtree(folder)
    monkeypatch.setattr(preparation, "images_of", lambda config: pytest.fail("decoded"))
    with pytest.raises((DatasetError, ValueError)) as error:
        fit(tiny(dataset=layout, data_root=str(root), identities=6))
    _, *rest = str(error.value).splitlines()
    assert message in str(error.value)
    assert any(reason in line for line in rest)


def test_bfloat16_gives_roughly_the_same_losses(trained):
    full, half = trained(epochs=1, **STEPS), trained(epochs=1, **STEPS, precision="bfloat16")
    assert half.environment["precision"] == "bfloat16"
    assert half.log()["identity"][0] == pytest.approx(full.log()["identity"][0], rel=0.05)
    assert all(value.dtype != torch.bfloat16 for value in weights(half).values())


def test_command_line_arguments():
    assert command_line.literal("5") == 5
    assert command_line.literal("1e-4") == 1e-4
    assert command_line.literal("llcm") == "llcm"
    with pytest.raises(SystemExit, match="usage: python"):
        command_line.main(["--epochs"])
    with pytest.raises(ConfigError, match="body_lr: given 2 times, expected once"):
        command_line.main(["--body-lr", "0.1", "--epochs", "2", "--body_lr", "0.2"])
