"""Compares finished runs that differ in only one switch with a baseline, and refuses incomparable ones (comparability.py).

A row is a value of the switch; its replicates are seeds, for RegDB seeds and trials. Figures are the headline figures, in per cent;
differences are paired by replicate and by person (metrics.differences.paired_difference). Only PRIMARY, infrared → visible in the
data set's first protocol, is tested for significance, corrected for the number of rows: of many tests some succeed by chance.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fsclib import runs
from fsclib.analysis.comparability import FACTS, REPLICATE, conditions, key, name_of, protocol_of, replicate, unlike, unpaired
from fsclib.config.schema import RECIPE, parsed
from fsclib.config.strict import nearest
from fsclib.data.protocols import DIRECTIONS
from fsclib.metrics.differences import ENOUGH_REPLICATES, FIGURES, Difference, holm, paired_difference
from fsclib.metrics.estimates import over_people, over_trainings, text
from fsclib.runs import Run
from fsclib.system.errors import FsclibError

DECIMALS = 1  # of printed figures; figures that print alike share a place
ENOUGH_PEOPLE = 100
PRIMARY = "rank1"  # the figure whose differences are tested
SIGNIFICANT = 0.05  # corrected p-value below which a difference is marked
NONE = Difference(np.nan, np.nan, np.nan)
SELECTED = {
    "last": "Every run is tested after its last epoch.",
    "holdout": "The tested epoch was chosen on identities held out of training.",
    "test": "Test-selected: the tested epoch was chosen on the test images themselves, so every figure is too high.",
}


class ComparisonError(FsclibError, ValueError):
    """Runs that cannot be compared: the message lists every reason and every refused row."""

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(["the runs cannot be compared:", *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True, eq=False)
class Comparison:
    """The result of `compare`. refused: a sentence for each row left out; notes: what a reader of the table must know.

    effects: one row per (protocol, figure, variant), the baseline first. Columns: protocol ("paper.ir2vis"), setting (the same in
    words), figure (rank1, map, minp), variant, runs, seeds, mean, std (over the runs; nan for one), difference to the baseline,
    low, high (95 % interval over people), low_seeds, high_seeds (over trainings; nan for one), p (of no difference; nan for fewer
    than three), detectable (see metrics.differences.Difference), primary (whether this figure is tested), p_holm (p of the primary
    figure, corrected for the number of rows), significant, place (1 best, 2 second best, else 0; ties share). The baseline's own
    difference is nan.
    examples: a run of each variant; names: of all runs. conditions: the augmentation and budget that all rows share, in words;
    "" if they differ.
    """

    switch: str
    baseline: str
    effects: pd.DataFrame
    notes: tuple[str, ...]
    refused: tuple[str, ...]
    examples: Mapping[str, Run] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    conditions: str = ""

    @property
    def title(self) -> str:
        """The effect that is compared, and the conditions."""
        return f"Effect of {self.switch}" + (f" at equal budget and augmentation: {self.conditions}" if self.conditions else "")

    @property
    def rows(self) -> pd.DataFrame:
        """One row per variant: variant, runs, seeds, then "<protocol>.<figure>.mean", "….std", "….difference", "….low" etc."""
        parts = [self.effects[["variant", "runs", "seeds"]].drop_duplicates().set_index("variant")]
        for (protocol, figure), part in self.effects.groupby(["protocol", "figure"], sort=False):
            numbers = part.set_index("variant").drop(columns=["protocol", "setting", "figure", "runs", "seeds"])
            parts.append(numbers.add_prefix(f"{protocol}.{figure}."))
        return pd.concat(parts, axis=1).reset_index()


def compare(
    table: pd.DataFrame,
    switch: str,
    baseline: Any,
    *,
    protocols: Sequence[str] | None = None,
    allow: Sequence[str] = (),
    results: Path | None = None,
) -> Comparison:
    """Compares the finished runs among rows of runs.table(results) by the values of a field of the recipe.

    baseline: the value that the others are compared with. protocols: as in metrics.json ("paper.ir2vis"), by default all.
    allow: recipe fields and comparability.FACTS in which rows may differ; the difference becomes a note. With "seed" (or "trial")
    allowed, those that all rows share are compared. Unfinished runs and runs moved aside are left out.
    Errors: ComparisonError that lists all invalid arguments, or every difference among the baseline's own runs, or, if no row is
    left to compare, every refused row; RunError for a folder that cannot be read.
    """
    value = _check(table, switch, baseline, allow)
    groups, first = _groups(table, switch, results), _label(value)
    if first not in groups:
        others = f"found {', '.join(groups)}" if groups else "no run is finished"
        raise ComparisonError([f"no finished run has {switch} {first}, the chosen baseline; {others}"])
    reference = groups.pop(first)
    reasons, differences = unlike(reference, reference[:1], switch, allow)
    if reasons:
        fix = "pass only those rows of runs.table() that belong together, or name what may differ in allow"
        raise ComparisonError([*(f"baseline {first}: {reason}" for reason in reasons), fix])
    kept, refused, noted = {first: reference}, [], {first: differences}
    for name, group in groups.items():
        reasons, noted[name] = unlike(group, reference, switch, allow)
        if reasons := reasons + unpaired(group, reference, allow):
            refused.append(f"{name}: {'; '.join(reasons)}")
        else:
            kept[name] = group
    common = set.intersection(*(set(map(key, group)) for group in kept.values()))
    if len(kept) == 1 or not common:
        raise ComparisonError([*refused, f"no row is left to compare with {first} on a seed and trial that all rows share"])
    finished, compared = sum(map(len, [reference, *groups.values()])), sum(map(len, kept.values()))
    kept = {name: [run for run in group if key(run) in common] for name, group in kept.items()}
    missing = compared - sum(map(len, kept.values()))
    contributions = {name: _contributions(group) for name, group in kept.items()}
    tested, partly = _tested(contributions)
    if unknown := [name for name in protocols or () if name not in tested]:
        raise ComparisonError(f"protocol {name!r} was not tested, expected one of {', '.join(tested)}" for name in unknown)
    effects = _effects(kept, contributions, protocols or tested)
    notes = [*_notes(kept, contributions[first], effects, switch)]
    pairs = {name: f"{name} and {first}" for name in kept} | {first: f"Runs of {first} among themselves"}
    notes += [f"{pairs[name]} differ in more than the switch: {'; '.join(noted[name])}." for name in kept if noted[name]]
    notes += [f"Left out: {missing} runs of a seed or trial that not all rows share."] * bool(missing)
    notes += [f"Left out: {', '.join(map(_setting, partly))}, under which not all runs were tested."] * bool(partly)
    notes += [f"Left out: {len(table) - finished} unfinished runs or runs moved aside."] * (len(table) > finished)
    examples = {name: group[0] for name, group in kept.items()}
    names = tuple(run.folder.name for group in kept.values() for run in group)
    same = conditions([run.config for group in kept.values() for run in group])
    return Comparison(switch, first, effects, tuple(notes), tuple(refused), examples, names, same)


def _check(table: pd.DataFrame, switch: str, baseline: Any, allow: Sequence[str]) -> Any:
    """The baseline's value in the type of the switch. ComparisonError that lists all invalid arguments."""
    admissible = [name for name in RECIPE if name not in ("dataset", *REPLICATE)]
    problems, value = [], baseline
    if switch not in admissible:
        problems.append(f"switch: found {switch!r}, expected one of {', '.join(admissible)}{nearest(str(switch), admissible)}")
    else:
        value, problem = parsed(switch, baseline)
        problems += [f"baseline: {problem}"] * bool(problem)
    known = [*RECIPE, *FACTS]
    problems += [f"allow: no such field as {name!r}{nearest(str(name), known)}" for name in allow if name not in known]
    if table.empty:
        problems.append("table: found no run, expected rows of runs.table(); train and test some first")
    elif len(datasets := list(table["dataset"].unique())) > 1:
        problems.append(f"table: found runs of {', '.join(datasets)}, expected one data set: pass table[table['dataset'] == …]")
    if problems:
        raise ComparisonError(problems)
    return value


def _groups(table: pd.DataFrame, switch: str, results: Path | None) -> dict[str, list[Run]]:
    """Finished runs grouped by the value of the switch, in the order of its choices, then by seed and trial."""
    finished = runs.finished(table)
    found = [runs.load(dataset, name, results) for dataset, name in zip(finished["dataset"], finished["name"], strict=True)]
    choices = list(RECIPE[switch].metadata["choices"])

    def order(run: Run) -> tuple:
        value = getattr(run.config, switch)
        parts = value if isinstance(value, tuple) else (value,)
        # a value that is no choice, such as a backbone of timm, comes after them
        places = [(choices.index(part) if part in choices else len(choices), part) for part in parts]
        return len(parts), places, key(run)

    groups: dict[str, list[Run]] = {}
    for run in sorted(found, key=order):
        groups.setdefault(_label(getattr(run.config, switch)), []).append(run)
    return groups


def _contributions(group: list[Run]) -> pd.DataFrame:
    """The tables of identities of all runs, with columns protocol and replicate."""
    found = pd.concat([run.read_table("identities").assign(replicate=replicate(run)) for run in group], ignore_index=True)
    return found.assign(protocol=protocol_of(found))


def _tested(contributions: dict[str, pd.DataFrame]) -> tuple[list[str], list[str]]:
    """The protocols under which all runs were tested, and those under which only some were."""
    runs_of = pd.concat(contributions, names=["variant"]).reset_index("variant")[["variant", "replicate", "protocol"]]
    counted = runs_of.drop_duplicates().groupby("protocol", sort=False).size()
    everyone = counted == len(runs_of[["variant", "replicate"]].drop_duplicates())
    return list(counted.index[everyone]), list(counted.index[~everyone])


def _effects(kept: dict[str, list[Run]], contributions: dict[str, pd.DataFrame], protocols: Sequence[str]) -> pd.DataFrame:
    """Comparison.effects; the first of `kept` is the baseline."""
    first, *_ = kept
    tested = name_of(kept[first][0].config.spec.validation)
    metrics = {name: pd.DataFrame([run.metrics for run in group]) for name, group in kept.items()}
    rows = []
    for protocol in protocols:
        parts = {name: found[found["protocol"] == protocol] for name, found in contributions.items()}
        for figure in FIGURES:
            column = f"{protocol}.{figure}"
            printed = {name: round(found[column].mean(), DECIMALS) for name, found in metrics.items()}
            best = sorted(set(printed.values()), reverse=True)[:2]
            for name, group in kept.items():
                row = {"protocol": protocol, "setting": _setting(protocol), "figure": figure, "variant": name, "runs": len(group)}
                row |= {"seeds": len({run.config.seed for run in group})}
                row |= {"mean": metrics[name][column].mean(), "std": metrics[name][column].std()}
                found = NONE
                if name != first:
                    found = paired_difference(*(parts[n].rename(columns={figure: "figure"}) for n in (name, first)))
                row |= {"difference": found.mean} | {k: v for k, v in asdict(found).items() if k != "mean"}
                place = 1 + best.index(printed[name]) if printed[name] in best else 0
                rows.append(row | {"primary": (protocol, figure) == (tested, PRIMARY), "place": place})
    effects = pd.DataFrame(rows)
    corrected = pd.Series(holm(effects["p"].where(effects["primary"])), effects.index)
    return effects.assign(p_holm=corrected, significant=corrected < SIGNIFICANT)


def _notes(kept: dict[str, list[Run]], people: pd.DataFrame, effects: pd.DataFrame, switch: str) -> Iterable[str]:
    """Sentences about the test: the people and queries, the number of runs, and the resulting limits."""
    group = next(iter(kept.values()))
    config, everyone = group[0].config, [run for part in kept.values() for run in part]
    fewest = ENOUGH_PEOPLE
    for protocol in effects["protocol"].unique():
        number = people.loc[people["protocol"] == protocol, "identity"].nunique()
        fewest = min(fewest, number)
        yield f"Test set, {_setting(protocol)}: {number} people, {_queries(group, protocol)} queries."
    yield from _absolute(group, effects["protocol"].unique())
    yield f"Trained models per row: {len(group)} ({'; '.join(map(replicate, group))})."
    if any(run.environment.get("synthetic", config.spec.synthetic) for run in everyone):
        yield "Synthetic people: figures are not comparable with published ones and say nothing about method rankings on real data."
    yield from dict.fromkeys(SELECTED[run.config.select_on] for run in everyone)
    departures = [f"{name} {value}" for name, value in config.departures().items() if name not in (switch, *REPLICATE)]
    preset = f"Recipe: the preset {config.scale} for {config.dataset}"
    yield f"{preset}, except for {', '.join(departures)}." if departures else f"{preset}."
    if config.spec.splits > 1 and len({run.config.seed for run in group}) > 1:
        yield "Seeds of one trial share its people, which the intervals over trainings ignore: they are too narrow."
    if changed := sum(not run.environment.get("revision") or "+" in run.environment["revision"] for run in everyone):
        yield f"{changed} of {len(everyone)} runs come from uncommitted code, which may have differed between them."
    yield from _significance(len(group), effects)
    if fewest < ENOUGH_PEOPLE:
        yield f"Small: fewer than {ENOUGH_PEOPLE} people were searched for, so the intervals themselves are uncertain."


def _absolute(group: list[Run], protocols: Collection[str]) -> Iterable[str]:
    """The baseline's figures with intervals over people, beside chance and raw pixels: a sentence per protocol."""
    people, references = over_trainings([run.read_table("identities") for run in group]), group[0].find_table("references")
    for row in over_people([people[protocol_of(people).isin(protocols)]]).to_dict("records"):
        own = " / ".join(text(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in ("rank1", "map"))
        parts = [f"baseline {own} (rank-1 / mAP, 95 % intervals over people)"]
        if references is not None:
            same = references[(references["mode"] == row["mode"]) & (references["direction"] == row["direction"])]
            parts += [f"{found['method']} {found['rank1']:.1f} / {found['map']:.1f}" for found in same.to_dict("records")]
        yield f"Absolute figures, {_setting('.'.join((row['mode'], row['direction'])))}: {'; '.join(parts)}."


def _significance(trainings: int, effects: pd.DataFrame) -> Iterable[str]:
    """Sentences about intervals and p-values, and the differences that could have been found."""
    if trainings < ENOUGH_REPLICATES:
        few = "One training per row compares these checkpoints, not the methods" if trainings == 1 else "Two trainings are too few"
        yield f"{few}: no difference is marked as significant. Intervals: 95 %, paired bootstrap over people."
        return
    yield (
        "Intervals: 95 %, the wider of those over people (paired bootstrap) and over trainings (Student's t). p: of no difference, "
        "the larger of the two."
    )
    primary = effects[effects["primary"] & effects["p"].notna()]
    if primary.empty:
        yield "Nothing is marked as significant: the figure to test, rank-1 infrared → visible, is not in this table."
        return
    named = f"{FIGURES[PRIMARY]}, {primary['setting'].iloc[0]}"
    correction = f"p corrected for {len(primary)} rows (Holm)" if len(primary) > 1 else "p"
    yield f"*: significant, {correction} below {SIGNIFICANT}; tested in one figure only, {named}."
    yield f"In that figure, differences of about {primary['detectable'].median():.1f} points would be found four times in five."


def _queries(group: list[Run], protocol: str) -> str:
    """The number of queries with a match, over the trials of all runs: "399", or "396 to 399"."""
    trials = pd.concat([run.read_table("trials") for run in group])
    trials = trials[protocol_of(trials) == protocol]
    return " to ".join(dict.fromkeys(f"{number:,}" for number in (trials["queries"].min(), trials["queries"].max())))


def _setting(protocol: str) -> str:
    mode, _, direction = protocol.rpartition(".")
    return ", ".join(part for part in (mode, DIRECTIONS[direction]) if part)


def _label(value: Any) -> str:
    return (" + ".join(value) or "none") if isinstance(value, tuple) else str(value)
