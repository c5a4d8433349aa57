"""Training: the loop, its schedule, and going on where it was left off.

SGD with Nesterov momentum; two learning rates, one for neck and classifier and one for the rest; a linear warm-up, then a
division by ten at each epoch of `decay` (METHOD, section 1, Training). Everything random in an epoch is seeded from (seed, epoch,
rank), so an interrupted run that goes on from the last checkpoint ends with the weights of an undisturbed one.

From a shell: python -m fsclib.train --dataset llcm --epochs 5
"""

import ast
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from fsclib import checkpoint, failure, losses, retrieval, room, runs
from fsclib.assemble import images_of, network_of
from fsclib.checkpoint import CheckpointError
from fsclib.config import Config
from fsclib.data.augment import Augmentation
from fsclib.data.batches import batches
from fsclib.data.datasets import open_dataset
from fsclib.data.images import Images
from fsclib.data.protocols import training_rows
from fsclib.data.records import INFRARED, VISIBLE, DatasetError, hold_out, training_labels
from fsclib.data.sampler import IdentitySampler
from fsclib.failure import NotFinite
from fsclib.machine import autocast, device_of, environment, precision_of
from fsclib.models.backbone import imagenet_weights
from fsclib.models.networks import Network
from fsclib.progress import progress
from fsclib.runs import Run, RunError

SHOWN = ("lr", "total", "val_rank1", "val_map")
CHOSEN_BY = {"holdout": "val_map", "test": "val_rank1"}  # select_on → the column of the log that the best checkpoint maximises


class TrainingError(RuntimeError):
    """Training that cannot go on: says where it stopped, on what, and what is kept."""


@dataclass(frozen=True, eq=False)
class Training:
    """A run, and what its epochs are made from. chosen: the records to train on, (M,), which the sampler counts."""

    run: Run
    images: Images
    chosen: np.ndarray
    sampler: IdentitySampler
    device: torch.device
    precision: torch.dtype

    def left_off(self) -> tuple[Network, torch.optim.SGD, dict[str, Any]]:
        """Network, optimiser and state after the last epoch that was finished, or before the first."""
        config, last, classes = self.run.config, self.run.checkpoint("last"), len(self.sampler.labels)
        torch.manual_seed(config.seed)
        net = network_of(config, classes, pretrained=config.pretrained and not last.exists())
        net = net.to(self.device, memory_format=torch.channels_last)
        optimizer = build_optimizer(net, config)
        state = {"epoch": -1, "best": None, "best_epoch": None, "num_classes": classes}
        if last.exists():
            state |= checkpoint.read(last, net, optimizer)
        return net, optimizer, state

    def steps(self, net: Network, optimizer: torch.optim.Optimizer, epoch: int) -> Iterator[losses.Parts]:
        """The steps of an epoch, as `training_steps` takes them, at its learning rates."""
        config, rows = self.run.config, self.images.place[self.chosen]
        set_learning_rates(optimizer, config, epoch)
        return training_steps(net, optimizer, config, self.images.pixels, rows, self.sampler, epoch, self.precision)

    def images_of_step(self, epoch: int, step: int) -> dict[str, list[str]]:
        """Modality → paths, below the data set's folder, of the images that a step sees."""
        paths = self.images.records["path"].to_numpy()[self.chosen]
        drawn = zip((VISIBLE, INFRARED), self.sampler.epoch(epoch)[:2], strict=True)
        return {modality: list(dict.fromkeys(paths[rows[step]])) for modality, rows in drawn}


def fit(config: Config) -> Run:
    """Trains what the configuration says, or goes on with it, tests it, and returns the finished run.

    Errors: DatasetError, RunError, CheckpointError, ValueError before any training; TrainingError when a loss is not finite.
    """
    with runs.alone(config):
        return _fit(config)


def _fit(config: Config) -> Run:
    device = device_of(config)
    precision = precision_of(config, device)
    check(config)
    images = images_of(config)
    retrieval.check_protocols(images.dataset)  # broken images may have been the last matches
    if config.select_on == "holdout":
        images = images.with_records(hold_out(images.records, config.seed))
    chosen, sampler = training_set(config, images.records)
    room.check(config, len(sampler.labels))  # once more: the decoded pixels have taken theirs
    run = runs.begin(config, environment(device, precision, images))
    if run.finished:
        print(f"{run.folder} is complete; nothing to train")
        return run
    start = time.monotonic()
    training = Training(run, images, chosen, sampler, device, precision)
    net, optimizer, state = training.left_off()
    if state["epoch"] >= 0:
        print(f"{run.folder}: going on after epoch {state['epoch'] + 1} of {config.epochs}")
    for epoch in range(state["epoch"] + 1, config.epochs):
        steps = training.steps(net, optimizer, epoch)
        row = {"epoch": epoch, "lr": optimizer.param_groups[0]["lr"]}
        try:
            with progress(sampler.steps, f"epoch {epoch + 1}/{config.epochs}", passing=True) as bar:
                row |= failure.mean_losses(steps, net, bar)
        except NotFinite as found:
            steps.close()
            raise TrainingError(failure.explain(training, epoch, found)) from None
        if config.select_on in CHOSEN_BY and ((epoch + 1) % config.validate_every == 0 or epoch + 1 == config.epochs):
            row |= retrieval.validate(net, images, device, precision, config.select_on)
        run.add_to_log(row)
        state["epoch"] = epoch
        if is_best(row, state, config):
            state |= {"best": row.get(CHOSEN_BY.get(config.select_on, "")), "best_epoch": epoch}
            checkpoint.write(run.checkpoint("best"), net, None, state)
        # the last thing of an epoch: a run killed before this line repeats the epoch, one killed after it does not
        checkpoint.write(run.checkpoint("last"), net, optimizer, state)
        figures = ", ".join(f"{key} {value:.4g}" for key, value in row.items() if key in SHOWN)
        print(f"epoch {epoch + 1}/{config.epochs}: {sampler.steps} steps in {row['seconds']:.0f} s, {figures}", flush=True)
    print(f"trained in {time.monotonic() - start:.0f} s; testing the checkpoint of epoch {state['best_epoch'] + 1}")
    retrieval.evaluate_run(run, images=images)
    return run


def check(config: Config) -> None:
    """Refuses what can be refused before images are decoded.

    Errors: RunError for a run of this name with another recipe; DatasetError and ValueError for data that cannot be trained on or
    tested; DiskError where the run cannot be written; FileNotFoundError for ImageNet weights that are wanted and not to be had.
    """
    runs.check(config)
    found = open_dataset(config.dataset, config.data_root or None, config.trial, strict=False)
    _, sampler = training_set(config, hold_out(found.records, config.seed) if config.select_on == "holdout" else found.records)
    retrieval.check_protocols(found)
    room.check(config, len(sampler.labels))
    goes_on = config.resume and (runs.folder_of(config) / runs.LAST).exists()
    if config.pretrained and not goes_on:
        imagenet_weights(config.backbone)


def is_best(row: Mapping[str, float], state: Mapping[str, Any], config: Config) -> bool:
    """Whether the epoch of this row of the log is the one to keep, going by `select_on`; the earlier of equals stays."""
    if config.select_on == "last":
        return row["epoch"] + 1 == config.epochs
    value = row.get(CHOSEN_BY[config.select_on])
    return value is not None and (state["best"] is None or value > state["best"])


def training_set(config: Config, records: pd.DataFrame) -> tuple[np.ndarray, IdentitySampler]:
    """Rows of the records to train on, (M,), and a sampler over them."""
    # without holding out, SYSU-MM01's own validation identities train as well
    chosen = training_rows(records, include_val=config.select_on != "holdout")
    labels = training_labels(records["identity"].to_numpy()[chosen])
    modalities = records["modality"].to_numpy()[chosen]
    return chosen, IdentitySampler(labels, modalities, config.identities, config.images, config.seed)


def build_optimizer(net: nn.Module, config: Config) -> torch.optim.SGD:
    """SGD over two groups: neck and classifier first, then the rest."""
    head = {id(p) for part in (net.neck, net.classifier) for p in part.parameters()}
    trained = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) in head], "lr": config.lr},
        {"params": [p for p in trained if id(p) not in head], "lr": config.body_lr},
    ]
    nesterov = config.momentum > 0
    # one pass over weights, gradients and momenta: 16 ms where the default takes 77 (44 million weights, two cores of an AMD EPYC)
    return torch.optim.SGD(groups, momentum=config.momentum, nesterov=nesterov, weight_decay=config.weight_decay, fused=True)


def learning_rate_factor(config: Config, epoch: int) -> float:
    """(e + 1) / warmup in the first `warmup` epochs, then 1, divided by ten from each epoch of `decay`."""
    if epoch < config.warmup:
        return (epoch + 1) / config.warmup
    return 0.1 ** sum(epoch >= mark for mark in config.decay)


def set_learning_rates(optimizer: torch.optim.Optimizer, config: Config, epoch: int) -> None:
    """Learning rates of both groups for an epoch, counted from 0."""
    factor = learning_rate_factor(config, epoch)
    for group, rate in zip(optimizer.param_groups, (config.lr, config.body_lr), strict=True):
        group["lr"] = rate * factor


def training_steps(
    net: Network,
    optimizer: torch.optim.Optimizer,
    config: Config,
    pixels: np.ndarray,
    rows: np.ndarray,
    sampler: IdentitySampler,
    epoch: int,
    precision: torch.dtype,
) -> Iterator[losses.Parts]:
    """Takes the steps of an epoch, one at each `next`, and yields the parts of their losses, still on the device."""
    device = next(net.parameters()).device
    # one stream of random numbers for augmentation, one for dropout and drop-path
    seeds = np.random.SeedSequence((config.seed, epoch, 0)).spawn(2)
    augmentation, dropout = (int(seed.generate_state(1, np.uint64)[0] >> 1) for seed in seeds)
    torch.manual_seed(dropout)
    generator = torch.Generator().manual_seed(augmentation)
    settings = Augmentation(
        padding=config.padding,
        grayscale=config.grayscale,
        erase=config.erase,
        erase_area=(config.erase_min, config.erase_max),
    )
    weights = losses.LossWeights(
        cpm=config.cpm_weight,
        orthogonality=config.orthogonality_weight,
        triplet_margin=config.triplet_margin,
        cpm_margin=config.cpm_margin,
    )
    visible_rows, infrared_rows, labels = sampler.epoch(epoch)
    net.train()
    for visible, infrared, label in batches(pixels, rows[visible_rows], rows[infrared_rows], labels, device, generator, settings):
        with autocast(device, precision):
            output = net(visible, infrared)
        parts = losses.LOSSES[config.loss](output, label.repeat(2), weights)
        optimizer.zero_grad(set_to_none=True)
        parts.total.backward()
        optimizer.step()
        yield losses.Parts(*(part.detach() for part in parts))


def main(words: Sequence[str]) -> None:
    """`--name value` pairs → Config → fit."""
    if len(words) % 2 or not all(word.startswith("--") for word in words[::2]):
        sys.exit(f"usage: python -m fsclib.train [--parameter value] …\n{Config.help()}")
    fit(Config(**{name[2:].replace("-", "_"): literal(value) for name, value in zip(words[::2], words[1::2], strict=True)}))


def literal(text: str) -> object:
    """The Python value that a word writes, or the word itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # {[]: 1}, and what is nested too deep
        return text


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError, DatasetError, RunError, CheckpointError, TrainingError) as error:
        sys.exit(str(error))  # these say what to do; a traceback would bury it
