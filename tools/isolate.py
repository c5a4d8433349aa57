"""Measures the effect of each choice in the recipe: changes one choice at a time and keeps all others and the number of steps.

    python tools/isolate.py               # resumes where it stopped; --processes rows at a time, one thread per process
    python tools/isolate.py --row sgd     # one row only

Networks are trained on synthetic people (`standard`, 24 worlds × 50) at 128×48, from people/trunk unless a row says otherwise,
and tested on 300 others, in three galleries of 100. Results go into docs/learning.csv, one line per (row, seed), and
results/llcm/iso-…
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import make_weights
import pandas as pd

from fsclib.system import log

HOME = Path(__file__).parent.parent
TABLE = HOME / "docs" / "learning.csv"
CORPORA = {  # folder below data/ → arguments of the generator
    "people-iso": "--identities 1200 --worlds 24 --seed 20000 --train-share 0.99",
    "people-iso-300": "--identities 300 --worlds 6 --seed 20000 --train-share 0.84",
}
BASE = {  # 180 steps per epoch
    "dataset": "llcm", "scale": "tiny", "height": 128, "width": 48, "padding": 5, "epochs": 4, "workers": 1,
    "attributes_weight": 2.0, "network": "twostream", "small_epochs": 0,
}  # fmt: skip
RANDOM = {"init": "none", "lr": 1.5e-3, "body_lr": 1.5e-3}
FSC = {"network": "fsc"}
ROWS = {  # name → (changes to BASE, seeds)
    "base": ({}, (0, 1)),
    "sgd": ({"optimizer": "sgd", "lr": 0.05, "body_lr": 0.02, "weight_decay": 5e-4}, (0, 1)),
    "no-infonce": ({"infonce_weight": 0.0}, (0, 1)),
    "pooled": ({"metric_on": "pooled"}, (0, 1)),
    "no-attributes": ({"attributes_weight": 0.0}, (0, 1)),
    "no-smoothing": ({"label_smoothing": 0.0}, (0, 1)),
    "no-clip": ({"clip": 0.0}, (0,)),
    "people-300": ({"corpus": "people-iso-300", "epochs": 18}, (0, 1)),  # 40 steps per epoch
    "random": (RANDOM, (0,)),
    "random-full-width": (RANDOM | {"backbone": "resnet18"}, (0,)),
    "fsc": (FSC, (0,)),
    "fsc-cpm-0.8": (FSC | {"cpm_weight": 0.8, "ramp_from": 0, "ramp_steps": 0}, (0,)),
    "fsc-cpm-0.1": (FSC | {"cpm_weight": 0.1, "ramp_from": 0, "ramp_steps": 0}, (0,)),
    "fsc-no-cpm": (FSC | {"cpm_weight": 0.0, "orthogonality_weight": 0.0}, (0,)),
}


def measure(row: str, seed: int) -> dict[str, object]:
    """Trains and tests one row, in this process."""
    from fsclib.config import Config
    from fsclib.metrics import estimates
    from fsclib.retrieval import transfer
    from fsclib.training.loop import fit

    changes = dict(ROWS[row][0])
    folder = make_weights.draw(changes.pop("corpus", "people-iso"), CORPORA)
    values = BASE | changes | {"seed": seed, "data_root": str(folder), "name": f"iso-{row}-seed{seed}"}
    start = time.process_time()
    run = fit(Config(**values))
    spent = time.process_time() - start
    log, tables = run.log(), [table for _, table in make_weights.by_people(run, "standard")]
    last = {name: round(float(log[name].iloc[-1]), 3) for name in ("identity", "triplet_active", "pooled_cosine", "neck_cosine")}
    head = transfer.headline(estimates.over_people(tables))
    return {"row": row, "seed": seed, "epochs": run.config.epochs, "cpu_min": round(spent / 60, 1)} | last | head


def one(row: str, seed: int) -> None:
    """Runs a row in a separate process, unless it is already in the table."""
    if TABLE.exists() and len(done := pd.read_csv(TABLE)) and ((done["row"] == row) & (done["seed"] == seed)).any():
        return
    words = [sys.executable, __file__, "--row", row, "--seed", str(seed)]
    subprocess.run(words, check=True, env=os.environ | {"OMP_NUM_THREADS": "1", "FSCLIB_HEADLESS": "1"})


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures the effect of each choice in the recipe.")
    parser.add_argument("--row", choices=ROWS)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    log.show()
    if given.seed is not None:
        found = pd.DataFrame([measure(given.row, given.seed)])
        TABLE.parent.mkdir(exist_ok=True)
        found = pd.concat([pd.read_csv(TABLE), found]) if TABLE.exists() else found
        found.to_csv(TABLE, index=False)
        return
    rows = [given.row] if given.row else list(ROWS)
    pairs = [(row, seed) for row in rows for seed in ROWS[row][1]]
    pairs.sort(key=lambda pair: pair[1])  # the first seed of every row first
    with ThreadPoolExecutor(given.processes) as pool:
        list(pool.map(lambda pair: one(*pair), pairs))


if __name__ == "__main__":
    main()
