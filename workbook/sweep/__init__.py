"""Sweeps: a grid over the parameters of a notebook × seeds, each cell a notebook that papermill executes.

    file      reads a sweep file
    grid      a sweep file → cells; reports everything wrong with it at once, before the first run
    refusals  problems of cells that are valid individually
    equality  networks that notebook 06 would refuse to compare
    cell      the files and the state of a cell; runs one
    local     cells in worker processes on this machine        worker    such a process
    cluster   cells in SLURM jobs, through submitit
    board     the live table of all cells

From a shell: python -m workbook.sweep ablation. A worker imports this package too and needs no torch, so most modules are
imported late.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from workbook.sweep.grid import Sweep


def read(path: str | Path, check: bool = True) -> Sweep:
    """Reads a sweep file, given by its path or by its bare name below sweeps/. Errors: SweepError with all problems.

    check=False, for a sweep that is not going to run, skips the checks of existing runs and data sets.
    """
    from workbook.sweep import grid

    return grid.read(path, check)


def run(sweep: Sweep, *, workers: int | None = None, cluster: str | None = None, retry: bool = False) -> pd.DataFrame:
    """Runs the cells that are neither done nor failed, shows the board meanwhile, and returns it in its final state.

    workers   how many cells run at a time on this machine; None: one per GPU, or one per two cores without a GPU
    cluster   "slurm" or "local": run them as submitit jobs instead
    retry     run failed cells as well
    Errors: ValueError for an invalid argument, ClusterError; a cell that fails raises nothing, the board shows it.
    """
    from workbook.sweep import board, local
    from workbook.sweep import cluster as clusters
    from workbook.sweep.cell import FAILED, state

    if cluster is not None and workers is not None:
        raise ValueError(
            "found both workers and cluster, expected one: on a cluster the scheduler decides how many cells run; leave out workers"
        )
    if workers is not None and workers < 1:
        raise ValueError(f"workers: found {workers}, expected at least 1")
    if retry:  # all errors are cleared now, not cell by cell: what fails later, in this sweep or a parallel one, stays failed
        for cell in sweep.cells:
            if state(cell) == FAILED:
                cell.error_file.unlink(missing_ok=True)
    live = board.Live(sweep)
    try:
        if cluster is None:
            local.run(sweep.cells, local.default_workers() if workers is None else workers, live.update)
        else:
            clusters.run(sweep, cluster, live.update)
    finally:
        if live.last is not None:  # a sweep that was refused shows no board
            live.draw()
    return board.table(sweep)
