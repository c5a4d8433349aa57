"""A run opened for inspection, with its network and the embeddings of its test images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fsclib.analysis.attention.maps import unit_rows
from fsclib.analysis.literature import NETWORKS
from fsclib.data.images import Images
from fsclib.models.base import Network
from fsclib.models.fsc import PUBLISHED
from fsclib.retrieval import evaluation
from fsclib.retrieval.features import Features
from fsclib.runs import Run
from fsclib.system.device import device_of


@dataclass(frozen=True, eq=False)
class Subject:
    """A run opened for inspection. features: of all test images. label: the name of the network."""

    label: str
    run: Run
    images: Images
    net: Network
    features: Features

    def rows(self, rows: np.ndarray) -> Tensor:
        """Embeddings of records as in maps.unit_rows: (N, 2·V·D)."""
        return unit_rows(*(part.unflatten(1, (self.net.views, -1)) for part in self.features.of(rows, mirror=False)))


def open_run(run: Run, label: str = "") -> Subject:
    """Opens a run with its images, network and embeddings; the default label is the name of the network."""
    images = evaluation.run_images(run)
    net = evaluation.run_network(run, device_of(run.config.device))
    return Subject(
        label or label_of(run.config.network, run.config.modules), run, images, net, evaluation.run_features(run, images)
    )


def label_of(network: str, modules: Sequence[str]) -> str:
    """FSC-Net, DEEN, …; with the modules if they are a subset of FSC-Net's."""
    if network != "fsc" or tuple(modules) == PUBLISHED:
        return NETWORKS.get(network, network)
    return f"FSC-Net, {' + '.join(modules)} only" if modules else NETWORKS["deen"]
