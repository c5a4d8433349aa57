"""Networks that come with fsclib, opened as runs of any data set: "people/fsc" is tested there, and not trained."""

from dataclasses import replace
from pathlib import Path

from fsclib import paths, runfiles, runs
from fsclib.config import SHIPPED, Config
from fsclib.models import weights
from fsclib.runs import Run
from fsclib.train import fit

FOLDER = "shipped-"  # begins the names of their folders: people/fsc is tested in results/<dataset>/shipped-fsc


def open_run(dataset: str, name: str, *, data_root: str = "", device: str = "auto", workers: int = 0, trial: int = 1) -> Run:
    """The run `name` of a data set, finished or not; or "people/…", a network of ours, tested on that data set.

    Such a network gets a folder among the runs, results/<dataset>/shipped-…, the first time that it is opened, and once more when
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
    folder = FOLDER + name.partition("/")[2] + (f"-trial{trial}" if dataset == "regdb" else "")
    return Config(
        dataset=dataset, scale="tiny", name=folder, pretrained=name, epochs=0, small_epochs=0, select_on="last", trial=trial,
        height=height, width=width, identities=2, images=1, attributes_weight=0.0, **facts, **here,
    )  # fmt: skip


def usual(dataset: str, network: str = "fsc") -> str:
    """The network of ours to look into while nothing is trained on a data set; empty once something is, or without such weights."""
    ours = f"people/{network}"
    return ours if ours in weights.names() and not any(map(_trained, paths.results_dir().glob(f"{dataset}/*/config.json"))) else ""


def _trained(file: Path) -> bool:
    """Whether a config.json is of a run that trains and does not only test; one that cannot be read counts as such."""
    try:
        return runfiles.config(file)["config"].get("epochs") != 0
    except (OSError, ValueError):
        return True
