"""python -m fsclib.sweep FILE: runs a sweep, or with --status only shows how far it is."""

import argparse
import shutil
import sys
from collections.abc import Sequence

from fsclib.sweep import board, read, run
from fsclib.sweep.cell import FAILED, state
from fsclib.sweep.cluster import CLUSTERS, ClusterError
from fsclib.sweep.file import SweepError


def main(words: Sequence[str]) -> int:
    """Returns the exit status: 0, or 1 if any cell has failed. Errors: SweepError, ClusterError, ValueError."""
    asked = _parser().parse_args(words)
    sweep = read(asked.file, check=not asked.status)
    if not asked.status:
        run(sweep, workers=asked.workers, cluster=asked.cluster, retry=asked.retry)
    found = board.table(sweep)
    if asked.status:
        print(board.text(found, len(found) + 2, shutil.get_terminal_size((1000, 0)).columns))
    else:
        print(board.counts(found))
    failed = [cell for cell in sweep.cells if state(cell) == FAILED]
    for cell in failed:
        print(f"\n{cell.name} failed; its notebook: {cell.executed}\n  " + cell.error.rstrip().replace("\n", "\n  "))
    if failed:
        print("\nonce the cause is mended, the same command with --retry runs what failed again")
    return int(bool(failed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fsclib.sweep", description="Runs a grid of runs, each a notebook.")
    parser.add_argument("file", help="the sweep file, or its name below sweeps/")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="runs at a time; default: one a GPU, or without one, one for two cores")
    where.add_argument("--cluster", choices=CLUSTERS, help="run in jobs of submitit")
    parser.add_argument("--retry", action="store_true", help="run again what has failed")
    parser.add_argument("--status", action="store_true", help="show the board and run nothing")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("stopped; the same command goes on where this one was", file=sys.stderr)
        sys.exit(130)
    except (SweepError, ClusterError, ValueError, OSError) as error:
        sys.exit(str(error))
