"""Every field of a configuration that training steps depend on reaches them, and changes nothing else."""

from dataclasses import fields, is_dataclass

import pytest

from fsclib.config import Config
from fsclib.training.settings import settings_of

CHANGED = {  # a value other than the preset's for each field of the recipe that steps depend on
    "optimizer": "adamw", "lr": 0.5, "body_lr": 0.25, "schedule": "cosine", "epochs": 3, "warmup": 7, "warmup_steps": 9,
    "decay": (5, 6), "momentum": 0.5, "weight_decay": 0.125, "loss": "agw", "ramp_from": 11, "ramp_steps": 13,
    "infonce_weight": 0.75, "temperature": 0.375, "attributes_weight": 3.5, "cpm_weight": 0.625, "orthogonality_weight": 0.0625,
    "triplet_margin": 0.875, "cpm_margin": 0.1875, "label_smoothing": 0.3125, "metric_on": "neck", "padding": 17,
    "grayscale": 0.15, "erase": 0.35, "erase_min": 0.03, "erase_max": 0.45, "channel": 0.55, "pseudo_infrared": 0.65,
    "jitter": 0.85, "amplitude_swap": 0.95, "streams": "visible", "seed": 19,
    "clip": 4.5, "small_epochs": 2, "batch": "per-process",
}  # fmt: skip
ELSEWHERE = {  # fields that affect only images, network, sampler and the choice of the best epoch, or are presets of others
    "augmentation", "dataset", "trial", "strict", "scale", "network", "modules", "branches", "backbone", "stages", "init", "parent",
    "height", "width", "identities", "images", "select_on", "validate_every",
}  # fmt: skip


def step_settings(**values):
    """All settings of the steps, by name."""
    settings = settings_of(Config(dataset="llcm", **values))
    parts = (settings, settings.optimization, settings.objective, settings.objective.weights, settings.augmentation)
    return {name: value for part in parts for name, value in vars(part).items() if not is_dataclass(value)}


@pytest.mark.parametrize("name", CHANGED)
def test_a_field_changes_exactly_one_setting_of_the_steps(name):
    usual, changed = step_settings(), step_settings(**{name: CHANGED[name]})
    different = [key for key in usual if usual[key] != changed[key]]
    assert len(different) == 1
    if name in usual:
        assert different == [name]
        assert changed[name] == CHANGED[name]


def test_every_field_of_the_recipe_is_listed_once():
    recipe = {f.name for f in fields(Config) if f.metadata["recipe"]}
    assert CHANGED.keys() | ELSEWHERE == recipe
    assert not CHANGED.keys() & ELSEWHERE
