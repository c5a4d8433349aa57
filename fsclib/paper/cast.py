"""Which runs a paper is about, which ones its tables hold, and what of that is missing."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from fsclib import paths, retrieval, runs
from fsclib import sweep as sweeps
from fsclib.assemble import images_of
from fsclib.config import Config
from fsclib.data.images import Images
from fsclib.data.records import DatasetError
from fsclib.paper import commands
from fsclib.paper.items import CHECKPOINT, IMAGES, RUN, Missing
from fsclib.paper.options import NONE, PaperOptions
from fsclib.published import NETWORKS
from fsclib.runs import Run, RunError
from fsclib.strict import AUTO
from fsclib.sweep.cell import DONE, FAILED, state
from fsclib.sweep.file import SweepError
from fsclib.sweep.grid import Sweep


@dataclass(frozen=True, eq=False)
class Cast:
    """runs: finished, side by side, trained on one data set. table: finished runs on the images of the first, of runs.table().

    sweep: the ablation, with the word that names it in a command. images: of the first run, or the data set's own at its preset's
    size. unmet: of items.NEEDS what is not there, with the reason and the command. notes: sentences on what was left out.
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
        """Whether figures are of people who were drawn; runs said so only since some version, the demo's always are."""
        said = [run.environment.get("synthetic", self.options.dataset == "demo") for run in self.runs]
        return any(said) or (self.images is not None and self.images.synthetic)


def choose(options: PaperOptions) -> Cast:
    """The runs that the options name, or the usual ones. Errors: SweepError for a sweep that is named and not there or broken."""
    grids = _grids(options)
    own, missing = _side_by_side(options, grids)
    own, strangers = _alike(own)
    missing += strangers
    images, unmet = _images(options, own)
    if not own:
        first = next(iter(missing), Missing("runs", "no finished run"))
        unmet[RUN] = unmet[CHECKPOINT] = replace(first, what=RUN)
    elif lost := [run for run in own if not run.checkpoint("best").exists()]:
        names = ", ".join(run.folder.name for run in lost)
        unmet[CHECKPOINT] = Missing(CHECKPOINT, f"{names}: {lost[0].checkpoint('best').name} is gone; restore it")
    elif IMAGES in unmet:
        unmet[CHECKPOINT] = unmet[IMAGES]  # a network is looked at through images
    chosen = _ablation(options, grids)
    table, left_out = _table(options, own, chosen)
    return Cast(options, tuple(own), table, chosen, images, unmet, tuple(missing), tuple(left_out))


def _grids(options: PaperOptions) -> dict[str, Sweep]:
    """The sweeps that a run may be a cell of, by the word that names each in a command."""
    if options.sweep not in (AUTO, NONE):
        return {options.sweep: sweeps.read(options.sweep, check=False)}
    found = {}
    for file in sorted((paths.checkout() / "sweeps").glob("*.yaml")):
        with contextlib.suppress(SweepError):  # a broken sweep that nobody asked for is no concern of this paper
            found[file.stem] = sweeps.read(file, check=False)
    return found


def _side_by_side(options: PaperOptions, grids: dict[str, Sweep]) -> tuple[list[Run], list[Missing]]:
    """The finished runs among those that are asked for, and what is missing of them. ConfigError for what is no name."""
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
            missing.append(Missing(f"run {name}", reason, _how_to_make(named, grids)))
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
    """The same recipe without modules, DEEN, which stands beside FSC-Net as in notebook 05; or how to train it."""
    if not run.config.modules:
        return [], []
    names = [other.folder.name for other in runs.siblings(run, "modules") if not other.config.modules]
    if names:
        return [runs.load(options.dataset, name, **options.here) for name in names], []
    config = replace(run.config, modules=(), name=f"{run.folder.name[:90]}-plain", data_root=options.data_root)
    reason = f"no finished run has the recipe of {run.folder.name} without modules, so nothing stands beside it"
    return [], [Missing(NETWORKS["deen"], reason, commands.train(config))]


def _alike(found: list[Run]) -> tuple[list[Run], list[Missing]]:
    """The runs that were trained on the data of the first, and those that were not."""
    kept = [run for run in found if run.environment["data_hash"] == found[0].environment["data_hash"]]
    others = [run.folder.name for run in found if run not in kept]
    reason = f"trained on other images or splits than {found[0].folder.name}; name runs that share theirs" if found else ""
    return kept, [Missing(f"run {name}", reason) for name in others]


def _images(options: PaperOptions, own: Sequence[Run]) -> tuple[Images | None, dict[str, Missing]]:
    try:
        if own:
            return retrieval.run_images(own[0]), {}
        config = Config(dataset=options.dataset, data_root=options.data_root, workers=options.workers, strict=False)
        return images_of(config), {}
    except (DatasetError, RunError) as error:
        return None, {IMAGES: Missing(IMAGES, " ".join(str(error).split()))}


def _ablation(options: PaperOptions, grids: dict[str, Sweep]) -> tuple[str, Sweep] | None:
    """The sweep that is named, or the one on this data set with most finished runs, the larger where none has any."""
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
    """What is missing of the ablation."""
    word, grid = cast.sweep
    states = _cells(grid, cast.options.dataset)
    if left := sum(found != DONE for found in states):
        reason = f"{left} of its {len(states)} runs on {cast.options.dataset} are not finished"
        return Missing(f"sweep {grid.name}", reason, commands.sweep(word, FAILED in states))
    return None


def _table(options: PaperOptions, own: Sequence[Run], chosen: tuple[str, Sweep] | None) -> tuple[pd.DataFrame, list[str]]:
    """Finished runs on the images of the first, all of the data set or those of the sweep that is named, and who is left out."""
    names = None
    if options.sweep not in (AUTO, NONE):
        names = {run.folder.name for run in own} | {cell.name for cell in chosen[1].cells}
    found = runs.finished(runs.table(dataset=options.dataset, names=names))
    if found.empty or not own:
        return found.iloc[:0], []
    same = found["pixels_hash"] == own[0].environment["pixels_hash"]
    others = ", ".join(found.loc[~same, "name"])
    return found[same], [f"left out of tables, trained on other images than {own[0].folder.name}: {others}"] * bool(others)
