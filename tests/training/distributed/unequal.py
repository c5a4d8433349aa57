"""Trains with a configuration per process: python -m tests.training.distributed.unequal <a list of them as JSON>, in each."""

import json
import os
import runpy
import sys

if __name__ == "__main__":
    own = json.loads(sys.argv[1])[int(os.environ["RANK"])]
    sys.argv[1:] = [word for name, value in own.items() for word in (f"--{name}", str(value))]
    runpy.run_module("fsclib.training", run_name="__main__")
