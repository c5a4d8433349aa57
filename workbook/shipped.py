"""Opens the networks that come with fsclib as runs of any data set: "people/fsc" is tested there, not trained."""

from dataclasses import replace
from pathlib import Path

from fsclib import runs
from fsclib.config import Config
from fsclib.config.names import SHIPPED
from fsclib.models import weights
from fsclib.runs import Run, contents
from fsclib.system import paths
from fsclib.training.loop import fit
from workbook import demo

FOLDER = "shipped-"  # prefix of their folders: people/fsc is tested in results/<dataset>/shipped-fsc


def open_run(dataset: str, name: str, *, data_root: str = "", device: str = "auto", workers: int = 0, trial: int = 1) -> Run:
    """Opens the run `name` of a data set, finished or not; or "people/…", a shipped network, tested on that data set.

    A shipped network gets a run folder, results/<dataset>/shipped-…, when it is first opened, and a new one when its weights
    change. Errors: RunError as in `runs.load`; those of `loop.fit`; ValueError for unknown weights.
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
    demo.ensure(dataset, data_root)
    return fit(config)


def as_config(dataset: str, name: str, trial: int = 1, **here: object) -> Config:
    """The configuration that tests the weights `name` on a data set. Errors: ValueError for unknown weights."""
    card = weights.card(name)
    height, width = card["image"]
    facts = {key: card[key] for key in ("network", "backbone", "stages", "modules", "branches", "seed") if key in card}
    config = Config(
        dataset=dataset, scale="tiny", init=name, epochs=0, small_epochs=0, select_on="last", trial=trial,
        height=height, width=width, identities=2, images=1, attributes_weight=0.0, **facts, **here,
    )  # fmt: skip
    return replace(config, name=FOLDER + name.partition("/")[2] + config.spec.suffix(trial))


def usual(dataset: str, network: str = "fsc") -> str:
    """The shipped network to show while nothing is trained on a data set; "" once something is, or without such weights."""
    ours = f"people/{network}"
    return ours if ours in weights.names() and not any(map(_trained, paths.results_dir().glob(f"{dataset}/*/config.json"))) else ""


def _trained(file: Path) -> bool:
    """Whether a config.json belongs to a run that trains rather than only tests; an unreadable one counts as training."""
    try:
        return contents.config(file)["config"].get("epochs") != 0
    except (OSError, ValueError):
        return True
