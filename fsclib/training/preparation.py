"""Everything before the first step: checks the configuration and the data, decodes the images, and creates the sampler."""

import contextlib
import json
import logging
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fsclib import runs
from fsclib.config import Config
from fsclib.config.schema import difference, undivided
from fsclib.data.attributes import Targets, held_out, person_of, read_attributes, targets
from fsclib.data.datasets import open_dataset
from fsclib.data.images import Images
from fsclib.data.protocols import training_rows
from fsclib.data.records import (
    INFRARED,
    NO_TRAINING,
    VISIBLE,
    Dataset,
    DatasetError,
    Problem,
    seen_by_both,
    training_labels,
)
from fsclib.data.sampler import IdentitySampler
from fsclib.models import weights
from fsclib.models.backbone import imagenet_weights
from fsclib.retrieval import validation
from fsclib.runs import RunError
from fsclib.runs.assemble import images_of, network_of
from fsclib.runs.start import starting_weights
from fsclib.system.processes import ALONE, Processes
from fsclib.training import continuation, disk_space
from fsclib.training.distributed.rendezvous import restarts

logger = logging.getLogger(__name__)


def prepared(config: Config, processes: Processes) -> tuple[Images, np.ndarray, IdentitySampler]:
    """Checks a configuration; returns its images, the rows to train on, (M,), and a sampler over them."""
    check(config, processes)
    images = images_of(config)
    with telling(images.dataset):
        validation.check_protocols(images.dataset)  # again: broken images may have been the last matches
        records, chosen, sampler = training_set(images.dataset, config, processes.count)
    if processes.first:
        check_disk(config, len(sampler.labels))  # again: the decoded pixels have taken up space
    return images.with_records(records), chosen, sampler


def check(config: Config, processes: Processes = ALONE) -> None:
    """Runs all checks that need no decoded images.

    Errors: RunError for a run of this name with another recipe; DatasetError and ValueError for data that cannot be trained on or
    tested; DiskError if the run cannot be written; FileNotFoundError for required ImageNet weights that are unavailable.
    """
    if problem := undivided(config, processes.count, "processes"):
        raise ValueError(problem)
    if processes.count > 1 and config.devices not in (1, processes.count):
        raise ValueError(f"devices: found {config.devices}, but {processes.count} processes train together; leave devices out")
    if restarts() and not config.resume and runs.folder_of(config).exists():
        found = f"resume: found False, but {runs.folder_of(config)} exists: each automatic restart would train from the beginning"
        raise ValueError(f"{found}; move that folder aside, or give this run another name, and leave resume out")
    if processes.first:
        runs.check(config)
    dataset = open_dataset(config.dataset, config.data_root or None, config.trial, strict=False)
    with telling(dataset):
        _, chosen, sampler = training_set(dataset, config, processes.count)
        attribute_targets(dataset, chosen, config.attributes_weight)
        validation.check_protocols(dataset)
    if not processes.first:  # only process 0 writes
        return
    check_disk(config, len(sampler.labels))
    if runs.resumes(config):
        return
    if config.parent:
        continuation.check(config)
    else:
        check_start(config, len(sampler.labels))


def check_start(config: Config, num_classes: int) -> None:
    """Checks that the initial weights of a configuration exist and fit, and logs which parts of the network they lack.

    Errors: ValueError, RunError, CheckpointError for weights that are missing, broken or of another backbone; FileNotFoundError
    for ImageNet weights that cannot be downloaded.
    """
    if config.init == "imagenet":
        imagenet_weights(config.backbone)
    state = starting_weights(config.init, config.backbone)
    if state is not None and not weights.are_shipped(config.init):
        try:
            net = network_of(config, num_classes, init=False)
            left = weights.start_from(net, net.adapted(state))
        except ValueError as error:
            raise ValueError(f"init: {config.init}: {error}") from None
        parts = sorted({name.split(".")[0] for name in left})
        logger.info(f"initial weights: {config.init}; parts that it does not fit: {', '.join(parts) or 'none'}")


def check_disk(config: Config, num_classes: int) -> None:
    """Checks that there is room for the checkpoints of a configuration, unless its run is finished. Errors: DiskError."""
    run = runs.Run(runs.folder_of(config), config)
    if not (config.resume and run.finished):
        momenta = 2 if config.optimizer == "adamw" else 1
        disk_space.check(run.folder, lambda: network_of(config, num_classes, init=False), momenta, config.resume)


@contextlib.contextmanager
def telling(dataset: Dataset) -> Iterator[None]:
    """Adds the broken files found in a data set to an error that makes it unfit for training, as they may be the reason."""
    try:
        yield
    except DatasetError as error:
        raise DatasetError([*error.problems, *dataset.problems], error.heading) from None
    except ValueError as error:
        if not dataset.problems:
            raise
        raise ValueError(f"{error}\n{DatasetError(dataset.problems, 'left out as broken')}") from None


def check_alike(config: Config, around: Mapping[str, Any], processes: Processes) -> None:
    """Refuses processes whose configuration or `environment` differs. RunError with the differences from process 0."""
    facts = {name: around[name] for name in ("data_hash", "precision", "revision")} | {"torch": around["packages"]["torch"]}
    recipes = [json.loads(text) for text in processes.texts(json.dumps(config.recipe() | facts | {"host": platform.node()}))]
    hosts = [process.pop("host") for process in recipes]
    problems = [
        f"process {number} on {host}: {told}"
        for number, (host, process) in enumerate(zip(hosts, recipes, strict=True))
        for told in difference(process, recipes[0])
    ]
    if problems:
        fix = "give every node the same configuration, data and programs"
        raise RunError(
            "\n  ".join([f"the processes differ from process 0 on {hosts[0]}, whose values come second; {fix}:", *problems])
        )


def training_set(dataset: Dataset, config: Config, processes: int = 1) -> tuple[pd.DataFrame, np.ndarray, IdentitySampler]:
    """The records of a data set, some held out if `select_on` needs it, those to train on, (M,), and a sampler over these.

    Test images stand in for training images that do not exist if a network is only tested. Errors: DatasetError if it is trained.
    """
    records, holdout = dataset.records, config.select_on == "holdout"
    if config.epochs and not len(training_rows(records, include_val=True)):
        fix = "put some people into the split train, or leave the split out, which is then drawn"
        nothing = Problem(dataset.root.name, None, "all images are test images", fix, NO_TRAINING)
        raise DatasetError([nothing], f"{dataset.name} in {dataset.root}")
    if holdout:
        records = held_out(dataset, config.seed)
        validation.check_validation(records, dataset.spec.validation)
    # unless identities are held out, SYSU-MM01's own validation identities are trained on too
    chosen = training_rows(records, include_val=not holdout)
    if not len(chosen):
        chosen = np.flatnonzero(records["identity"].isin(seen_by_both(records)))
    modalities = records["modality"].to_numpy()[chosen]
    if config.streams == "visible":  # each visible image once as it is and once as pseudo-infrared
        chosen = np.tile(chosen[modalities == VISIBLE], 2)
        modalities = np.repeat([VISIBLE, INFRARED], len(chosen) // 2)
    labels = training_labels(records["identity"].to_numpy()[chosen])
    draw = processes if config.batch == "per-process" else 1
    return records, chosen, IdentitySampler(labels, modalities, config.identities, config.images, config.seed, draw)


def attribute_targets(dataset: Dataset, chosen: np.ndarray, weight: float) -> Targets | None:
    """The attributes of each training label, from the corpus's attributes.csv; None if their weight is 0.

    Errors: ValueError for a data set without this file.
    """
    if not weight:
        return None
    table = read_attributes(dataset.root)
    if table is None:
        found = f"attributes_weight: found {weight}, but {dataset.root} has no attributes.csv"
        raise ValueError(f"{found}; only corpora of synthetic people have this file: use attributes_weight=0")
    labels = training_labels(dataset.records["identity"].to_numpy()[chosen])
    _, first = np.unique(labels, return_index=True)  # of each label, in the order of the sampler
    return targets(table, person_of(dataset.records["path"].to_numpy()[chosen[first]]))
