"""python -m workbook.sweep FILE: runs a sweep, or with --status only shows its progress."""

import argparse
import shutil
import sys
from collections.abc import Sequence

from workbook.sweep import board, read, run
from workbook.sweep.cell import FAILED, state
from workbook.sweep.cluster import CLUSTERS, ClusterError
from workbook.sweep.file import SweepError


def main(words: Sequence[str]) -> int:
    """Returns the exit status: 0, or 1 if any cell has failed. Errors: SweepError, ClusterError, ValueError."""
    asked = _parser().parse_args(words)
    sweep = read(asked.file, check=not asked.status)
    if not asked.status:
        from workbook.sweep.equality import unequal

        for problem in unequal(sweep.cells):
            print(f"warning: {problem}", file=sys.stderr)
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
        print("\nfix the cause, then run the same command with --retry to run the failed cells again")
    return int(bool(failed))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workbook.sweep", description="Runs a grid of runs, one notebook each.")
    parser.add_argument("file", help="the sweep file, or its name below sweeps/")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="runs at a time; default: one per GPU, or one per two cores without a GPU")
    where.add_argument("--cluster", choices=CLUSTERS, help="run as submitit jobs")
    parser.add_argument("--retry", action="store_true", help="run failed cells again")
    parser.add_argument("--status", action="store_true", help="show the board and run nothing")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("stopped; run the same command to resume", file=sys.stderr)
        sys.exit(130)
    except (SweepError, ClusterError, ValueError, OSError) as error:
        sys.exit(str(error))
