"""A sweep worker with stub notebooks: parameters set how long one takes and how it ends; ledger.txt lists the cells that ran."""

import os
import signal
import sys
import time

from workbook.sweep import worker
from workbook.sweep.cell import Job


def execute(job: Job) -> None:
    with (job.folder / "ledger.txt").open("a") as ledger:
        ledger.write(job.name + "\n")
    time.sleep(job.parameters.get("seconds", 0))
    end = job.parameters.get("end")
    if end == "error":
        raise RuntimeError("first line\nand last line")
    if end == "death":
        print("last output", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if end != "nothing":
        job.run_folder.mkdir(exist_ok=True)
        (job.run_folder / "metrics.json").write_text("{}")
    if end == "late":
        raise RuntimeError("a figure could not be drawn")


if __name__ == "__main__":
    sys.exit(worker.main(sys.argv[1:], execute))
