"""Presets for the fields of a configuration that are "auto": by data set, scale, network and augmentation; later ones override.

The scale `paper` is the recipe of the published programs: FSC-Net's and DEEN's; AGW's, also for the two-stream network and those
with a single stem, whose own recipes are for smaller trunks; and BDTR's.
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
}  # fmt: skip
EVERY: dict[str, Any] = PUBLISHED_TRAINING | {  # FSC-Net's and DEEN's, at any scale
    "loss": "fsc", "branches": 2, "identities": 6, "images": 4, "augmentation": "fsc",
}  # fmt: skip
PLAIN = {"grayscale": 0.0, "channel": 0.0, "pseudo_infrared": 0.0, "jitter": 0.0, "amplitude_swap": 0.0, "erase": 0.0}
AUGMENTED = ("padding", *PLAIN)  # the fields that augment an image, other than by the area of erased rectangles
AUGMENTATIONS = {  # in addition to random crops and mirror images
    "plain": PLAIN,  # AGW's and BDTR's
    "fsc": PLAIN | {"grayscale": 0.5, "erase": 0.5},  # FSC-Net's and DEEN's
    "colour": PLAIN | {"grayscale": 0.3, "channel": 0.3, "jitter": 0.15, "erase": 0.5},  # docs/learning.md
}
NEWER = dict.fromkeys(("channel", "pseudo_infrared", "jitter", "amplitude_swap"), 0.0) | {"streams": "both", "temperature": 0.1}
BEFORE = PUBLISHED_TRAINING | NEWER  # for runs whose config.json lacks these fields
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
        "augmentation": "colour",
    },
}  # fmt: skip
ONE_VIEW: dict[str, Any] = {"stages": 4, "modules": ()}  # four stages on RegDB as well
AGW: dict[str, dict[str, Any]] = {
    "paper": {"loss": "agw", "augmentation": "plain", "height": 288, "identities": 8, "epochs": 80, "decay": (20, 50)},
    "small": {"loss": "agw", "augmentation": "plain", "height": 192, "identities": 8, "decay": (15, 38)},  # in proportion
    "tiny": {"loss": "fsc"},  # as for the other networks, so that they are comparable
}
IDENTITY = {"loss": "identity"}
SINGLE_STEM = AGW | {"paper": AGW["paper"] | IDENTITY, "small": AGW["small"] | IDENTITY}
RANKING: dict[str, Any] = {"loss": "bdtr", "identities": 64, "images": 1, "lr": 0.01, "body_lr": 0.001, "warmup": 0}
BDTR: dict[str, dict[str, Any]] = {
    "paper": RANKING | {"augmentation": "plain", "height": 288, "epochs": 61, "decay": (30, 60)},
    "small": RANKING | {"augmentation": "plain", "height": 192, "decay": (30, 59)},
    "tiny": {"loss": "bdtr"},
}
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, dict[str, Any]]]] = {  # network → fields for all scales, fields by scale
    "fsc": ({"modules": MODULES.own}, {}),
    "deen": ({"modules": ()}, {}),
    "agw": (ONE_VIEW, AGW),
    "bdtr": (ONE_VIEW, BDTR),
    "twostream": (ONE_VIEW, AGW),
    "onestream": (ONE_VIEW, SINGLE_STEM),
    "zeropad": (ONE_VIEW, SINGLE_STEM),
}


def renamed(config: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a config.json of any version, under today's names: `init` was `pretrained`, and at first true or false."""
    values = dict(config)
    if "pretrained" in values:
        init = values.pop("pretrained")
        values["init"] = init if isinstance(init, str) else "imagenet" if init else "none"
    return values


def preset(dataset: str, network: str, scale: str, augmentation: str = "auto") -> dict[str, Any]:
    """Fields and their preset values; "auto" is the data set's own scale, and the augmentation of scale and network.

    A network without presets gets DEEN's.
    """
    found = EVERY | dict(DATASETS[dataset].preset)
    if scale != "auto":
        found["scale"] = scale
    always, at_scale = NETWORKS.get(network, NETWORKS["deen"])
    found |= SCALES[found["scale"]] | always | at_scale.get(found["scale"], {})
    if augmentation != "auto":
        return found | AUGMENTATIONS[augmentation] | {"augmentation": augmentation}
    return AUGMENTATIONS[found["augmentation"]] | found
