"""Tests the network of a run under every protocol of its data set."""

from typing import Any, overload

import numpy as np
import pandas as pd
import torch

from fsclib.data.images import Images
from fsclib.data.literature import recorded
from fsclib.data.records import select
from fsclib.models.base import Network
from fsclib.models.folding import folded
from fsclib.retrieval.baselines import without_training
from fsclib.retrieval.features import Features, embed_together, read_features, write_features
from fsclib.retrieval.search import search
from fsclib.retrieval.tables import SHOWN, by_identity, summarise, tabulate
from fsclib.runs import Run, RunError, checkpoint
from fsclib.runs.assemble import images_of, network_of
from fsclib.system.device import device_of, precision_of
from fsclib.system.processes import ALONE, Processes


def evaluate_run(run: Run, *, trial: int | None = None, images: Images | None = None) -> pd.DataFrame:
    """Tests the best checkpoint of a run under every protocol of its data set, and completes the run.

    The data set's further protocols are tested with equal weighting and mirror images only. Writes tables/trials, tables/summary,
    tables/identities, tables/references (chance and raw pixels), the embeddings and, last, metrics.json. Returns the table of
    tables.evaluate, in which the column `trial` holds RegDB's split, and `select_on` how the tested epoch was chosen.
    `trial`: the split that the caller expects to test; `images`: those of the run, if already open.
    Errors: RunError for another trial of RegDB, whose test identities this model was trained on, or if the data have changed
    since training; CheckpointError without a checkpoint.
    """
    config = run.config
    if trial is not None and trial != config.trial:
        raise RunError(
            f"{run.folder} was trained on trial {config.trial} and has seen test identities of trial {trial}; "
            f"test it on its own trial, or train a model for that one: papermill 02_train.ipynb ../results/02_train.ipynb "
            f"-p dataset {config.dataset} -p trial {trial}"
        )
    done = checkpoint.state(run.checkpoint("last"))["epoch"] + 1
    if done < config.epochs:
        raise RunError(f"{run.folder} is not fully trained: {done} of {config.epochs} epochs. Start the same training again.")
    images = images or run_images(run)
    features, permutations = run_features(run, images), images.dataset.permutations
    further = images.further_protocols
    searches = list(search(features, images.records, images.protocols, further=further, permutations=permutations))
    table = tabulate(searches).assign(select_on=config.select_on)
    if config.spec.splits > 1:
        table["trial"] = config.trial
    run.save_table(table, "trials")
    summary = summarise(table)
    run.save_table(summary, "summary")
    run.save_table(by_identity(searches), "identities")
    run.save_table(without_training(images), "references")
    run.finish(headline(summary) | provenance(run, images))
    return table


def run_images(run: Run) -> Images:
    """The decoded data set of a run. RunError if it is not the data that the run was trained on."""
    images = images_of(run.config)
    check_images(run, images)
    return images


def check_images(run: Run, images: Images) -> None:
    """Refuses images, labels or splits other than those of the run; each trial of RegDB has its own."""
    if images.data_hash != run.environment["data_hash"]:
        raise RunError(
            f"{images.dataset.root} holds other data than {run.folder} was trained on (found hash {images.data_hash}, expected "
            f"{run.environment['data_hash']}); restore the data set, or train a run under another name on it"
        )


def run_network(run: Run, device: torch.device, processes: Processes = ALONE, which: str = "best") -> Network:
    """The network of a run with the weights of a checkpoint, in evaluation mode, in every process."""
    file = run.checkpoint(which)
    classes = processes.told(checkpoint.state(file, "num_classes")["num_classes"] if processes.first else None)
    net = network_of(run.config, classes, init=False)
    if processes.first:
        checkpoint.read(file, net)
    processes.copy(net.state_dict().values())
    return net.to(device).to(memory_format=torch.channels_last).eval()


@overload
def run_features(run: Run, images: Images) -> Features: ...


@overload
def run_features(run: Run, images: Images, processes: Processes) -> Features | None: ...


def run_features(run: Run, images: Images, processes: Processes = ALONE) -> Features | None:
    """Features of all test images by the best checkpoint of a run: computed once, then read from the run's folder.

    Several processes share the work; only process 0 reads and writes the file and returns the features, the others return None.
    """
    file, rows, kept, wanted = run.folder / "embeddings" / "test.safetensors", select(images.records, "test"), None, None
    if processes.first:
        check_images(run, images)
        origin = {"checkpoint": checkpoint.fingerprint(run.checkpoint("best")), "data": images.data_hash}
        kept = read_features(file, origin)
        if kept is None or not np.array_equal(np.sort(kept.rows), rows):
            wanted = run.environment["precision"]
    if (wanted := processes.told(wanted)) is None:
        return kept
    device = device_of(run.config.device)
    precision = precision_of(wanted, device)
    found = embed_together(folded(run_network(run, device, processes)), images, rows, device, precision, processes)
    if found is not None:
        write_features(file, found, origin)
    return found


def headline(summary: pd.DataFrame) -> dict[str, float]:
    """The headline figures of a run: means over trials, equal weighting, with mirror images, as "<mode>.<direction>.<figure>"."""
    chosen = summary[(summary["weighting"] == "equal") & summary["mirror"]]
    return {
        ".".join(part for part in (row["mode"], row["direction"], figure) if part): float(row[figure])
        for _, row in chosen.iterrows()
        for figure in SHOWN
    }


def provenance(run: Run, images: Images) -> dict[str, Any]:
    """How the figures of a run were obtained, from how many images and people, and what was left out of the data."""
    state = checkpoint.state(run.checkpoint("best"))
    official = images.dataset.permutations_hash  # "" unless official protocols were tested
    return {
        "select_on": run.config.select_on,
        "test_selected": run.config.select_on == "test",
        "epoch": state["epoch"] + 1,
        "mirror": True,
        "weighting": "equal",
        "skipped": sum(images.skipped.values()),
        "skipped_by_kind": images.skipped,
        "numbers": recorded(images.records),
    } | ({"permutations_sha256": official} if official else {})
