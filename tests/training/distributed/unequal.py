"""Trains with a configuration of its own in each process: python -m tests.training.distributed.unequal <JSON list of them>."""

import json
import os
import runpy
import sys

if __name__ == "__main__":
    own = json.loads(sys.argv[1])[int(os.environ["RANK"])]
    sys.argv[1:] = [word for name, value in own.items() for word in (f"--{name}", str(value))]
    runpy.run_module("fsclib.training", run_name="__main__")
