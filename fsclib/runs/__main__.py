"""Lists runs on the command line.

python -m fsclib.runs                 # all runs
python -m fsclib.runs DATASET NAME    # the results of one run, and the location of its files
"""

import sys
from collections.abc import Sequence

from fsclib import runs
from fsclib.runs import RunError
from fsclib.runs.headline import UNITS
from fsclib.system import log


def main(words: Sequence[str]) -> None:
    words = list(words)
    if len(words) == 2:
        run = runs.load(words[0], words[1])
        print(run.headline().to_string(index=False))
        selected = run.metrics.get("select_on", "not recorded")
        print(f"{UNITS}; selected on {selected}")
        print(f"figures: {run.folder / 'figures'}\ntables:  {run.folder / 'tables'}")
    elif not words:
        found = runs.table()
        print(found[["dataset", "name", "finished", "epochs_done"]].to_string(index=False) if len(found) else "there are no runs")
    elif words in (["-h"], ["--help"]):
        print(__doc__)
    else:
        sys.exit("usage: python -m fsclib.runs [DATASET NAME]")


if __name__ == "__main__":
    log.show()
    try:
        main(sys.argv[1:])
    except (RunError, OSError) as error:
        sys.exit(str(error))
