"""Compares FSC-Net, DEEN and AGW with the two-stream network: differences paired by person and training.

    python tools/networks.py             # the shipped runs of make_weights.py; one line per kind of people, network and figure
    python tools/networks.py --seeds 2   # with those of the second seed, which make_weights.py --run people-fsc-seed1 … trains

All are tested on the same people, 300 per kind (TESTS of make_weights.py), infrared → visible. The first interval is over people,
the second over trainings (metrics.differences.paired_difference).
"""

import argparse
from collections.abc import Sequence

import make_weights
import pandas as pd

SUFFIXES = ("", "-seed1")  # of the runs below results/llcm, one per seed


def found_by(names: Sequence[str], kind: str) -> pd.DataFrame:
    """Results of runs below results/llcm, infrared → visible, as replicates of one method.

    Columns replicate, identity, share and figures in per cent, as metrics.differences.paired_difference takes them.
    """
    from fsclib import runs

    parts = []
    for number, name in enumerate(names):
        run, worlds = runs.load("llcm", name), make_weights.worlds(kind)
        for world, (_, table) in zip(worlds, make_weights.by_people(run, kind), strict=True):
            chosen = table.query("mode == 'paper' and direction == 'ir2vis'")
            people = [f"{world}-{identity}" for identity in chosen["identity"]]
            parts.append(chosen.assign(replicate=number, identity=people, share=chosen["share"] / len(worlds)))
    return pd.concat(parts)


def main() -> None:
    from fsclib.metrics import differences

    parser = argparse.ArgumentParser(description="Paired differences between the networks and the two-stream network.")
    parser.add_argument("--seeds", type=int, choices=range(1, len(SUFFIXES) + 1), default=1)
    suffixes = SUFFIXES[: parser.parse_args().seeds]
    for kind in ("standard", "moderate", "thermal"):
        baseline = found_by([f"people-twostream{suffix}" for suffix in suffixes], kind)
        for network in ("fsc", "deen", "agw"):
            found = found_by([f"people-{network}{suffix}" for suffix in suffixes], kind)
            for figure in differences.FIGURES:
                both = (table.rename(columns={figure: "figure"}) for table in (found, baseline))
                d = differences.paired_difference(*both)
                seeds = f", over trainings {d.low_seeds:+.1f} to {d.high_seeds:+.1f}" if len(suffixes) > 1 else ""
                print(f"{kind}, {network}, {figure}: {d.mean:+.2f}, {d.low:+.1f} to {d.high:+.1f}{seeds}", flush=True)


if __name__ == "__main__":
    main()
