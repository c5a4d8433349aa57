"""Fixtures that many tests share: small corpora, written once per session, and a configuration that trains in seconds."""

import os
import shutil
from functools import cache

import pytest

from fsclib.config import Config
from fsclib.config.specs import DATASETS
from fsclib.system import log
from synthpeople.generate import write_corpus

log.show()  # tests read the output that a notebook shows; test_log.py covers programs that only import the library

PEOPLE = {"sysu": 14, "regdb": 12, "llcm": 12}


@pytest.fixture(scope="session")
def corpora(tmp_path_factory):
    """A folder whose data/ holds a small corpus in each layout, named like the real data sets. Tests must not change it."""
    home = tmp_path_factory.mktemp("home")
    for layout, people in PEOPLE.items():
        folder = home / "data" / DATASETS[layout].folder
        write_corpus(folder, layout, people, 3, images=2, height=64, width=24, workers=1, progress=False)
    return home


def settle(folder, corpora, patch):
    """Points FSCLIB_HOME at `folder`, with a link to the shared corpora and their cache, until `patch` is undone."""
    (folder / "data").symlink_to(corpora / "data")
    patch.setenv("FSCLIB_HOME", str(folder))
    patch.setenv("FSCLIB_HEADLESS", "1")


@pytest.fixture(autouse=True)
def forget_data_sets():
    """Data sets named in a test are unknown to the next one."""
    before = dict(DATASETS)
    yield
    DATASETS.clear()
    DATASETS.update(before)


@pytest.fixture
def home(corpora, tmp_path, monkeypatch):
    """A fresh FSCLIB_HOME with a link to the shared corpora and their cache."""
    settle(tmp_path, corpora, monkeypatch)
    return tmp_path


TINY = {
    "scale": "tiny", "stages": 3, "height": 64, "width": 24, "identities": 2, "images": 2, "epochs": 3, "decay": (2,), "workers": 1,
    "precision": "float32", "device": "cpu", "init": "none", "padding": 4, "erase_min": 0.02, "erase_max": 0.4,
    # the published recipe, apart from what makes it fast
    "optimizer": "sgd", "schedule": "step", "warmup": 1, "warmup_steps": 0, "lr": 0.05, "body_lr": 0.02, "weight_decay": 5e-4,
    "clip": 0.0, "label_smoothing": 0.0, "metric_on": "pooled", "ramp_from": 0, "ramp_steps": 0, "infonce_weight": 0.0,
    "channel": 0.0, "jitter": 0.0, "small_epochs": 0,
}  # fmt: skip


@pytest.fixture(scope="session")
def tiny():
    """Builds a configuration that trains in seconds: tiny(dataset="llcm", …)."""
    return lambda **values: Config(**TINY | {"dataset": "llcm"} | values)


@pytest.fixture(scope="session")
def trained(corpora, tiny, tmp_path_factory):
    """Trains a configuration in a home of its own, once: trained(epochs=1, …) is a finished run. Tests must not change it."""
    from fsclib.training.loop import fit

    @cache
    def run(**values):
        with pytest.MonkeyPatch.context() as patch:
            settle(tmp_path_factory.mktemp("trained"), corpora, patch)
            return fit(tiny(**values))

    return lambda **values: run(**dict(sorted(({"dataset": "llcm"} | values).items())))


@pytest.fixture
def copied(home, trained):
    """copied(epochs=1, …) is a copy in `home` of what `trained` gives, which a test may change."""
    from fsclib import runs

    def copy(**values):
        run = trained(**values)
        shutil.copytree(run.folder, home / "results" / run.config.dataset / run.config.name)
        return runs.load(run.config.dataset, run.config.name, device="cpu", workers=1)

    return copy


def pytest_collection_modifyitems(items):
    """Runs the longest tests first, so that parallel workers finish at about the same time, and some in the long form only.

    Those that fork this process precede all others: torch refuses to train in a fork once its autograd engine has started threads.
    """
    items.sort(key=lambda item: ("distributed" not in item.path.parts, "notebooks" not in item.path.parts))
    if os.environ.get("FSCLIB_FAULTS") != "long":
        for item in items:
            if mark := item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]}: make test-faults"))
