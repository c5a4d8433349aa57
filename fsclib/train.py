"""Training: the loop, and going on where it was left off.

Everything random in an epoch is seeded from (seed, epoch, rank), so an interrupted run that goes on from the last checkpoint ends
with the weights of an undisturbed one. Several processes may train together; the first of them alone writes, and speaks.

From a shell: python -m fsclib.train --dataset llcm --epochs 5
              torchrun --nproc-per-node 4 -m fsclib.train --config my.json
"""

import ast
import contextlib
import json
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from fsclib import checkpoint, collapse, failure, launch, losses, retrieval, room, runs
from fsclib.assemble import environment_of, images_of, network_of, starting_weights
from fsclib.checkpoint import CheckpointError
from fsclib.config import Config, difference, undivided
from fsclib.data.attributes import Targets, held_out, person_of, read_attributes, targets
from fsclib.data.datasets import open_dataset
from fsclib.data.decoding import DecodingError
from fsclib.data.images import Images
from fsclib.data.protocols import training_rows
from fsclib.data.records import INFRARED, VISIBLE, Dataset, DatasetError, training_labels
from fsclib.data.sampler import IdentitySampler
from fsclib.failure import NotFinite
from fsclib.machine import device_of, precision_of
from fsclib.meeting import joined, restarts, started
from fsclib.models.backbone import imagenet_weights
from fsclib.models.networks import Network
from fsclib.models.shared import together
from fsclib.progress import progress
from fsclib.ranks import ALONE, Elsewhere, Ranks, noticing
from fsclib.reading import read_json
from fsclib.runs import Run, RunError
from fsclib.steps import build_optimizer, set_learning_rates, training_steps
from fsclib.strict import ConfigError, named, shown

SHOWN = ("lr", "total", "val_rank1", "val_map")
SLOTS = {"sgd": ("momentum_buffer",), "adamw": ("step", "exp_avg", "exp_avg_sq")}  # what the optimisers keep of each parameter
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
    ranks: Ranks = ALONE
    attributes: Targets | None = None

    def left_off(self) -> tuple[Network, torch.optim.Optimizer, dict[str, Any]]:
        """Network, optimiser and state after the last epoch that was finished, or before the first, as the first rank has them."""
        config, last, classes, ranks = self.run.config, self.run.checkpoint("last"), len(self.sampler.labels), self.ranks
        torch.manual_seed(config.seed)
        goes_on = ranks.told(last.exists() if ranks.first else None)
        values = sum(self.attributes.sizes) if self.attributes else 0
        net = network_of(config, classes, pretrained=not goes_on and ranks.first, attributes=values)
        net = net.to(self.device, memory_format=torch.channels_last)
        optimizer = build_optimizer(net, config)
        state = {"epoch": -1, "best": None, "best_epoch": None, "num_classes": classes}
        if goes_on:
            state |= ranks.told(ranks.agree(lambda: checkpoint.read(last, net, optimizer) if ranks.first else None))
        ranks.copy(net.state_dict().values())
        if goes_on and (config.optimizer == "adamw" or config.momentum):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            ranks.copy(
                optimizer.state[p].setdefault(slot, torch.zeros(()) if slot == "step" else torch.zeros_like(p))
                for p in parameters
                for slot in SLOTS[config.optimizer]
            )
        return net, optimizer, state

    def shared(self, net: Network) -> nn.Module:
        """What the ranks call in place of the network, whose weights it has, to train it together: see models/shared.py."""
        if self.ranks.count == 1:
            return net
        return together(net, self.ranks.steps, whole_batch=self.run.config.batch == "global")

    def steps(self, net: nn.Module, optimizer: torch.optim.Optimizer, epoch: int) -> Iterator[losses.Parts]:
        """The steps of an epoch, as `training_steps` takes them, at its learning rates."""
        config, rows, pixels = self.run.config, self.images.place[self.chosen], self.images.pixels
        set_learning_rates(optimizer, config, epoch, 0, self.sampler.steps)
        return training_steps(
            net, optimizer, config, pixels, rows, self.sampler, epoch, self.precision, self.ranks, self.attributes
        )

    def images_of_step(self, epoch: int, step: int) -> dict[str, list[str]]:
        """Modality → paths, below the data set's folder, of the images that a step sees, in any rank."""
        paths = self.images.records["path"].to_numpy()[self.chosen]
        seen: dict[str, dict[str, None]] = {VISIBLE: {}, INFRARED: {}}
        for rank in range(self.sampler.ranks):
            for modality, rows in zip(seen, self.sampler.epoch(epoch, rank)[:2], strict=True):
                seen[modality] |= dict.fromkeys(paths[rows[step]])
        return {modality: list(found) for modality, found in seen.items()}


def fit(config: Config) -> Run:
    """Trains what the configuration says, or goes on with it, tests it, and returns the finished run.

    With `devices` above 1, or under torchrun, several processes train together.
    Errors: DatasetError, RunError, CheckpointError, ValueError before any training; TrainingError when a loss is not finite.
    """
    if config.devices > 1 and started() == 1:
        check(config)  # what this process can refuse, it need not start others for
        if told := launch.run(config):
            raise TrainingError(told)
        return runs.load(config.dataset, config.name, data_root=config.data_root, device=config.device, workers=config.workers)
    with joined(device_of(config)) as ranks, noticing(), runs.alone(config) if ranks.first else contextlib.nullcontext():
        return _fit(config, ranks)


def _fit(config: Config, ranks: Ranks) -> Run:
    device = device_of(config)
    precision = precision_of(config, device)
    images, chosen, sampler = ranks.agree(lambda: prepared(config, ranks))
    around = environment_of(config, device, precision, images, ranks.count)
    ranks.agree(lambda: check_alike(config, around, ranks))
    run = ranks.agree(lambda: runs.begin(config, around) if ranks.first else Run(runs.folder_of(config), config))
    if ranks.told(run.finished if ranks.first else None):
        if ranks.first:
            print(f"{run.folder} is complete; nothing to train")
        return run
    start = time.monotonic()
    coded = attribute_targets(config, images.dataset, chosen, sampler) if config.attributes_weight else None
    training = Training(run, images, chosen, sampler, device, precision, ranks, coded)
    net, optimizer, state = training.left_off()
    shared = training.shared(net)
    if state["epoch"] >= 0 and ranks.first:
        print(f"{run.folder}: going on after epoch {state['epoch'] + 1} of {config.epochs}")
    for epoch in range(state["epoch"] + 1, config.epochs):
        steps = training.steps(shared, optimizer, epoch)
        row = {"epoch": epoch, "lr": optimizer.param_groups[0]["lr"]}
        try:
            with progress(sampler.steps, f"epoch {epoch + 1}/{config.epochs}", shown=ranks.first, passing=True) as bar:
                row |= failure.mean_losses(steps, net, bar, ranks)
        except NotFinite as found:
            steps.close()
            raise TrainingError(failure.explain(training, epoch, found)) from None
        if config.select_on in CHOSEN_BY and ((epoch + 1) % config.validate_every == 0 or epoch + 1 == config.epochs):
            if config.batch == "per-rank":
                ranks.copy(net.buffers())
            row |= retrieval.validate(net, images, device, precision, config.select_on, ranks)
        if ranks.first:
            keep(run, row, net, optimizer, state)
            figures = ", ".join(f"{key} {value:.4g}" for key, value in row.items() if key in SHOWN)
            print(f"epoch {epoch + 1}/{config.epochs}: {sampler.steps} steps in {row['seconds']:.0f} s, {figures}", flush=True)
            if told := collapse.warning(row, config):
                print(told, flush=True)
        ranks.wait()
    if not config.epochs and ranks.first:
        checkpoint.write(run.checkpoint("best"), net, None, state)
        checkpoint.write(run.checkpoint("last"), net, optimizer, state)
        print(f"nothing to train; testing {config.network} as it starts, from {config.pretrained}", flush=True)
    elif ranks.first:
        print(f"trained in {time.monotonic() - start:.0f} s; testing the checkpoint of epoch {state['best_epoch'] + 1}", flush=True)
    if ranks.count > 1:
        retrieval.run_features(run, images, ranks)
    if ranks.first:
        retrieval.evaluate_run(run, images=images)
    ranks.wait()
    return run


def keep(run: Run, row: Mapping[str, float], net: Network, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Writes what an epoch came to: its row of the log, the best checkpoint if it is this one, and the last."""
    run.add_to_log(row)
    state["epoch"] = row["epoch"]
    if is_best(row, state, run.config):
        state |= {"best": row.get(CHOSEN_BY.get(run.config.select_on, "")), "best_epoch": row["epoch"]}
        checkpoint.write(run.checkpoint("best"), net, None, state)
    # the last thing of an epoch: a run killed before this line repeats the epoch, one killed after it does not
    checkpoint.write(run.checkpoint("last"), net, optimizer, state)


def prepared(config: Config, ranks: Ranks) -> tuple[Images, np.ndarray, IdentitySampler]:
    """The images of a configuration, those to train on, (M,), and a sampler over them, after everything was checked."""
    check(config, ranks)
    images = images_of(config)
    with telling(images.dataset):
        retrieval.check_protocols(images.dataset)  # broken images may have been the last matches
        if config.select_on == "holdout":
            images = images.with_records(held_out(images.dataset, config.seed))
            retrieval.check_validation(images.records, images.dataset.layout)
        chosen, sampler = training_set(config, images.records, ranks.count)
    if ranks.first:
        room.check(config, len(sampler.labels))  # once more: the decoded pixels have taken theirs
    return images, chosen, sampler


def check(config: Config, ranks: Ranks = ALONE) -> None:
    """Refuses what can be refused before images are decoded.

    Errors: RunError for a run of this name with another recipe; DatasetError and ValueError for data that cannot be trained on or
    tested; DiskError where the run cannot be written; FileNotFoundError for ImageNet weights that are wanted and not to be had.
    """
    if problem := undivided(config, ranks.count, "processes"):
        raise ValueError(problem)
    if ranks.count > 1 and config.devices not in (1, ranks.count):
        raise ValueError(f"devices: found {config.devices}, but torchrun has started {ranks.count} processes; leave devices out")
    if restarts() and not config.resume and runs.folder_of(config).exists():
        found = f"resume: found False, and {runs.folder_of(config)} is there: what is started again would begin anew each time"
        raise ValueError(f"{found}; move that folder aside, or give this run another name, and leave resume out")
    if ranks.first:
        runs.check(config)
    found = open_dataset(config.dataset, config.data_root or None, config.trial, strict=False)
    with telling(found):
        records = found.records
        if config.select_on == "holdout":
            records = held_out(found, config.seed)
            retrieval.check_validation(records, found.layout)
        chosen, sampler = training_set(config, records, ranks.count)
        if config.attributes_weight:
            attribute_targets(config, found, chosen, sampler)
        retrieval.check_protocols(found)
    if not ranks.first:  # which neither writes nor begins
        return
    room.check(config, len(sampler.labels))
    goes_on = config.resume and (runs.folder_of(config) / runs.LAST).exists()
    if not goes_on:
        if config.pretrained == "imagenet":
            imagenet_weights(config.backbone)
        starting_weights(config)


@contextlib.contextmanager
def telling(dataset: Dataset) -> Iterator[None]:
    """What makes a data set unfit for training comes with everything that was found broken in it, which may be the reason."""
    try:
        yield
    except DatasetError as error:
        raise DatasetError([*error.problems, *dataset.problems], error.heading) from None
    except ValueError as error:
        if not dataset.problems:
            raise
        raise ValueError(f"{error}\n{DatasetError(dataset.problems, 'left out as broken')}") from None


def check_alike(config: Config, around: Mapping[str, Any], ranks: Ranks) -> None:
    """Refuses processes that would not train the same, going by their `environment`. RunError with what differs from the first."""
    facts = {name: around[name] for name in ("data_hash", "precision", "revision")} | {"torch": around["packages"]["torch"]}
    there = [json.loads(text) for text in ranks.texts(json.dumps(config.recipe() | facts | {"host": platform.node()}))]
    hosts = [process.pop("host") for process in there]
    problems = [
        f"process {rank} on {host}: {told}"
        for rank, (host, process) in enumerate(zip(hosts, there, strict=True))
        for told in difference(process, there[0])
    ]
    if problems:
        mend = "give every node the same configuration, data and programs"
        raise RunError("\n  ".join([f"not alike (here: process 0 on {hosts[0]}); {mend}:", *problems]))


def is_best(row: Mapping[str, float], state: Mapping[str, Any], config: Config) -> bool:
    """Whether the epoch of this row of the log is the one to keep, going by `select_on`; the earlier of equals stays."""
    if config.select_on == "last":
        return row["epoch"] + 1 == config.epochs
    value = row.get(CHOSEN_BY[config.select_on])
    return value is not None and (state["best"] is None or value > state["best"])


def training_set(config: Config, records: pd.DataFrame, ranks: int = 1) -> tuple[np.ndarray, IdentitySampler]:
    """Rows of the records to train on, (M,), and a sampler over them, for so many processes."""
    # without holding out, SYSU-MM01's own validation identities train as well
    chosen = training_rows(records, include_val=config.select_on != "holdout")
    modalities = records["modality"].to_numpy()[chosen]
    if config.streams == "visible":  # each visible image once as itself and once as a pseudo-infrared one
        chosen = np.tile(chosen[modalities == VISIBLE], 2)
        modalities = np.repeat([VISIBLE, INFRARED], len(chosen) // 2)
    labels = training_labels(records["identity"].to_numpy()[chosen])
    draw = ranks if config.batch == "per-rank" else 1
    return chosen, IdentitySampler(labels, modalities, config.identities, config.images, config.seed, draw)


def attribute_targets(config: Config, dataset: Dataset, chosen: np.ndarray, sampler: IdentitySampler) -> Targets:
    """The attributes of each training label, from the corpus's attributes.csv. ValueError for a data set that has none."""
    table = read_attributes(dataset.root)
    if table is None:
        found = f"attributes_weight: found {config.attributes_weight}, but {dataset.root} has no attributes.csv"
        raise ValueError(f"{found}; only corpora of synthetic people have one, use attributes_weight=0")
    labels = training_labels(dataset.records["identity"].to_numpy()[chosen])
    _, first = np.unique(labels, return_index=True)  # of each label, as the sampler counts them
    return targets(table, person_of(dataset.records["path"].to_numpy()[chosen[first]]))


def main(words: Sequence[str]) -> None:
    """`--name value` pairs, and those of a file that `--config` names → Config → fit."""
    if len(words) % 2 or not all(word.startswith("--") for word in words[::2]):
        sys.exit(f"usage: python -m fsclib.train [--config file.json] [--parameter value] …\n{Config.help()}")
    names = [word[2:].replace("-", "_") for word in words[::2]]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ConfigError([f"{named(name)}: given {names.count(name)} times, expected once" for name in twice])
    given = dict(zip(names, map(literal, words[1::2]), strict=True))
    file = given.pop("config", None)
    fit(Config(**({} if file is None else read_parameters(Path(str(file)))) | given))


def read_parameters(file: Path) -> dict[str, Any]:
    """Parameters by name, as JSON: {"dataset": "llcm", …}, or the config.json of a run. ValueError for anything else."""
    try:
        found = read_json(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if isinstance(found, dict) and isinstance(found.get("config"), dict):
        found = found["config"]
    if not isinstance(found, dict):
        raise ValueError(f'{file}: found {shown(found)}, expected parameters by name, as in {{"dataset": "llcm"}}')
    return found


def literal(text: str) -> object:
    """The Python value that a word writes, or the word itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # {[]: 1}, and what is nested too deep
        return text


if __name__ == "__main__":
    launch.end_with_the_starter()
    try:
        main(sys.argv[1:])
    except Elsewhere as error:
        launch.stand_back(error)
    except (ValueError, OSError, DatasetError, RunError, CheckpointError, DecodingError, TrainingError) as error:
        launch.explain(error)
        sys.exit(str(error))  # these say what to do; a traceback would bury it
