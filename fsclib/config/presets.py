"""Presets for the fields of a configuration that are "auto": by data set, then scale, then network; later ones override.

The scale `paper` is the recipe of the published programs: FSC-Net's and DEEN's, and AGW's for AGW and the two-stream network.
"""

from collections.abc import Mapping
from typing import Any

from fsclib.config.registry import MODULES
from fsclib.config.specs import DATASETS

OPTIMIZERS, SCHEDULES = ("sgd", "adamw"), ("step", "cosine")
PUBLISHED_TRAINING: dict[str, Any] = {  # options that no published program in this field uses are off
    "optimizer": "sgd", "schedule": "step", "warmup_steps": 0, "small_epochs": 0, "weight_decay": 5e-4, "clip": 0.0,
    "label_smoothing": 0.0,
    "metric_on": "pooled", "ramp_from": 0, "ramp_steps": 0, "infonce_weight": 0.0, "attributes_weight": 0.0,
    "channel": 0.0, "pseudo_infrared": 0.0, "jitter": 0.0,
}  # fmt: skip
BEFORE = PUBLISHED_TRAINING | {"streams": "both", "temperature": 0.1}  # for runs whose config.json lacks these fields
EVERY: dict[str, Any] = PUBLISHED_TRAINING | {  # FSC-Net's and DEEN's, at any scale
    "loss": "fsc", "branches": 2, "identities": 6, "images": 4, "grayscale": 0.5, "erase": 0.5,
}  # fmt: skip
SCALES: dict[str, dict[str, Any]] = {
    "paper": PUBLISHED_TRAINING | {
        "backbone": "resnet50", "init": "imagenet", "height": 384, "width": 144, "padding": 10, "cpm_weight": 0.8,
        "epochs": 150, "lr": 0.1, "body_lr": 0.01, "warmup": 10, "decay": (20, 80), "validate_every": 5,
    },
    "small": PUBLISHED_TRAINING | {  # a day's work on one modest GPU
        "backbone": "resnet18", "init": "imagenet", "height": 256, "width": 96, "padding": 7, "cpm_weight": 0.8,
        "epochs": 60, "lr": 0.1, "body_lr": 0.01, "warmup": 5, "decay": (20, 40), "validate_every": 5,
    },
    "tiny": {  # minutes on two cores, from weights trained on synthetic people; docs/learning.md measures each choice
        "backbone": "resnet18-half", "init": "people", "height": 192, "width": 72, "padding": 8, "cpm_weight": 0.1,
        "epochs": 7, "small_epochs": 4, "lr": 1e-3, "body_lr": 6e-4, "warmup": 0, "decay": (), "validate_every": 2,
        "identities": 16, "images": 2, "optimizer": "adamw", "schedule": "cosine", "warmup_steps": 100, "weight_decay": 0.02,
        "clip": 5.0, "label_smoothing": 0.1, "metric_on": "neck", "ramp_from": 200, "ramp_steps": 100, "infonce_weight": 1.0,
        "grayscale": 0.3, "channel": 0.3, "jitter": 0.15,
    },
}  # fmt: skip
# AGW only crops and mirrors; it has four stages on RegDB as well
BASELINE: dict[str, Any] = {"loss": "agw", "grayscale": 0.0, "erase": 0.0, "stages": 4, "modules": ()}
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {  # network → fields for all scales, fields by scale
    "fsc": ({"modules": MODULES.own}, {}),
    "deen": ({"modules": ()}, {}),
    "agw": (
        BASELINE,
        {
            "paper": {"height": 288, "identities": 8, "epochs": 80, "decay": (20, 50)},
            "small": {"height": 192, "identities": 8, "decay": (15, 38)},  # in proportion to the paper's
            "tiny": {"loss": "fsc", "grayscale": 0.3, "erase": 0.5},  # as for the other networks, so that they are comparable
        },
    ),
}
NETWORKS["twostream"] = NETWORKS["agw"]


def renamed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a config.json of any version, under today's names: `init` was `pretrained`, and at first true or false."""
    values = dict(config)
    if "pretrained" in values:
        init = values.pop("pretrained")
        values["init"] = init if isinstance(init, str) else "imagenet" if init else "none"
    return values


def preset(dataset: str, network: str, scale: str) -> dict[str, Any]:
    """Fields and their preset values. `scale` "auto" is the data set's own; a network without presets gets DEEN's."""
    found = EVERY | dict(DATASETS[dataset].preset)
    if scale != "auto":
        found["scale"] = scale
    always, at_scale = NETWORKS.get(network, NETWORKS["deen"])
    return found | SCALES[found["scale"]] | always | at_scale.get(found["scale"], {})
