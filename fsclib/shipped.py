"""Networks that come with fsclib, opened as runs of any data set: "people/fsc" is tested there, and not trained."""

from dataclasses import replace

from fsclib import runs
from fsclib.config import SHIPPED, Config
from fsclib.models import weights
from fsclib.runs import Run
from fsclib.train import fit


def open_run(dataset: str, name: str, *, data_root: str = "", device: str = "auto", workers: int = 0, trial: int = 1) -> Run:
    """The run `name` of a data set, finished or not; or "people/…", a network of ours, tested on that data set.

    Such a network gets a folder among the runs, results/<dataset>/people-…, the first time that it is opened, and once more when
    its weights are others. Errors: RunError as in `runs.load`; those of `train.fit`; ValueError for weights that are not there.
    """
    here = {"data_root": data_root, "device": device, "workers": workers}
    if not SHIPPED.fullmatch(name):
        return runs.load(dataset, name, **here)
    config = as_config(dataset, name, trial, **here)
    if (runs.folder_of(config) / "config.json").exists():
        there = runs.load(dataset, config.name, **here)
        if there.environment.get("weights") != weights.card(name)["sha256"]:
            config = replace(config, resume=False)
        elif there.finished:
            return there
    return fit(config)


def as_config(dataset: str, name: str, trial: int = 1, **here: object) -> Config:
    """The run that tests the weights `name` on a data set. Errors: ValueError for weights that are not there."""
    card = weights.card(name)
    height, width = card["image"]
    facts = {key: card[key] for key in ("network", "backbone", "stages", "modules", "branches", "seed") if key in card}
    folder = name.replace("/", "-") + (f"-trial{trial}" if dataset == "regdb" else "")
    return Config(
        dataset=dataset, scale="tiny", name=folder, pretrained=name, epochs=0, small_epochs=0, select_on="last", trial=trial,
        height=height, width=width, identities=2, images=1, attributes_weight=0.0, **facts, **here,
    )  # fmt: skip
