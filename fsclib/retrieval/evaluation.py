"""Evaluates a network on every trial of every protocol, from the embeddings of a split.

Each distinct image is embedded once, however many trials use it, and compared once with each image of the other modality.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pandas as pd
import torch

from fsclib import metrics
from fsclib.data import protocols
from fsclib.data.datasets import LAYOUTS
from fsclib.data.images import Images
from fsclib.data.layouts.permutations import Permutations
from fsclib.data.literature import recorded
from fsclib.data.protocols import Protocol
from fsclib.data.records import INFRARED, NO_MATCH, VISIBLE, Dataset, DatasetError, Problem, select
from fsclib.metrics import chance, differences
from fsclib.metrics.ranking import ties
from fsclib.models.base import Network
from fsclib.models.folding import folded
from fsclib.retrieval.features import WEIGHTINGS, Features, embed_together, read_features, similarity, write_features
from fsclib.runs import Run, RunError, checkpoint
from fsclib.runs.assemble import images_of, network_of
from fsclib.system.device import device_of, precision_of
from fsclib.system.processes import ALONE, Processes

logger = logging.getLogger(__name__)
RANKS = tuple(range(1, metrics.RANKS + 1))
SHOWN = ["rank1", "rank5", "rank10", "rank20", "map", "minp"]


@dataclass(frozen=True, eq=False)
class Search:
    """One trial: every query of a protocol searched for in one gallery. identity: (Q,) int64, of the queries."""

    mode: str
    direction: str
    trial: int
    weighting: str
    mirror: bool
    identity: np.ndarray
    found: metrics.PerQuery


def score(
    similarities: np.ndarray, records: pd.DataFrame, query: np.ndarray, gallery: np.ndarray, scoring: str
) -> metrics.PerQuery:
    """Scores each query of a (Q, G) similarity between records under one scoring rule."""
    identity, camera = records["identity"].to_numpy(), records["camera"].to_numpy()
    return metrics.per_query(similarities, identity[query], identity[gallery], camera[query], camera[gallery], scoring)


def unseen_by(records: pd.DataFrame, query: np.ndarray, gallery: np.ndarray, scoring: str) -> np.ndarray:
    """Which gallery records the scoring rule hides from a query: (Q, G) bool."""
    identity, camera = records["identity"].to_numpy(), records["camera"].to_numpy()
    return metrics.hidden(identity[query], identity[gallery], camera[query], camera[gallery], scoring)


def search(
    features: Features,
    records: pd.DataFrame,
    chosen: Sequence[Protocol],
    *,
    mirrors: Sequence[bool] = (True, False),
    weightings: Sequence[str] = tuple(WEIGHTINGS),
    further: Sequence[Protocol] = (),
    permutations: Permutations | None = None,
) -> Iterator[Search]:
    """Every trial of the chosen protocols, one per (mirror, weighting, protocol, trial).

    further: protocols searched with equal weighting and mirror images only, since ten images per person and camera take ten times
    as long. permutations: those of the data set, which official protocols need.
    """
    visible, infrared = (select(records, "test", modality) for modality in (VISIBLE, INFRARED))
    identity = records["identity"].to_numpy()
    place = np.full(len(records), -1)
    place[visible], place[infrared] = np.arange(len(visible)), np.arange(len(infrared))
    is_visible = (records["modality"] == VISIBLE).to_numpy()
    trials = [
        (p, trial, *protocols.query_and_gallery(records, p, trial, permutations=permutations))
        for p in (*chosen, *further)
        for trial in range(p.trials)
    ]
    for mirror in mirrors:
        sides = features.of(visible, mirror), features.of(infrared, mirror)
        for weighting in weightings:
            across = similarity(*sides, weighting)  # visible × infrared: every protocol and trial looks up its part
            for p, trial, query, gallery in trials:
                if p in further and not (mirror and weighting == "equal"):
                    continue
                flip = not is_visible[query[0]]
                part = across[np.ix_(place[gallery], place[query])].T if flip else across[np.ix_(place[query], place[gallery])]
                found = score(part, records, query, gallery, p.scoring)
                yield Search(p.mode, p.direction, trial, weighting, mirror, identity[query], found)


def evaluate(features: Features, records: pd.DataFrame, chosen: Sequence[Protocol], **options: Any) -> pd.DataFrame:
    """Every trial of the chosen protocols: one row per (protocol, trial, weighting, mirror), all figures in per cent.

    Columns: mode, direction, trial (from 0), weighting, mirror, queries, rank1 … rank20, map, minp. options: those of `search`.
    """
    return tabulate(search(features, records, chosen, **options))


def tabulate(searches: Iterable[Search]) -> pd.DataFrame:
    """The table of `evaluate`, from finished searches. Logs a warning if many queries have ties."""
    searches = list(searches)
    if searches and (warning := ties(*(s.found for s in searches))):
        logger.warning(warning)
    keys = ("mode", "direction", "trial", "weighting", "mirror")
    return pd.DataFrame([{key: getattr(s, key) for key in keys} | as_row(metrics.average(s.found)) for s in searches])


def by_identity(searches: Iterable[Search]) -> pd.DataFrame:
    """Breaks the headline figures (equal weighting, with mirror images) down: one row per protocol and query identity, in per cent.

    Columns: mode, direction, identity, share, rank1, map, minp, as in metrics.differences.by_identity.
    """
    trials: dict[tuple[str, str], list[tuple[np.ndarray, metrics.PerQuery]]] = {}
    for s in searches:
        if s.weighting == "equal" and s.mirror:
            trials.setdefault((s.mode, s.direction), []).append((s.identity, s.found))
    parts = [differences.by_identity(found).assign(mode=mode, direction=direction) for (mode, direction), found in trials.items()]
    return pd.concat(parts, ignore_index=True)[["mode", "direction", "identity", "share", *differences.FIGURES]]


def as_row(found: metrics.Metrics) -> dict[str, float]:
    """Metrics as table columns, in per cent."""
    cmc = {f"rank{rank}": 100 * found.cmc[rank - 1] for rank in RANKS}
    return {"queries": found.queries} | cmc | {"map": 100 * found.map, "minp": 100 * found.minp}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over trials: columns rank1, rank1_std, … for SHOWN; one trial has standard deviation nan."""
    groups = table.groupby(["mode", "direction", "weighting", "mirror"], sort=False)
    mean, spread = groups[SHOWN].mean(), groups[SHOWN].std()
    joined = pd.concat([mean, spread.add_suffix("_std")], axis=1)
    order = [name for column in SHOWN for name in (column, f"{column}_std")]
    return joined[order].assign(trials=groups.size()).reset_index()


def compact(table: pd.DataFrame) -> pd.DataFrame:
    """The table of `evaluate` with the ranks of SHOWN only, to two decimals."""
    return table[["mode", "direction", "trial", "weighting", "mirror", "queries", *SHOWN]].round(2)


def cmc_by_protocol(table: pd.DataFrame, shown: Sequence[Protocol]) -> dict[str, np.ndarray]:
    """Matching rates (trials, 20) in per cent of some protocols in a table of `evaluate`; equal weighting, with mirror images."""
    keys = pd.MultiIndex.from_tuples([(p.mode, p.direction) for p in shown])
    tested = pd.MultiIndex.from_frame(table[["mode", "direction"]]).isin(keys)
    chosen = table[tested & (table["weighting"] == "equal") & table["mirror"]]
    ranks = [f"rank{rank}" for rank in RANKS]
    groups = chosen.groupby(["mode", "direction"], sort=False)
    return {" ".join(part for part in name if part): group[ranks].to_numpy() for name, group in groups}


def validate(
    net: Network, images: Images, device: torch.device, precision: torch.dtype, on: str, processes: Processes = ALONE
) -> dict[str, float]:
    """rank-1, mAP and mINP in per cent, infrared→visible, without mirror images, under the data set's own protocol.

    on="holdout": on the held-out training identities, means over the galleries; on="test": on the test images, in the first
    gallery. val_chance: expected rank-1 of a random order in the same galleries; it shows how much easier a search among the
    held-out people is than one among the test people, who may be more. With several processes only process 0 gets the figures.
    Errors: ValueError if no query has a permitted match.
    """
    protocol = images.dataset.spec.validation
    split, trials = ("val", protocol.trials) if on == "holdout" else ("test", 1)
    drawn = [protocols.query_and_gallery(images.records, protocol, trial, split) for trial in range(trials)]
    rows = np.unique(np.concatenate([part for pair in drawn for part in pair]))
    features = embed_together(folded(net), images, rows, device, precision, processes, mirror=False, show=False)
    if features is None:
        return {}
    identity, camera = (images.records[column].to_numpy() for column in ("identity", "camera"))
    found = []
    for query, gallery in drawn:
        across = similarity(features.of(query, False), features.of(gallery, False))
        own = metrics.average(score(across, images.records, query, gallery, protocol.scoring))
        random = chance.evaluate(identity[query], identity[gallery], camera[query], camera[gallery], protocol.scoring)
        found.append((own.cmc[0], own.map, own.minp, random.cmc[0]))
    figures = 100 * np.mean(found, axis=0)
    return dict(zip(("val_rank1", "val_map", "val_minp", "val_chance"), figures.tolist(), strict=True))


def evaluate_run(run: Run, *, trial: int | None = None, images: Images | None = None) -> pd.DataFrame:
    """Tests the best checkpoint of a run under every protocol of its data set, and completes the run.

    The data set's further protocols are tested with equal weighting and mirror images only. Writes tables/trials,
    tables/summary, tables/identities, the embeddings and, last, metrics.json. Returns the table of `evaluate`, in which the column
    `trial` holds RegDB's split. `trial`: the split that the caller expects to test; `images`: those of the run, if already open.
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
    table = tabulate(searches)
    if config.spec.splits > 1:
        table["trial"] = config.trial
    run.save_table(table, "trials")
    summary = summarise(table)
    run.save_table(summary, "summary")
    run.save_table(by_identity(searches), "identities")
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


def check_validation(records: pd.DataFrame, protocol: Protocol) -> None:
    """Refuses held-out people among whom no query has a permitted match. ValueError that says what to do."""
    if not _searchable(records, protocol, "val"):
        people = records.loc[records["split"] == "val", "identity"].nunique()
        found = f"none of the {people} held-out people has images that the protocol may compare"
        raise ValueError(f"select_on: found 'holdout', but {found}; use select_on=last, which holds out nobody")


def _searchable(records: pd.DataFrame, protocol: Protocol, split: str) -> bool:
    """Whether any query has a permitted match; every trial has the same identities and cameras."""
    identity = records["identity"].to_numpy()
    query, gallery = protocols.query_and_gallery(records, protocol, 0, split)
    unseen = unseen_by(records, query, gallery, protocol.scoring)
    return bool(((identity[query, None] == identity[gallery]) & ~unseen).any())


def check_protocols(dataset: Dataset) -> None:
    """Refuses a data set in which some protocol has no query with a permitted match. DatasetError that lists these protocols."""
    problems = []
    index = LAYOUTS[dataset.spec.layout].retrieval_index(dataset.trial)
    for protocol in dataset.spec.protocols:
        if not _searchable(dataset.records, protocol, "test"):
            found = f"no query of {dataset.name} {protocol} has a permitted match"
            problems.append(Problem(index, None, found, "check the cameras and identities of the test images", NO_MATCH))
    if problems:
        raise DatasetError(problems, f"{dataset.name} in {dataset.root}")


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
