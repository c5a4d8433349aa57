"""Sweeps: a grid over the parameters of a notebook × seeds, each cell a notebook that papermill executes.

    file      a sweep file as it is written
    grid      a sweep file → cells; everything wrong with it refused at once, before the first run
    refusals  what is wrong with cells that are possible each
    cell      where a cell lies and what state it is in; runs one
    local     cells in worker processes of this machine        worker    such a process
    cluster   cells in jobs of SLURM, through submitit
    board     the live table of all cells

From a shell: python -m fsclib.sweep ablation. What runs a cell imports this package too and needs no torch, so it is imported late.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from fsclib.sweep.grid import Sweep


def read(path: str | Path, check: bool = True) -> Sweep:
    """The sweep of a file, given by its path, or by its bare name below sweeps/. Errors: SweepError with everything wrong; with
    check=False, for a sweep that is not to be run, existing runs and data sets are not looked at."""
    from fsclib.sweep import grid

    return grid.read(path, check)


def run(sweep: Sweep, *, workers: int | None = None, cluster: str | None = None, retry: bool = False) -> pd.DataFrame:
    """Runs the cells that are neither done nor failed, shows the board meanwhile, and returns it as it stands at the end.

    workers   how many cells run at a time on this machine; None: one a GPU, or without one, one for two cores
    cluster   "slurm" or "local": in jobs of submitit instead
    retry     run failed cells as well
    Errors: ValueError for an impossible argument, ClusterError; a cell that fails raises nothing, the board says so.
    """
    from fsclib.sweep import board, local
    from fsclib.sweep import cluster as clusters
    from fsclib.sweep.cell import FAILED, state

    if cluster is not None and workers is not None:
        raise ValueError("found both workers and cluster, expected one: on a cluster the scheduler says how many cells run")
    if workers is not None and workers < 1:
        raise ValueError(f"workers: found {workers}, expected at least 1")
    if retry:  # forgotten now and not cell by cell: what fails from here on, in this sweep or in one beside it, stays failed
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
        live.close()
    return board.table(sweep)
