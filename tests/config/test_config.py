"""Every value that a notebook or a shell can pass is accepted as written, or refused by name."""

import copy
import dataclasses
import json
import pickle
import re
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fsclib.config import Config, ConfigError, presets
from fsclib.config.presets import AUGMENTATIONS, SCALES
from fsclib.config.schema import difference
from fsclib.config.specs import DATASETS
from fsclib.config.strict import AUTO
from fsclib.models.fsc import MODULES, PUBLISHED
from fsclib.models.networks import NETWORKS

FIELDS = {f.name: f for f in dataclasses.fields(Config)}
TYPES = get_type_hints(Config)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 200)
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["auto", "none", "1e-4", "20,80", "frequency, spatial", "~", "~nobody/here", "cuda:1", "²", "٣"])
    | st.sampled_from(["\0", "\ud800"])
    | st.sampled_from([10**400, 10**5000, "9" * 5000, b"llcm", np.float64(0.1), np.int64(3), np.str_("llcm"), np.ones(2), object])
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.tuples(SCALARS) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)

# values of init that valid() draws and that are no paths
KEPT = ("none", "imagenet", "people", "people/fsc", "demo/x", "llcm/fsc-paper.seed-0")

# field or unknown name → a value that is wrong regardless of the others
WRONG = {
    "dataset": "lcm",
    "epoch": 5,
    "batch_size": 48,
    "epochs": 5.0,
    "lr": "abc",
    "body_lr": "1e-4",
    "momentum": float("nan"),
    "weight_decay": float("inf"),
    "erase_min": -0.1,
    "trial": True,
    "strict": 1,
    "height": 100,
    "decay": [80, 20],
    "modules": ["frequency", "chanel"],
    "name": "../elsewhere",
    "device": "gpu",
    "data_root": "\0",
}


def problems_of(**values):
    with pytest.raises(ConfigError) as caught:
        Config(**values)
    return caught.value.problems


def meaning(name, value):
    """The meaning of a value that `name` accepts, derived without the library."""
    if value == "auto":
        return None
    if name == "dataset" and value not in DATASETS:  # one's own images, named after their folder
        return re.sub("[^A-Za-z0-9._-]+", "-", Path(value).expanduser().resolve().name) or "own"
    if get_args(TYPES[name]):
        if isinstance(value, str):
            value = [] if value in ("", "none") else [part.strip() for part in value.split(",")]
            value = [int(part) for part in value] if name == "decay" else value
        return tuple(value) if isinstance(value, (list, tuple)) else (value,)
    path = (name == "data_root" and value) or (name == "init" and value not in KEPT)
    return str(Path(value).expanduser().absolute()) if path else value


def valid(name):
    """Strategy of values that a field accepts, alone and together with those of other fields."""
    f = FIELDS[name]
    choices, low, high = (f.metadata[key] for key in ("choices", "low", "high"))
    special = {
        "decay": st.sets(st.integers(1, 150), max_size=3).map(sorted),
        "modules": st.lists(st.sampled_from(list(MODULES)), unique=True),
        "height": st.integers(2, 32).map(lambda n: 32 * n),
        "erase_min": st.floats(0, 0.02),
        "erase_max": st.floats(0.8, 1),
        "name": st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True).filter(lambda name: name != AUTO),
        "init": st.sampled_from([*KEPT, "/x.pth", "~/x.pth", "."]),
        "parent": st.sampled_from(["", "first", "fsc-paper-seed0"]),
        "trial": st.just(1),
        "devices": st.just(1),  # more devices would have to divide the identities
        "network": st.just("fsc"),
        "streams": st.just("both"),  # amplitude_swap needs both
        "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:0", "cuda:12"]),
        "data_root": st.sampled_from(["", "here", "~/data", "/data/with space", "../up"]),
    }
    if name in special:
        return special[name]
    if choices:
        return st.sampled_from(list(choices))
    numbers = {int: st.integers(low, high), float: st.floats(low or 0, high if high is not None else 1e3), bool: st.booleans()}
    return numbers[TYPES[name]]


@settings(deadline=None, max_examples=600)
@given(name=st.sampled_from(sorted(FIELDS)), value=VALUES)
@example(name="decay", value=20)
@example(name="decay", value="20,80")
@example(name="modules", value="frequency")
@example(name="modules", value="none")
@example(name="lr", value=1)
@example(name="erase_max", value=0)
@example(name="dataset", value="~")
@example(name="dataset", value="/")
@example(name="init", value="")
@example(name="init", value=" ")
@example(name="init", value=".")
@example(name="init", value="~")
@example(name="init", value="/")
def test_a_value_is_accepted_as_written_or_refused_by_name(name, value):
    try:
        config, refusal = Config(**{name: value}), None
    except ConfigError as error:
        refusal = error
    if refusal:
        assert [p for p in refusal.problems if p.startswith(f"{name}: ") or f" {name}, " in p]
        assert len(str(refusal)) < 3000
        return
    kept = getattr(config, name)
    kinds = get_args(TYPES[name])
    assert type(kept) is (tuple if kinds else TYPES[name])
    assert all(type(item) is kinds[0] for item in (kept if kinds else ()))
    expected = meaning(name, value)
    assert kept == expected if expected is not None else kept != AUTO or name in ("device", "precision")
    assert Config(**json.loads(json.dumps(config.to_dict()))) == config


@settings(deadline=None, max_examples=150)
@given(st.fixed_dictionaries({}, optional={name: valid(name) for name in FIELDS}))
def test_valid_values_are_kept_and_survive_json(values):
    config = Config(**values)
    assert [n for n, value in values.items() if value != AUTO and getattr(config, n) != meaning(n, value)] == []
    assert Config(**config.to_dict()) == config
    assert Config(**json.loads(json.dumps(config.to_dict()))) == config
    assert pickle.loads(pickle.dumps(config)) == config == copy.copy(config)


@settings(deadline=None, max_examples=150)
@given(st.sets(st.sampled_from(sorted(WRONG)), min_size=1))
def test_all_problems_are_reported_at_once(names):
    problems = problems_of(**{name: WRONG[name] for name in names})
    listing = [p for p in problems if p.startswith("valid parameters are")]
    assert sorted(p.split(": ")[0] for p in problems if p not in listing) == sorted(names)
    assert bool(listing) == bool(names - FIELDS.keys())


def test_an_unknown_name_is_refused_with_the_nearest_and_all_valid_ones():
    first, last = problems_of(epoch=5)
    assert first == "epoch: no such parameter, did you mean 'epochs'?"
    assert all(name in last for name in FIELDS)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"dataset": "lcm"}, ["'lcm'", "demo, sysu, regdb, llcm", "did you mean 'llcm'?"]),
        ({"lr": "abc"}, ["'abc' (str)", "a number"]),
        ({"lr": "1e-4"}, ["'1e-4'", "YAML", "1.0e-4"]),
        ({"lr": -0.1}, ["-0.1", "at least 0"]),
        ({"lr": float("inf")}, ["inf", "finite"]),
        ({"epochs": 5.0}, ["5.0 (float)", "a whole number"]),
        ({"epochs": -1}, ["found -1", "at least 0"]),
        ({"trial": True}, ["True (bool)", "a whole number"]),
        ({"resume": 0}, ["0 (int)", "True or False"]),
        ({"name": 5}, ["5 (int)", "text", "-r name 5"]),
        ({"name": "a/b"}, ["'a/b'", "not a path"]),
        ({"modules": "frequency,spatia"}, ["'spatia'", "did you mean 'spatial'?"]),
        ({"modules": ["channel", "channel"]}, ["at most once"]),
        ({"decay": "20,x"}, ["'x' (str)", "a whole number"]),
        ({"decay": [80, 20]}, ["(80, 20)", "ascending"]),
        ({"momentum": "auto"}, ["'auto'", "a number"]),
        ({"network": "auto"}, ["no preset", "fsc, deen, agw, bdtr, twostream, onestream, zeropad"]),
        ({"modules": ["channel"], "network": "deen"}, ["'deen'", "has none"]),
        ({"modules": ["channel"], "network": "agw"}, ["'agw'", "has none"]),
        ({"branches": 1, "network": "twostream"}, ["found 1", "'twostream'", "has none"]),
        ({"branches": 3}, ["found 3", "at most 2"]),
        ({"stages": 3, "network": "agw"}, ["found 3", "'agw'", "expected 4"]),
        ({"loss": "agw", "network": "bdtr"}, ["'agw'", "defined by its loss", "'twostream'"]),
        ({"backbone": "timm/resnet18", "network": "zeropad"}, ["'timm/resnet18'", "expected one of resnet18-half", "two"]),
        ({"amplitude_swap": 0.5, "streams": "visible"}, ["found 0.5", "no infrared images", "streams=both"]),
        ({"augmentation": "fcs"}, ["'fcs'", "plain, fsc, colour", "did you mean 'fsc'?"]),
        ({"erase_min": 0.5, "erase_max": 0.4}, ["0.5", "erase_max, which is 0.4"]),
        ({"trial": 2}, ["found 2", "expected 1, since demo has a single split"]),
        ({"trial": 11}, ["found 11", "at most 10"]),
        ({"init": "regbd/x"}, ["'regbd/x'", "no such file", "of demo, sysu, regdb, llcm, did you mean 'regdb'?"]),
        ({"init": ""}, ["found ''", "expected none, imagenet", "no value"]),
        ({"init": "people/FSC"}, ["'people/FSC'", "people/<network>"]),
        ({"device": "cuda:01"}, ["'cuda:01'", "cuda:N"]),
    ],
)
def test_a_problem_says_what_was_found_and_what_is_expected(values, expected):
    (problem,) = problems_of(**values)
    assert problem.startswith(f"{next(iter(values))}: ")
    assert [part for part in expected if part not in problem] == []


@pytest.mark.parametrize("folder", ["x" * 300, "é" * 150, "/x" * 3000])
def test_a_path_that_is_too_long_is_refused(folder):
    (problem,) = problems_of(data_root=folder)
    assert problem.startswith("data_root: found ")
    assert "the path is too long" in problem


def test_a_long_list_of_wrong_entries_is_abbreviated():
    (problem,) = problems_of(decay=[f"x{number}" for number in range(3000)])
    assert "'x4' (str)" in problem
    assert "x5" not in problem
    assert problem.endswith("; and 2995 more")
    assert problems_of(decay=["x"] * 3000) == problems_of(decay="x")


def test_contradictions_that_follow_from_a_refused_value_are_not_reported():
    assert [p.split(":")[0] for p in problems_of(dataset="regbd", trial=3, erase_min=0.5)] == ["dataset"]


def test_paper_preset_is_the_published_recipe():
    config = Config(dataset="sysu")
    assert (config.optimizer, config.schedule, config.warmup_steps, config.metric_on) == ("sgd", "step", 0, "pooled")
    off = ("clip", "label_smoothing", "ramp_from", "ramp_steps", "infonce_weight", "attributes_weight", "channel", "jitter")
    assert {getattr(config, name) for name in (*off, "pseudo_infrared")} == {0}
    assert config.streams == "both"
    assert (config.epochs, config.identities, config.images) == (150, 6, 4)
    assert (config.lr, config.body_lr, config.warmup, config.decay) == (0.1, 0.01, 10, (20, 80))
    assert (config.height, config.width, config.backbone, config.init) == (384, 144, "resnet50", "imagenet")
    assert (config.momentum, config.weight_decay, config.triplet_margin, config.cpm_margin) == (0.9, 5e-4, 0.3, 0.2)
    assert (config.cpm_weight, config.orthogonality_weight, config.modules) == (0.8, 0.01, PUBLISHED)
    for name in ("sysu", "regdb", "llcm"):
        config = Config(dataset=name)
        assert config.scale == "paper"
        assert config.select_on == "last"
        assert (config.erase_min, config.erase_max) == ((0.2, 0.8) if name == "sysu" else (0.02, 0.4))
        assert config.stages == (3 if name == "regdb" else 4)


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_preset_is_complete_and_valid(dataset, scale, network):
    config = Config(dataset=dataset, scale=scale, network=network)
    assert [name for name, value in config.to_dict().items() if value == AUTO] == ["precision", "device"]
    assert Config(**config.to_dict()) == config


@pytest.mark.parametrize("network", ["agw", "twostream"])
@pytest.mark.parametrize("dataset", ["sysu", "regdb", "llcm"])
def test_baselines_have_the_published_recipe_of_agw(dataset, network):
    config = Config(dataset=dataset, network=network)
    assert (config.height, config.width, config.identities, config.images) == (288, 144, 8, 4)
    assert (config.epochs, config.warmup, config.decay, config.padding) == (80, 10, (20, 50), 10)
    assert (config.loss, config.grayscale, config.erase, config.stages, config.modules) == ("agw", 0, 0, 4, ())


def test_bdtr_has_the_recipe_of_its_program():
    config = Config(dataset="sysu", network="bdtr")
    assert (config.loss, config.identities, config.images, config.height) == ("bdtr", 64, 1, 288)
    assert (config.epochs, config.lr, config.body_lr, config.warmup, config.decay) == (61, 0.01, 0.001, 0, (30, 60))
    assert (config.grayscale, config.erase) == (0, 0)


@pytest.mark.parametrize("network", ["onestream", "zeropad"])
def test_networks_with_a_single_stem_are_trained_with_the_identity_loss(network):
    assert Config(dataset="sysu", network=network).loss == "identity"
    assert Config(network=network).loss == "fsc"  # in the demo all networks but BDTR share their loss


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("scale", SCALES)
def test_an_augmentation_is_the_same_on_every_network(network, scale):
    fields = [*AUGMENTATIONS["plain"], "augmentation"]
    for name, values in AUGMENTATIONS.items():
        config = Config(dataset="llcm", network=network, scale=scale, augmentation=name)
        assert {field: getattr(config, field) for field in fields} == values | {"augmentation": name}
        own = Config(dataset="llcm", network=network, scale=scale).augmentation
        assert config.departures() == ({} if name == own else {"augmentation": name})


def test_a_preset_of_a_network_overrides_its_augmentation(monkeypatch):
    monkeypatch.setitem(presets.NETWORKS, "twostream", ({"erase": 0.2, "stages": 4, "modules": ()}, {}))
    config = Config(dataset="llcm", network="twostream")
    assert (config.augmentation, config.erase, config.departures()) == ("fsc", 0.2, {})
    assert Config(dataset="llcm", network="twostream", augmentation="fsc").erase == 0.5


def test_a_field_that_is_given_overrides_its_augmentation():
    config = Config(augmentation="fsc", erase=0.1)
    assert (config.grayscale, config.erase, config.channel) == (0.5, 0.1, 0)
    assert config.departures() == {"augmentation": "fsc", "erase": 0.1}


def test_the_published_augmentations_of_the_networks():
    found = {name: Config(dataset="sysu", network=name).augmentation for name in NETWORKS}
    assert {name for name, augmentation in found.items() if augmentation == "fsc"} == {"fsc", "deen"}
    assert set(found.values()) == {"fsc", "plain"}


def test_departures_are_the_values_that_differ_from_the_preset():
    assert Config(network="agw", dataset="regdb", trial=3, seed=2, name="x", workers=3).departures() == {}
    assert Config(epochs=3, modules="none", scale="small").departures() == {"epochs": 3, "modules": []}
    assert Config(network="deen", cpm_weight=0.1).departures() == {}  # equal to the preset, given or not


def test_demo_is_small_and_selects_on_held_out_identities():
    config = Config()
    assert (config.dataset, config.scale, config.select_on, config.init) == ("demo", "tiny", "holdout", "people")


def test_a_given_value_overrides_the_preset():
    config = Config(dataset="sysu", scale="small", epochs=3, erase_max=0.5)
    assert (config.epochs, config.erase_max, config.erase_min, config.backbone) == (3, 0.5, 0.2, "resnet18")


def test_a_network_without_modules_has_none():
    assert Config(network="deen").modules == ()
    assert Config(network="fsc", modules="none").modules == ()


def test_the_default_name_includes_the_trial_of_regdb():
    assert Config(dataset="regdb", trial=2, seed=4).name == "fsc-paper-seed4-trial2"
    assert Config(seed=4).name == "fsc-tiny-seed4"


def test_a_relative_data_root_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Config(data_root="corpus")
    assert config.data_root == str(tmp_path / "corpus")
    monkeypatch.chdir("/")
    assert Config(**config.to_dict()) == config


def test_the_recipe_omits_where_and_how_to_run():
    recipe = Config().recipe()
    assert recipe.keys() == FIELDS.keys() - {"name", "data_root", "device", "devices", "workers", "resume", "precision"}
    elsewhere = Config(name="other", device="cpu", workers=2, resume=False, data_root="x", precision="float32")
    assert difference(recipe, elsewhere.recipe()) == []
    assert difference(Config(epochs=9).recipe(), Config(epochs=5).recipe()) == ["epochs: 9 vs 5"]


def test_a_config_error_survives_pickling():
    with pytest.raises(ConfigError) as caught:
        Config(epoch=5, lr="abc")
    copied = pickle.loads(pickle.dumps(caught.value))
    assert str(copied) == str(caught.value)
    assert copied.problems == caught.value.problems


def test_help_has_a_line_for_each_parameter():
    lines = Config.help().splitlines()
    assert [line.split(" = ")[0] for line in lines] == list(FIELDS)
    assert all("(" in line for line, f in zip(lines, FIELDS.values(), strict=True) if f.metadata["choices"])


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().epochs = 3
