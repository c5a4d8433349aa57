"""Own figures beside published ones, only where the two are comparable.

A table holds one data set, mode, direction and setting; each way of testing has its own table. Own runs are supervised and not
re-ranked, so they appear in tables of that setting only. Runs on synthetic people, on data of unknown origin, or on data whose
numbers of images and identities are not the published ones (DatasetSpec.reported, within 2 %) are refused.

published.csv has one row per method and table, in per cent, with its source. A method that has published no accuracy, such as
FSC-Net, has rows without figures, the first of their tables.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from fsclib.config.schema import RECIPE
from fsclib.config.specs import DATASETS
from fsclib.data.literature import departures
from fsclib.data.protocols import DIRECTIONS
from fsclib.runs import config_of, finished
from fsclib.system.errors import FsclibError
from fsclib.system.reading import read_text

FILE = Path(__file__).with_name("published.csv")
FIGURES = ("rank1", "map", "minp")
TABLE = ["dataset", "mode", "direction", "setting"]  # rows that agree in these share a table
COLUMNS = ["method", "venue", "year", "backbone", "image_size", *TABLE[:3], *FIGURES, "setting", "source", "note"]
SINGLE_SHOT = "supervised, single-shot, no re-ranking"  # the settings of our own runs
MULTI_SHOT = "supervised, multi-shot, no re-ranking"
UNPUBLISHED = "published no accuracy"  # the note of a row without figures
# Figures that these sources give for methods other than the named one are secondary: copied or rerun. The file does not mark them.
OTHERS = {
    "DEEN paper, arXiv 2303.14481": "DEEN", "ZYK100/LLCM README": "DEEN",
    "MDCRNet paper, tables 1-2": "MDCRNet", "QS-DENG/CMAF README, version with results": "CMFN",
}  # fmt: skip

NETWORKS = {
    "fsc": "FSC-Net", "deen": "DEEN", "agw": "AGW", "bdtr": "BDTR on the two-stream network", "twostream": "two-stream",
    "onestream": "one-stream", "zeropad": "deep zero-padding",
}  # fmt: skip
SELECTED = {"last": "last epoch", "holdout": "selected on held-out identities", "test": "test-selected"}
INCOMPARABLE = {  # why a run is not comparable, by whether its people are synthetic
    True: "made on synthetic people, expected the real data set",
    None: 'config.json does not record whether its people are synthetic; add "synthetic": true or false to its "environment"',
}
MIXED = "selected on the test images, unlike other own runs; a table holds runs of one kind"
UNCOUNTED = "metrics.json does not record the numbers of images and identities; test the run again with 03_evaluate"


class PublishedError(FsclibError, ValueError):
    """Unusable rows, or figures that are not comparable: the message lists all problems."""

    def __init__(self, heading: str, problems: Iterable[str]):
        self.heading, self.problems = heading, tuple(problems)
        super().__init__(self.heading, self.problems)

    def __str__(self) -> str:
        return "\n".join([f"{self.heading}:", *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True, eq=False)
class Table:
    """Comparable rows: published ones without figures, then the others by year, then own ones.

    frame, for CSV: own (bool), method, venue, year (Int64), backbone, image_size; rank1, map, minp in per cent, each with its
    standard deviation over runs, …_std (nan: published, or a single run); protocol (own: how it was tested; else the setting),
    source (own: the runs), secondary (bool: copied or rerun by another publication), note.
    """

    frame: pd.DataFrame
    caption: str
    label: str

    def shown(self) -> pd.DataFrame:
        """The rows as text, without empty columns: † marks secondary figures, [a] refers to a note in the caption."""
        rows = self.frame
        references = {"": ""} | {note: f" [{letter}]" for note, letter in _letters(rows["note"]).items()}
        shown = {
            "method": rows["method"] + rows["secondary"].map({True: "†", False: ""}) + rows["note"].map(references),
            "venue": (rows["venue"] + " " + rows["year"].astype("string").fillna("")).str.strip(),
            "backbone": rows["backbone"],
            "input": rows["image_size"],
        }
        for figure, title in zip(FIGURES, ("rank-1", "mAP", "mINP"), strict=True):
            shown[title] = [_figure(*pair) for pair in zip(rows[figure], rows[f"{figure}_std"], strict=True)]
        shown = pd.DataFrame(shown | {"source": rows["protocol"].where(rows["own"], rows["source"])})
        return shown.loc[:, (shown != "").any()]


def literature(path: Path | None = None) -> pd.DataFrame:
    """Published results, by default from published.csv: COLUMNS, and secondary (bool: copied or rerun by another publication).

    year is Int64; rank1, map, minp are float64, in per cent, nan if the source has none; all else is text.
    Errors: PublishedError that lists every missing column, or else all problems of all rows.
    """
    file = path or FILE
    try:
        reader = csv.DictReader(io.StringIO(read_text(file), newline=""))
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        rows = [] if missing else [(reader.line_num, row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise PublishedError(f"{file} cannot be used", [f"not a CSV file in UTF-8: {error}"]) from error
    if missing:
        raise PublishedError(f"{file} cannot be used", [f"no column {name}, expected {', '.join(COLUMNS)}" for name in missing])
    seen: dict[tuple[str, ...], int] = {}
    problems = [f"line {line}: {problem}" for line, row in rows for problem in _problems(row, line, seen)]
    if problems:
        raise PublishedError(f"{file} cannot be used", problems)
    found = pd.DataFrame([row for _, row in rows], columns=COLUMNS)
    found["year"] = pd.to_numeric(found["year"]).astype("Int64")
    found[list(FIGURES)] = found[list(FIGURES)].apply(pd.to_numeric)
    others = found["source"].map(OTHERS)
    return found.assign(secondary=found["source"].str.endswith("(secondary)") | (others.notna() & (others != found["method"])))


def tables_of(own_runs: pd.DataFrame, dataset: str) -> list[Table]:
    """All tables of a data set, one per mode, direction and setting of the literature. Errors: as in `beside`."""
    found = literature()
    keys = found.loc[found["dataset"] == dataset, TABLE].drop_duplicates()
    return [beside(own_runs, *key) for key in keys.itertuples(index=False, name=None)]


def with_own(own_runs: pd.DataFrame, dataset: str, left_out: Iterable[str] = ()) -> list[Table]:
    """The tables of a data set in which own runs stand beside published ones. Errors: as in `beside`.

    own_runs, left_out: as `comparable` returns them; the captions give the reasons for runs left out.
    """
    reasons = Counter(sentence.partition(": ")[2] for sentence in left_out)
    listed = [f"{number} own run{'s' * (number > 1)} ({reason})" for reason, number in reasons.items()]
    note = f" Left out: {', '.join(listed)}." if listed else ""
    found = [table for table in tables_of(own_runs, dataset) if table.frame["own"].any()]
    return [replace(table, caption=table.caption + note) for table in found]


def comparable(own_runs: pd.DataFrame, dataset: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of runs.table() comparable with the literature of a data set, and a sentence for each run that is not.

    Runs selected on the test images are left out if there are others.
    """
    if own_runs.empty:
        return own_runs, []
    rows = finished(own_runs[own_runs["dataset"] == dataset])
    reasons = [_incomparable(row) for row in rows.to_dict("records")]
    selected = [_test_selected(row) for row in rows.to_dict("records")]
    if len({chosen for chosen, reason in zip(selected, reasons, strict=True) if not reason}) > 1:
        reasons = [reason or MIXED * chosen for reason, chosen in zip(reasons, selected, strict=True)]
    fit = [not reason for reason in reasons]
    named = zip(rows["name"], reasons, strict=True)
    return rows[fit], [f"{dataset}/{name}: {reason}" for name, reason in named if reason]


def beside(own_runs: pd.DataFrame, dataset: str, mode: str, direction: str, setting: str = SINGLE_SHOT) -> Table:
    """Published figures of one setting by year, then rank-1, below methods that have published none; in the setting of our own
    runs, own ones below them.

    own_runs: rows of runs.table(); unfinished runs, runs moved aside and those of other data sets are skipped. Runs that differ
    only in the seed, for RegDB in seed or trial, form one row.
    Errors: PublishedError for a table that the literature does not have, or that names every own run that is not comparable.
    """
    own = _own(own_runs, dataset, mode, direction) if setting == _setting(dataset, mode) else []
    _refuse_incomparable(own)
    found, key = literature(), (dataset, mode, direction, setting)
    rows = found[(found[TABLE] == list(key)).all(axis=1)].sort_values(["year", "rank1"], kind="stable")
    rows = rows.sort_values("rank1", key=pd.Series.notna, kind="stable")
    if rows.empty:
        known = found.loc[found["dataset"] == dataset, TABLE] if dataset in set(found["dataset"]) else found[["dataset"]]
        expected = known.drop_duplicates().itertuples(index=False, name=None)
        raise PublishedError(f"no published results for {key}, expected one of", map(str, expected))
    frame = pd.DataFrame([*rows.assign(own=False, protocol=rows["setting"]).to_dict("records"), *map(_row, own)])
    figures = [name for figure in FIGURES for name in (figure, f"{figure}_std")]
    columns = ["own", *COLUMNS[:5], *figures, "protocol", "source", "secondary", "note"]
    frame = frame.reindex(columns=columns).astype(dict.fromkeys(figures, "float64") | {"year": "Int64"})
    frame = frame.fillna(dict.fromkeys(("venue", "note"), ""))
    bold = "Own results in bold: means over the protocol's trials; with several runs, mean ± standard deviation over runs."
    caption = [
        f"{DATASETS[dataset].caption(mode)}, {DIRECTIONS[direction]}: {setting}. In per cent.",
        *([bold] if own else []),
        "Own figures on synthetic data, or on other numbers of images or identities than the published ones, are not comparable "
        "and are excluded.",
        "Published programs choose the epoch on the test images, so published figures are too high.",
        *(["† Not the method's own figures: copied or rerun by another publication."] if rows["secondary"].any() else []),
        *(f"[{letter}] {note.rstrip('.')}." for note, letter in _letters(rows["note"]).items()),
    ]
    return Table(frame, " ".join(caption), "tab:" + re.sub("[^a-z0-9]+", "-", " ".join(filter(None, key)).lower()))


def _problems(row: Mapping[str | None, Any], line: int, seen: dict[tuple[str, ...], int]) -> list[str]:
    """The problems of a row; `seen`: the lines of earlier rows, which it must not repeat."""
    if None in row or None in row.values():
        return [f"too {'many' if None in row else 'few'} fields, expected {len(COLUMNS)}; put text with commas in quotes"]
    problems = [f"{name} is empty, expected text" for name in ("method", "setting", "source") if not row[name].strip()]
    tested = [(name, mode) for name, spec in DATASETS.items() if not spec.synthetic for mode in spec.modes]
    if (row["dataset"], row["mode"]) not in tested:
        expected = "; ".join(" ".join(known).strip() for known in tested)
        problems.append(f"found data set {row['dataset']!r} with mode {row['mode']!r}, expected one of: {expected}")
    spec = DATASETS.get(row["dataset"])
    directions = sorted({p.direction for p in spec.protocols} if spec else DIRECTIONS)
    if row["direction"] not in directions:
        problems.append(f"direction: found {row['direction']!r}, expected {' or '.join(directions)}")
    if not re.fullmatch(r"((19|20)[0-9]{2})?", row["year"]):
        problems.append(f"year: found {row['year']!r}, expected four digits or nothing")
    unpublished = row["note"] == UNPUBLISHED
    for name in FIGURES:
        number = re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", row[name]) and float(row[name]) <= 100
        if unpublished and row[name]:
            problems.append(f"{name}: found {row[name]!r}, expected nothing beside the note {UNPUBLISHED!r}")
        elif not number and (row[name] or (name == "rank1" and not unpublished)):
            other = f"nothing with the note {UNPUBLISHED!r}" if name == "rank1" else "nothing"
            problems.append(f"{name}: found {row[name]!r}, expected 0 to 100 per cent or {other}")
    key = tuple(row[name] for name in ("method", *TABLE))
    if (first := seen.setdefault(key, line)) != line:
        problems.append(f"{', '.join(filter(None, key))}: repeats line {first}; keep one of the two")
    return problems


def _own(own_runs: pd.DataFrame, dataset: str, mode: str, direction: str) -> list[dict[str, Any]]:
    """Finished runs with this protocol, replicates grouped, sorted by rank-1: the row of the first replicate in runs.table() with
    `runs`, all their rows, `synthetic` (True, False, or None for unknown), and each figure with its standard deviation."""
    several = dataset in DATASETS and DATASETS[dataset].splits > 1
    repeated = {"seed", "trial", "data_hash"} if several else {"seed"}  # each trial of RegDB has its own labels
    same = sorted({*RECIPE, "synthetic", "precision", "data_hash", "pixels_hash", "torch", "revision"} - repeated)
    prefix = ".".join(filter(None, ("metrics", mode, direction)))
    groups: dict[str, dict[tuple[int, int], dict[str, Any]]] = {}
    for run in finished(own_runs).to_dict("records"):
        if run["dataset"] == dataset and pd.notna(run.get(f"{prefix}.rank1")):
            run["synthetic"] = _origin(run)
            group = groups.setdefault(repr([run.get(name) for name in same]), {})
            group[run["seed"], run["trial"]] = run  # of duplicate runs the last by name counts, as in runs.siblings
    found = []
    for group in groups.values():
        values = {figure: [run[f"{prefix}.{figure}"] for run in group.values()] for figure in FIGURES}
        means = {figure: fmean(several) for figure, several in values.items()}
        spreads = {f"{figure}_std": stdev(several) for figure, several in values.items() if len(several) > 1}
        found.append(next(iter(group.values())) | means | spreads | {"runs": list(group.values())})
    return sorted(found, key=lambda row: row["rank1"])


def _origin(run: Mapping[str, Any]) -> bool | None:
    """Whether a run's people are synthetic; None: not recorded, because the run is from an earlier version."""
    said = run.get("synthetic")
    return said if isinstance(said, bool) else (DATASETS[run["dataset"]].synthetic or None)


def _incomparable(run: Mapping[str, Any]) -> str:
    """Why a run is not comparable with published ones, "" if it is."""
    if (synthetic := _origin(run)) is not False:
        return INCOMPARABLE[synthetic]
    if not isinstance(numbers := run.get("numbers"), dict):
        return UNCOUNTED
    differences = departures(numbers, run["dataset"])
    return f"no literature rows: {'; '.join(differences)}" if differences else ""


def _refuse_incomparable(own: Iterable[Mapping[str, Any]]) -> None:
    reasons = {f"{run['dataset']}/{run['name']}": _incomparable(run) for row in own for run in row["runs"]}
    if problems := [f"{name}: {reason}" for name, reason in reasons.items() if reason]:
        fix = "leave their rows out of own_runs; 03_evaluate and 06_ablation show them separately"
        raise PublishedError("own figures that are not comparable with published ones", [*problems, fix])
    chosen = {_test_selected(run): f"{run['dataset']}/{run['name']}" for row in own for run in row["runs"]}
    if len(chosen) > 1:
        fix = "leave the rows of one kind out of own_runs, as comparable does"
        raise PublishedError("own figures of two kinds", [f"{chosen[True]} is {MIXED}, such as {chosen[False]}", fix])


def _test_selected(run: Mapping[str, Any]) -> bool:
    return run.get("metrics.test_selected") is True or run["select_on"] == "test"


def _setting(dataset: str, mode: str) -> str:
    """The setting in which our own runs are tested under a mode."""
    spec = DATASETS.get(dataset)
    shots = [protocol.shots for protocol in (*spec.protocols, *spec.further) if protocol.mode == mode] if spec else []
    return MULTI_SHOT if max(shots, default=1) > 1 else SINGLE_SHOT


def _row(own: Mapping[str, Any]) -> dict[str, Any]:
    """A table row from a row of `_own`; a recipe other than the network's published one is called altered and described."""
    config = config_of(own)
    altered = ({"scale": config.scale} if config.scale != "paper" else {}) | config.departures()
    altered.pop("select_on", None)  # not part of the recipe in this sense, and always stated below
    words = [f"{k} {' '.join(map(str, v)) or 'none'}" if isinstance(v, list) else f"{k} {v}" for k, v in altered.items()]
    seeds, trials = (len({run[name] for run in own["runs"]}) for name in ("seed", "trial"))
    protocol = [
        *words,
        SELECTED["test" if _test_selected(own) else config.select_on],
        f"{own['metrics.weighting']} weighting",
        f"{'with' if own['metrics.mirror'] else 'without'} mirror images",
        *([f"{trials} of {config.spec.splits} trials"] if config.spec.splits > 1 else []),
        f"{seeds} seed{'s' * (seeds > 1)}",
    ]
    return {name: value for name, value in own.items() if name.removesuffix("_std") in FIGURES} | {
        "own": True,
        "method": NETWORKS.get(config.network, config.network) + (" (altered)" if words else ""),
        "backbone": config.backbone,
        "image_size": f"{config.height}x{config.width}",
        "protocol": ", ".join(protocol),
        "source": "own runs " + ", ".join(run["name"] for run in own["runs"]),
        "secondary": False,
    }


def _letters(notes: Iterable[str]) -> dict[str, str]:
    return {note: chr(ord("a") + number) for number, note in enumerate(dict.fromkeys(filter(None, notes)))}


def _figure(mean: float, spread: float) -> str:
    if pd.isna(mean):
        return ""
    return f"{round(mean, 2)}" if pd.isna(spread) else f"{mean:.1f} ± {spread:.1f}"
