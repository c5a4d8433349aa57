"""What each part of a network contributes: the tables and effects of a sweep."""

from collections.abc import Iterator
from functools import cache, partial

from fsclib import figures
from fsclib.analysis.comparison import Comparison, ComparisonError
from fsclib.figures import tables
from workbook import ablation
from workbook.paper import commands
from workbook.paper.items import Drawn, Item, Missing, Tabled
from workbook.paper.options import NONE
from workbook.paper.selection import Cast, unfinished
from workbook.sweep.grid import Sweep

TITLE = "Ablation"
BASELINES = {"modules": (), "network": "twostream"}  # as in notebook 06, if the sweep has such a row


def items(cast: Cast) -> Iterator[Item | Missing]:
    """A table, or one per protocol, and a figure for each comparison that the finished runs of the sweep allow."""
    if cast.options.sweep == NONE:
        return
    if cast.sweep is None:
        yield Missing("ablation", f"no file in sweeps/ has runs on {cast.options.dataset}; write one and name it: -p sweep FILE")
        return
    word, grid = cast.sweep
    left = unfinished(cast)
    try:
        found = ablation.compare_all(grid, _options(cast, grid))
    except ComparisonError as error:
        yield left or Missing("ablation", " ".join(str(error).split()), commands.sweep(word))
        return
    if left:
        yield left
    costs = cache(lambda: ablation.costs(found))
    for title, comparison in found.comparisons.items():
        name = ablation.file_name(title)
        measured = partial(_table, title, comparison, costs)
        yield Item(name=name, caption="", make=measured, runs=comparison.names)
        yield Item(
            name=f"{name}_effects",
            caption="Effect of {title}: paired differences to the row “{baseline}” in percentage points, with 95 % intervals: "
            "thick over people in the test set, thin over trainings, if there are several. Filled marks are significant. {notes}",
            make=partial(_effects, title, comparison),
            runs=comparison.names,
        )


def _options(cast: Cast, grid: Sweep) -> ablation.AblationOptions:
    """Options with the baselines of notebook 06, or the sweep's first value where it lacks them."""
    configs = [cell.config for cell in grid.cells if cell.config.dataset == cast.options.dataset]
    chosen = {}
    for name, usual in BASELINES.items():
        values = [getattr(config, name) for config in configs]
        value = usual if usual in values or not values else values[0]
        chosen[name] = (",".join(value) or NONE) if isinstance(value, tuple) else value
    return ablation.AblationOptions(dataset=cast.options.dataset, sweep=cast.sweep[0], execute=False, **chosen)


def _table(title: str, comparison: Comparison, costs) -> Tabled:
    rows, latex = tables.ablation(comparison, costs()[title], ablation.label(title))
    return Tabled(rows, latex=latex)


def _effects(title: str, comparison: Comparison) -> Drawn:
    small = " ".join(note for note in comparison.notes if note.startswith(("Small:", "*:", "One training", "Two trainings")))
    drawn = figures.effects(comparison.effects, comparison.title)
    return Drawn(drawn, {"title": title, "baseline": comparison.baseline, "notes": small})
