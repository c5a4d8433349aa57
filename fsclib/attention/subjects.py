"""Runs that are looked into, opened with their networks and embeddings: those of notebook 05 side by side, or one."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fsclib import retrieval, runs, shipped
from fsclib.attention import unit_rows
from fsclib.config import OPENED, Config
from fsclib.data.images import Images
from fsclib.features import Features
from fsclib.machine import device_of
from fsclib.models.fsc import PUBLISHED
from fsclib.models.networks import Network
from fsclib.published import NETWORKS
from fsclib.run_options import RunOptions, each_once
from fsclib.runs import Run, RunError
from fsclib.strict import AUTO, option


@dataclass(frozen=True, kw_only=True)
class AttentionOptions(RunOptions):
    """The parameters of notebook 05. Errors: ConfigError, as in Strict."""

    names: tuple[str, ...] = option(
        AUTO,
        "runs, or networks of ours, side by side; auto: what 02_train makes and, if trained, the same without modules; if nothing "
        "is trained, people/fsc and people/deen",
        form=OPENED,
    )
    people: int = option(4, "people in the pictures, drawn at random", low=1, high=8)
    sample: int = option(60, "images of each modality over which maps are compared and counted", low=2, high=100_000)
    seed: int = option(1, "seed of the drawn people and images, and of the intervals", low=0, high=2**31 - 1)

    def _check_fields(self) -> dict[str, str]:
        problems = super()._check_fields()
        return problems if "names" in problems else problems | each_once("names", self.names, "runs, each once")


@dataclass(frozen=True, eq=False)
class Subject:
    """A run, opened to be looked into. features: of all test images. label: what the network is called."""

    label: str
    run: Run
    images: Images
    net: Network
    features: Features

    def rows(self, rows: np.ndarray) -> Tensor:
        """Embeddings of records as attention.unit_rows has them: (N, 2·V·D)."""
        return unit_rows(*(part.unflatten(1, (self.net.views, -1)) for part in self.features.of(rows, mirror=False)))


def open_runs(options: AttentionOptions) -> list[Subject]:
    """The runs that the options name, or the usual one and, where it was trained, the same recipe without modules: DEEN.

    Errors: RunError for a run that is not there, or was not trained on the images and records of the first.
    """
    names = options.names
    if names == AUTO:
        first = options.open(AUTO)
        ours = ["people/deen"] * bool(shipped.usual(options.dataset, "deen"))
        names = [first.folder.name, *(run.folder.name for run in runs.siblings(first, "modules") if not run.config.modules), *ours]
    found = [options.open(name) for name in names]
    if strangers := [run.folder.name for run in found if run.environment["data_hash"] != found[0].environment["data_hash"]]:
        raise RunError(f"{', '.join(strangers)}: trained on other images or splits than {names[0]}; name runs that share theirs")
    labels = [_label(run.config) for run in found]
    return [
        open_run(run, label if labels.count(label) == 1 else run.folder.name) for run, label in zip(found, labels, strict=True)
    ]


def open_run(run: Run, label: str = "") -> Subject:
    """A run with its images, network and embeddings; its label is what the network is called, unless one is given."""
    images = retrieval.run_images(run)
    net = retrieval.run_network(run, device_of(run.config))
    return Subject(label or _label(run.config), run, images, net, retrieval.run_features(run, images))


def _label(config: Config) -> str:
    """FSC-Net, DEEN, …; with its modules where these are some of FSC-Net's."""
    if config.network != "fsc" or config.modules == PUBLISHED:
        return NETWORKS.get(config.network, config.network)
    return f"FSC-Net, {' + '.join(config.modules)} only" if config.modules else NETWORKS["deen"]
