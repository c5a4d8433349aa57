"""Options of a recipe beyond the published one: schedules, ramps, further losses, other optimisers, other images."""

import math

import numpy as np
import pytest
import torch

import fsclib
from fsclib.config import Config, presets
from fsclib.data.attributes import Targets
from fsclib.data.sampler import IdentitySampler
from fsclib.losses import LossWeights
from fsclib.runs.assemble import network_of
from fsclib.system.processes import ALONE
from fsclib.training import loop, preparation, state, steps
from fsclib.training import steps as steps_module
from fsclib.training.loop import fit
from fsclib.training.objective import Objective
from fsclib.training.settings import settings_of

LEARNING = {
    "optimizer": "adamw", "schedule": "cosine", "warmup": 0, "warmup_steps": 2, "lr": 1e-3, "body_lr": 6e-4, "clip": 5.0,
    "label_smoothing": 0.1, "metric_on": "neck", "infonce_weight": 1.0, "attributes_weight": 2.0, "ramp_from": 2, "ramp_steps": 3,
    "channel": 0.3, "pseudo_infrared": 0.3, "jitter": 0.15,
}  # fmt: skip


def test_cosine_falls_from_the_learning_rate_to_a_hundredth_of_it():
    config = Config(dataset="llcm", schedule="cosine", warmup=0, warmup_steps=0, epochs=4)
    factors = [settings_of(config).optimization.factor(epoch, step, 25) for epoch in range(4) for step in range(25)]
    assert factors[0] == 1
    assert factors[50] == pytest.approx(0.01 + 0.99 / 2)
    assert factors[25] == pytest.approx(0.01 + 0.99 * (1 + math.cos(math.pi / 4)) / 2)
    assert factors[-1] == pytest.approx(0.01, abs=1e-3)
    assert factors == sorted(factors, reverse=True)


def test_a_cosine_at_the_scale_of_the_papers_follows_their_warm_up():
    config = Config(dataset="sysu", schedule="cosine")
    factors = [settings_of(config).optimization.factor(epoch) for epoch in range(150)]
    assert factors[:10] == pytest.approx([(epoch + 1) / 10 for epoch in range(10)])
    assert factors[10:] == pytest.approx([0.01 + 0.99 * (1 + math.cos(math.pi * epoch / 150)) / 2 for epoch in range(10, 150)])
    assert config.departures() == {"schedule": "cosine"}


def test_warm_up_counts_steps_across_epochs():
    config = Config(dataset="llcm", schedule="step", warmup=0, warmup_steps=30, decay="none")
    factors = [settings_of(config).optimization.factor(epoch, step, 20) for epoch in range(3) for step in range(20)]
    assert factors[:30] == pytest.approx([(s + 1) / 30 for s in range(30)])
    assert factors[30:] == [1] * 30


def test_pair_mining_and_orthogonality_are_ramped_in():
    full = LossWeights(cpm=0.8, orthogonality=0.1)
    objective = Objective("fsc", full, ramp_from=10, ramp_steps=4)
    shares = [objective.weights_at(step).cpm / 0.8 for step in (0, 10, 11, 13, 14, 99)]
    assert shares == pytest.approx([0, 0, 0.25, 0.75, 1, 1])
    assert objective.weights_at(12).orthogonality == pytest.approx(0.05)
    assert objective.weights_at(12).triplet_margin == full.triplet_margin
    at_once = Objective("fsc", full, ramp_from=10, ramp_steps=0)
    assert [at_once.weights_at(step).cpm for step in (9, 10)] == [0, 0.8]
    published = settings_of(Config(dataset="llcm")).objective
    assert published.weights_at(0) is published.weights == LossWeights()


def taken(config, count=3, **options):
    """Loss parts of the first `count` steps of an epoch on random pixels, and the network after it."""
    labels, modalities = np.repeat(np.arange(4), 8), np.tile(["visible", "infrared"], 16)
    sampler = IdentitySampler(labels, modalities, config.identities, config.images, config.seed)
    pixels = np.random.default_rng(0).integers(0, 256, (32, config.height, config.width, 3), dtype=np.uint8)
    torch.manual_seed(0)
    attributes = Targets(np.array([[0, 1], [1, 2], [0, 0], [1, 1]]), ("hat", "bag"), (2, 3)) if config.attributes_weight else None
    net = network_of(config, 4, init=False, attributes=5 if attributes else 0)
    settings, rows = settings_of(config), np.arange(32)
    optimizer = settings.optimization.build(net)
    parts = list(steps.training_steps(net, optimizer, settings, pixels, rows, sampler, 0, torch.float32, attributes=attributes))
    return parts[:count], net


@pytest.mark.parametrize("network", presets.NETWORKS)
@pytest.mark.parametrize("backbone", ["resnet18-half", "resnet18"])
def test_every_network_trains_with_all_options(tiny, network, backbone):
    parts, _ = taken(tiny(network=network, backbone=backbone, stages=4, **LEARNING))
    last = parts[-1]
    assert all(torch.isfinite(torch.stack(part)).all() for part in parts)
    assert last.infonce > 0
    assert last.attributes > 0
    assert 0 <= last.triplet_active <= 1
    assert -1 <= last.neck_cosine <= 1
    views = network in ("fsc", "deen")
    assert (last.cpm > 0) == views


@pytest.mark.parametrize(
    ("network", "backbone"), [("fsc", "timm/test_resnet"), ("agw", "timm/test_efficientnet"), ("twostream", "timm/test_vit")]
)
def test_networks_train_on_backbones_of_timm(tiny, network, backbone):
    pytest.importorskip("timm", reason="backbones of timm need the extra timm")
    parts, net = taken(tiny(network=network, backbone=backbone, stages=4, **LEARNING))
    assert all(torch.isfinite(torch.stack(part)).all() for part in parts)
    torch.manual_seed(0)
    start = network_of(tiny(network=network, backbone=backbone, stages=4), 4, init=False).state_dict()
    assert not torch.equal(net.state_dict()[(name := next(n for n in start if n.startswith("layers.")))], start[name])


def test_the_total_is_the_sum_of_its_weighted_parts(tiny):
    config = tiny(**LEARNING)
    first, *_ = taken(config)[0]
    expected = first.identity + first.triplet + config.infonce_weight * first.infonce + config.attributes_weight * first.attributes
    assert float(first.total) == pytest.approx(float(expected))  # before the ramp


def test_the_first_epochs_can_use_smaller_images(tiny, monkeypatch):
    seen = []
    whole = steps.reduced
    monkeypatch.setattr(steps, "reduced", lambda images: seen.append(whole(images).shape[2:]) or whole(images))
    taken(tiny(height=128, width=48, small_epochs=1))
    assert set(seen) == {(96, 32)}
    seen.clear()
    taken(tiny(height=128, width=48))
    assert not seen
    flat = torch.full((1, 3, 192, 72), 0.5)
    assert whole(flat).shape == (1, 3, 128, 48)
    assert torch.allclose(whole(flat), flat[:, :, :128, :48])
    assert whole(flat[:, :, :96]).shape == (1, 3, 96, 72)


def test_published_recipes_have_no_further_losses(tiny):
    first, *_ = taken(tiny(network="twostream", stages=4))[0]
    assert float(first.infonce) == float(first.attributes) == 0
    assert float(first.total) == pytest.approx(float(first.identity + first.triplet))


def test_clipping_bounds_the_gradient(tiny):
    plain = {"momentum": 0.0, "weight_decay": 0.0, "lr": 1.0, "body_lr": 1.0, "warmup": 0}
    free, clipped = (taken(tiny(clip=clip, **plain), 1)[1] for clip in (0.0, 1e-3))
    torch.manual_seed(0)
    start = network_of(tiny(), 4, init=False)
    moved = [sum(float((a - b).detach().square().sum()) for a, b in zip(net.parameters(), start.parameters(), strict=True)) ** 0.5
             for net in (free, clipped)]  # fmt: skip
    assert moved[1] < 1e-3 * 20 < moved[0]


def test_the_attribute_head_learns_at_the_rate_of_neck_and_classifier(tiny):
    config = tiny(**LEARNING)
    net = network_of(config, 4, init=False, attributes=5)
    head, body = settings_of(config).optimization.build(net).param_groups
    assert {id(p) for p in net.attributes.parameters()} <= {id(p) for p in head["params"]}
    assert len(head["params"]) + len(body["params"]) == sum(p.requires_grad for p in net.parameters())


def test_a_resumed_adamw_run_equals_an_uninterrupted_one(home, tiny, monkeypatch):
    options = {**LEARNING, "epochs": 2, "identities": 4, "images": 4}
    whole = fit(tiny(**options, name="whole"))
    taken_steps = steps_module.training_steps

    def stops(net, optimizer, settings, pixels, rows, sampler, epoch, *rest):
        if epoch == 1:
            raise KeyboardInterrupt
        return taken_steps(net, optimizer, settings, pixels, rows, sampler, epoch, *rest)

    broken = tiny(**options, name="broken")
    with monkeypatch.context() as patch:
        patch.setattr(state, "training_steps", stops)
        with pytest.raises(KeyboardInterrupt):
            fit(broken)
    resumed = fit(broken)
    states = [loop.checkpoint.network(run.checkpoint("last")) for run in (whole, resumed)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    columns = ["infonce", "attributes", "triplet_active", "neck_cosine"]
    assert resumed.log()[columns].equals(whole.log()[columns])
    assert (whole.log()["attributes"] > 0).all()


def test_a_run_with_a_transformer_resumes_and_is_loaded(home, tiny):
    pytest.importorskip("timm", reason="backbones of timm need the extra timm")
    options = {"network": "twostream", "stages": 4, "backbone": "timm/test_vit"}
    run = fit(tiny(**options, epochs=1))
    assert run.finished
    assert fsclib.load(run.folder).embed([np.zeros((70, 30, 3), np.uint8)], "infrared").shape == (1, 128)
    last = run.checkpoint("last")
    net = network_of(run.config, loop.checkpoint.state(last)["num_classes"], init=False)
    loop.checkpoint.read(last, net)
    saved = loop.checkpoint.network(last)
    assert all(torch.equal(value, saved[name]) for name, value in net.state_dict().items())
    with pytest.raises(ValueError, match="expected timm/test_resnet; choose another run or backbone"):
        fit(tiny(**options | {"backbone": "timm/test_resnet"}, init=f"llcm/{run.config.name}", name="other"))


def test_images_that_a_backbone_of_timm_cannot_take_are_refused_before_training(home, tiny):
    pytest.importorskip("timm", reason="backbones of timm need the extra timm")
    with pytest.raises(ValueError, match=r"images of 64×24 cannot pass FSCNet with backbone 'timm/test_convnext'"):
        fit(tiny(backbone="timm/test_convnext", stages=4))
    with pytest.raises(ValueError, match=r"found 'timm/test_resnett', .* did you mean 'timm/test_resnet'"):
        fit(tiny(backbone="timm/test_resnett"))
    assert not list(home.glob("results/**/config.json"))


def test_visible_streams_use_only_visible_images(home, tiny):
    config = tiny(network="twostream", stages=4, streams="visible", epochs=1)
    images, chosen, sampler = preparation.prepared(config, ALONE)
    assert set(images.records["modality"].to_numpy()[chosen]) == {"visible"}
    assert len(chosen) == 2 * (images.records["modality"].eq("visible") & images.records["split"].eq("train")).sum()
    visible, infrared, labels = sampler.epoch(0)
    identity = images.records["identity"].to_numpy()[chosen]
    assert (np.searchsorted(np.unique(identity), identity[visible]) == labels).all()
    assert (np.searchsorted(np.unique(identity), identity[infrared]) == labels).all()
    assert fit(config).finished


def test_attributes_weight_is_refused_for_data_without_attributes(home, tiny, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    source = home / "data" / "LLCM"
    for entry in source.iterdir():
        if entry.name != "attributes.csv":
            (bare / entry.name).symlink_to(entry)
    with pytest.raises(ValueError, match=r"attributes_weight: found 1\.0, but .*bare has no attributes\.csv"):
        fit(tiny(data_root=str(bare), attributes_weight=1.0))


def test_a_run_can_start_from_another_run(home, tiny):
    first = fit(tiny(network="twostream", stages=4, name="first", epochs=1))
    config = tiny(network="fsc", stages=4, init="llcm/first", epochs=1, lr=0.0, body_lr=0.0, weight_decay=0.0)
    started = loop.checkpoint.network(fit(config).checkpoint("last"))
    ended = loop.checkpoint.network(first.checkpoint("best"))
    weights = [name for name in ended if name.endswith("weight") and "running" not in name]
    assert [name for name in weights if not torch.equal(started[name], ended[name])] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"init": "llcm/nobody"}, "no run 'nobody' of 'llcm'"),
        ({"init": "imagenet"}, "found 'imagenet' with backbone 'resnet18-half', expected one of resnet18, resnet34"),
        ({"init": "people/nobody"}, "weights: found 'people/nobody', expected one of people"),
    ],
)
def test_missing_weights_are_refused_before_training(home, tiny, values, message):
    with pytest.raises((ValueError, RuntimeError)) as error:
        fit(tiny(**values))
    assert message in str(error.value)
    assert not (home / "results").exists() or not list((home / "results").rglob("config.json"))
