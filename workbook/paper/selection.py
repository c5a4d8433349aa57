"""Selects the runs a paper is about and those its tables hold, and lists what is missing."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from fsclib import runs
from fsclib.analysis.literature import NETWORKS
from fsclib.config import Config
from fsclib.config.strict import AUTO
from fsclib.data.images import Images
from fsclib.data.records import DatasetError
from fsclib.retrieval import evaluation
from fsclib.runs import Run, RunError
from fsclib.runs.assemble import images_of
from fsclib.system import paths
from workbook import demo
from workbook import sweep as sweeps
from workbook.paper import commands
from workbook.paper.items import CHECKPOINT, IMAGES, RUN, Missing
from workbook.paper.options import NONE, PaperOptions
from workbook.sweep.cell import DONE, FAILED, state
from workbook.sweep.file import SweepError
from workbook.sweep.grid import Sweep


@dataclass(frozen=True, eq=False)
class Cast:
    """The selected runs. runs: finished, side by side, trained on the same data. table: rows of runs.table() of all finished runs
    on the images of the first.

    sweep: the ablation, with its name on the command line. images: of the first run, or of the data set at its preset's size.
    unmet: the entries of items.NEEDS that are missing, with reason and command. notes: sentences on what was left out.
    """

    options: PaperOptions
    runs: tuple[Run, ...]
    table: pd.DataFrame
    sweep: tuple[str, Sweep] | None
    images: Images | None
    unmet: dict[str, Missing]
    missing: tuple[Missing, ...]
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(run.folder.name for run in self.runs)

    @property
    def main(self) -> Run:
        return self.runs[0]

    @property
    def synthetic(self) -> bool:
        """Whether the people are synthetic. Old runs do not record it; the demo's people always are."""
        said = [run.environment.get("synthetic", run.config.spec.synthetic) for run in self.runs]
        return any(said) or (self.images is not None and self.images.synthetic)


def choose(options: PaperOptions) -> Cast:
    """Selects the runs that the options name, or the usual ones. Errors: SweepError for a named sweep that is missing or broken."""
    grids = _grids(options)
    own, missing = _side_by_side(options, grids)
    own, others = _alike(own)
    missing += others
    images, unmet = _images(options, own)
    if not own:
        first = next(iter(missing), Missing("runs", "no finished run"))
        unmet[RUN] = unmet[CHECKPOINT] = replace(first, what=RUN)
    elif lost := [run for run in own if not run.checkpoint("best").exists()]:
        names = ", ".join(run.folder.name for run in lost)
        unmet[CHECKPOINT] = Missing(CHECKPOINT, f"{names}: {lost[0].checkpoint('best').name} is gone; restore it")
    elif IMAGES in unmet:
        unmet[CHECKPOINT] = unmet[IMAGES]  # analysing a network takes images
    chosen = _ablation(options, grids)
    table, left_out = _table(options, own, chosen)
    return Cast(options, tuple(own), table, chosen, images, unmet, tuple(missing), tuple(left_out))


def _grids(options: PaperOptions) -> dict[str, Sweep]:
    """The sweeps that a run may belong to, by their names on the command line."""
    if options.sweep not in (AUTO, NONE):
        return {options.sweep: sweeps.read(options.sweep, check=False)}
    found = {}
    for file in sorted((paths.checkout() / "sweeps").glob("*.yaml")):
        with contextlib.suppress(SweepError):  # a broken sweep that was not requested does not concern this paper
            found[file.stem] = sweeps.read(file, check=False)
    return found


def _side_by_side(options: PaperOptions, grids: dict[str, Sweep]) -> tuple[list[Run], list[Missing]]:
    """The finished runs among those requested, and those missing. ConfigError for an invalid name."""
    usual = Config(dataset=options.dataset, data_root=options.data_root)
    names = (usual.name,) if options.runs == AUTO else options.runs
    found, missing = [], []
    for name in names:
        named = replace(usual, name=name)
        try:
            run = runs.load(options.dataset, name, **options.here)
        except RunError as error:
            there = (runs.folder_of(named) / "config.json").exists()
            reason = str(error) if there else f"there is no run {name} of {options.dataset}"
            missing.append(Missing(f"run {name}", reason, "" if there else _how_to_make(named, grids)))  # it would not be replaced
            continue
        if run.finished:
            found.append(run)
            continue
        trained = len(run.log()) >= run.config.epochs
        again = commands.evaluate(run.config, name) if trained else commands.train(run.config)
        told = "was not tested to the end" if trained else f"is not finished: {len(run.log())} of {run.config.epochs} epochs"
        missing.append(Missing(f"run {name}", f"{name} {told}", again))
    if options.runs == AUTO and found:
        others, lacking = _without_modules(found[0], options)
        found, missing = found + others, missing + lacking
    return found, missing


def _how_to_make(config: Config, grids: dict[str, Sweep]) -> str:
    for word, grid in grids.items():
        if any(cell.name == config.name and cell.config.dataset == config.dataset for cell in grid.cells):
            return commands.sweep(word)
    return commands.train(config)


def _without_modules(run: Run, options: PaperOptions) -> tuple[list[Run], list[Missing]]:
    """The run of the same recipe without modules (DEEN), to compare with FSC-Net as in notebook 05; or how to train it."""
    if not run.config.modules:
        return [], []
    names = [other.folder.name for other in runs.siblings(run, "modules") if not other.config.modules]
    if names:
        return [runs.load(options.dataset, name, **options.here) for name in names], []
    config = replace(run.config, modules=(), name=f"{run.folder.name[:90]}-plain", data_root=options.data_root)
    reason = f"no finished run has the recipe of {run.folder.name} without modules to compare it with"
    return [], [Missing(NETWORKS["deen"], reason, commands.train(config))]


def _alike(found: list[Run]) -> tuple[list[Run], list[Missing]]:
    """The runs trained on the data of the first, and the others as missing."""
    kept = [run for run in found if run.environment["data_hash"] == found[0].environment["data_hash"]]
    others = [run.folder.name for run in found if run not in kept]
    reason = f"trained on other images or splits than {found[0].folder.name}; name runs trained on the same data" if found else ""
    return kept, [Missing(f"run {name}", reason) for name in others]


def _images(options: PaperOptions, own: Sequence[Run]) -> tuple[Images | None, dict[str, Missing]]:
    try:
        if own:
            return evaluation.run_images(own[0]), {}
        config = Config(dataset=options.dataset, data_root=options.data_root, workers=options.workers, strict=False)
        demo.ensure(config.dataset, config.data_root)
        return images_of(config), {}
    except (DatasetError, RunError) as error:
        return None, {IMAGES: Missing(IMAGES, " ".join(str(error).split()))}


def _ablation(options: PaperOptions, grids: dict[str, Sweep]) -> tuple[str, Sweep] | None:
    """The named sweep, or the one with most finished runs on this data set; if none has any, the largest."""
    if options.sweep == NONE:
        return None
    if options.sweep != AUTO:
        return options.sweep, grids[options.sweep]
    sizes = {word: _cells(grid, options.dataset) for word, grid in grids.items()}
    fitting = {word: (sum(s == DONE for s in cells), len(cells)) for word, cells in sizes.items() if cells}
    best = max(fitting, key=fitting.get, default=None)
    return None if best is None else (best, grids[best])


def _cells(grid: Sweep, dataset: str) -> list[str]:
    return [state(cell) for cell in grid.cells if cell.config.dataset == dataset]


def unfinished(cast: Cast) -> Missing | None:
    """The unfinished runs of the ablation, if any."""
    word, grid = cast.sweep
    states = _cells(grid, cast.options.dataset)
    if left := sum(found != DONE for found in states):
        reason = f"{left} of its {len(states)} runs on {cast.options.dataset} are not finished"
        return Missing(f"sweep {grid.name}", reason, commands.sweep(word, FAILED in states))
    return None


def _table(options: PaperOptions, own: Sequence[Run], chosen: tuple[str, Sweep] | None) -> tuple[pd.DataFrame, list[str]]:
    """Finished runs on the images of the first, of the whole data set or of the named sweep; and a note on those left out."""
    names = None
    if options.sweep not in (AUTO, NONE):
        names = {run.folder.name for run in own} | {cell.name for cell in chosen[1].cells}
    found = runs.finished(runs.table(dataset=options.dataset, names=names))
    if found.empty or not own:
        return found.iloc[:0], []
    same = found["pixels_hash"] == own[0].environment["pixels_hash"]
    others = ", ".join(found.loc[~same, "name"])
    return found[same], [f"left out of tables, trained on other images than {own[0].folder.name}: {others}"] * bool(others)
