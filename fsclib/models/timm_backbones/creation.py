"""Models of timm by name, with their pretrained weights. timm is an extra, imported only when one of its models is used."""

import difflib
import importlib
from pathlib import Path
from typing import Any

import torch

PREFIX = "timm/"
STAGES = 4
EXAMPLES = "timm/resnet50d, timm/convnext_tiny, timm/efficientnet_b0, timm/regnety_032 or timm/swin_tiny_patch4_window7_224"


def package(name: str) -> Any:
    """The package timm, for the backbone `name`. Errors: ImportError that says how to install it."""
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise ImportError(f"backbone {name!r} needs timm, which is not installed: pip install 'fsclib[timm]'") from error


def is_transformer(name: str) -> bool:
    """Whether a model is a vision transformer without stages, whose patches keep their size."""
    return package(name).models.is_model_in_modules(name.removeprefix(PREFIX), ("vision_transformer", "deit"))


def create(name: str, pretrained: bool) -> Any:
    """The model of timm: a vision transformer without classifier, or the last four stages of any other model.

    Errors: ImportError without timm; ValueError for an unknown model, or one that timm cannot build in this way; FileNotFoundError
    for weights that are not on disk and cannot be downloaded.
    """
    timm, entry = package(name), name.removeprefix(PREFIX)
    if not timm.is_model(entry):
        close = difflib.get_close_matches(entry.partition(".")[0], timm.list_models(), n=1, cutoff=0.5)
        near = f", did you mean '{PREFIX}{close[0]}'?" if close else ""
        raise ValueError(f"backbone: found {name!r}, expected a model of timm {timm.__version__} (timm.list_models()){near}")
    options: dict[str, Any] = {"features_only": True, "out_indices": tuple(range(-STAGES, 0))}
    if is_transformer(name):
        options = {"num_classes": 0, "dynamic_img_size": True}
    elif timm.models.is_model_in_modules(entry, ("swin_transformer", "swin_transformer_v2")):
        options["strict_img_size"] = False
    file = weights_file(name)
    if pretrained and file.exists():
        options["pretrained_cfg_overlay"] = {"file": str(file)}
    try:
        return timm.create_model(entry, pretrained=pretrained, **options)
    except Exception as error:  # timm raises errors of many kinds, and so do the servers that it asks for weights
        told = " ".join(str(error).split()) or type(error).__name__
        if not pretrained:
            raise refusal(name, f"timm cannot build it for feature extraction ({told})") from error
        origin = timm.get_pretrained_cfg(entry)
        source = (origin.hf_hub_id and f"https://huggingface.co/{origin.hf_hub_id}") or origin.url or "timm's documentation"
        raise FileNotFoundError(
            f"pretrained weights of {name}: timm cannot load them ({told}). Put model.safetensors from {source} "
            f"into {file.parent} as {file.name}, or pass init=none to start from random weights."
        ) from error


def weights_file(name: str) -> Path:
    """The file from which a model's pretrained weights are read if it exists, before timm asks its servers."""
    return Path(torch.hub.get_dir()) / "checkpoints" / f"{name.removeprefix(PREFIX)}.safetensors"


def refusal(name: str, why: str) -> ValueError:
    """The error for a model that cannot be a backbone."""
    return ValueError(
        f"backbone: found {name!r}, which cannot be used: {why}; expected a hierarchy of stages, such as {EXAMPLES}; "
        "or, with network 'twostream', a vision transformer, such as timm/vit_small_patch16_224"
    )
