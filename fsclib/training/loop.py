"""The training loop, with resumption of interrupted runs.

All randomness in an epoch is seeded from (seed, epoch, process), so an interrupted run that resumes from its last checkpoint ends
with the same weights as an uninterrupted one. Several processes may train together; only process 0 writes and logs.
"""

import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any

import torch

from fsclib import runs
from fsclib.config import Config
from fsclib.models.base import Network
from fsclib.retrieval import evaluation, validation
from fsclib.runs import Run, checkpoint
from fsclib.runs.assemble import environment_of
from fsclib.system.device import device_of, name_of, precision_of
from fsclib.system.errors import FsclibError
from fsclib.system.processes import Processes, noticing, started
from fsclib.system.progress import progress
from fsclib.training import collapse, continuation, divergence, preparation
from fsclib.training.distributed import launch
from fsclib.training.distributed.rendezvous import joined
from fsclib.training.divergence import NotFinite
from fsclib.training.state import Training

logger = logging.getLogger(__name__)

SHOWN = ("lr", "total", "val_rank1", "val_map")
CHOSEN_BY = {"holdout": "val_map", "test": "val_rank1"}  # select_on → the column of the log that the best checkpoint maximises


class TrainingError(FsclibError, RuntimeError):
    """Training cannot continue: the message says where it stopped, on which images, and what was saved."""


def fit(config: Config) -> Run:
    """Trains the network of a configuration, or resumes its training, tests it, and returns the finished run.

    With `devices` above 1, or in each of several processes that know each other (distributed/rendezvous.py), they train together.
    Errors: DatasetError, RunError, CheckpointError, ValueError before any training; TrainingError when a loss is not finite.
    """
    if config.devices > 1 and started() == 1:
        preparation.check(config)  # fail early, before starting other processes
        if told := launch.run(config):
            raise TrainingError(told)
        return runs.load(config.dataset, config.name, data_root=config.data_root, device=config.device, workers=config.workers)
    with joined(device_of(config.device)) as processes, noticing(), contextlib.ExitStack() as held:
        return _fit(config, processes, held)


def _fit(config: Config, processes: Processes, held: contextlib.ExitStack) -> Run:
    device = device_of(config.device)
    precision = precision_of(config.precision, device)
    images, chosen, sampler = processes.agree(lambda: preparation.prepared(config, processes))
    around = environment_of(config, device, precision, images, processes.count)
    processes.agree(lambda: preparation.check_alike(config, around, processes))
    # only now: the lock is a file, and a training that is refused leaves nothing behind
    processes.agree(lambda: held.enter_context(runs.alone(config)) if processes.first else None)
    run = processes.agree(lambda: begin(config, around) if processes.first else Run(runs.folder_of(config), config))
    if processes.told(run.finished if processes.first else None):
        if processes.first:
            logger.info(f"{run.folder} is complete; nothing to train")
        return run
    start = time.monotonic()
    coded = preparation.attribute_targets(images.dataset, chosen, config.attributes_weight)
    training = Training(run, images, chosen, sampler, device, precision, processes, coded)
    net, optimizer, state = training.left_off()
    shared = training.shared(net)
    if processes.first:
        logger.info(f"{config.network} on {name_of(device)} ({device.type}) in {str(precision).removeprefix('torch.')}")
    if state["epoch"] >= 0 and processes.first:
        logger.info(f"{run.folder}: resuming after epoch {state['epoch'] + 1} of {config.epochs}")
    for epoch in range(state["epoch"] + 1, config.epochs):
        steps = training.steps(shared, optimizer, epoch)
        row = {"epoch": epoch, "lr": optimizer.param_groups[0]["lr"]}
        try:
            with progress(sampler.steps, f"epoch {epoch + 1}/{config.epochs}", shown=processes.first, passing=True) as bar:
                row |= divergence.mean_losses(steps, net, bar, processes)
        except NotFinite as found:
            steps.close()
            raise TrainingError(divergence.explain(training, epoch, found)) from None
        if config.select_on in CHOSEN_BY and ((epoch + 1) % config.validate_every == 0 or epoch + 1 == config.epochs):
            if config.batch == "per-process":
                processes.copy(net.buffers())
            row |= validation.validate(net, images, device, precision, config.select_on, processes)
        if processes.first:
            keep(run, row, net, optimizer, state)
            figures = ", ".join(f"{key} {value:.4g}" for key, value in row.items() if key in SHOWN)
            logger.info(f"epoch {epoch + 1}/{config.epochs}: {sampler.steps} steps in {row['seconds']:.0f} s, {figures}")
            if told := collapse.warning(row, training.settings.objective):
                logger.warning(told)
        processes.wait()
    if not config.epochs and processes.first:
        checkpoint.write(run.checkpoint("best"), net, None, state)
        checkpoint.write(run.checkpoint("last"), net, optimizer, state)
        logger.info(f"nothing to train; testing {config.network} with the weights of {config.init}")
    elif processes.first:
        logger.info(f"trained in {time.monotonic() - start:.0f} s; testing the checkpoint of epoch {state['best_epoch'] + 1}")
    if processes.count > 1:
        evaluation.run_features(run, images, processes)
    if processes.first:
        evaluation.evaluate_run(run, images=images)
    processes.wait()
    return run


def begin(config: Config, around: Mapping[str, Any]) -> Run:
    """The run of a configuration, begun or resumed, with the checkpoints of its parent if it continues one. Errors: as in `fit`."""
    continues = config.parent and not runs.resumes(config)
    if continues:
        continuation.check(config, around)
    run = runs.begin(config, around)
    if continues:
        continuation.copy(run)
    return run


def keep(run: Run, row: Mapping[str, float], net: Network, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Writes the results of an epoch: its row of the log, the best checkpoint if this is the best epoch, and the last one."""
    run.add_to_log(row)
    state["epoch"] = row["epoch"]
    if is_best(row, state["best"], run.config.select_on, run.config.epochs):
        state |= {"best": row.get(CHOSEN_BY.get(run.config.select_on, "")), "best_epoch": row["epoch"]}
        checkpoint.write(run.checkpoint("best"), net, None, state)
    # written last: a run killed before this line repeats the epoch, one killed after it does not
    checkpoint.write(run.checkpoint("last"), net, optimizer, state)


def is_best(row: Mapping[str, float], best: float | None, select_on: str, epochs: int) -> bool:
    """Whether the epoch of this row of the log is the best of `epochs` so far, by `select_on`; on a tie the earlier epoch stays."""
    if select_on == "last":
        return row["epoch"] + 1 == epochs
    value = row.get(CHOSEN_BY[select_on])
    return value is not None and (best is None or value > best)
