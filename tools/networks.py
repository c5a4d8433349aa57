"""Whether FSC-Net, DEEN and AGW find more than the two-stream network: differences paired by person and by training.

    python tools/networks.py             # on the runs of make_weights.py, a line a (kind of people, network, figure)
    python tools/networks.py --seeds 1   # one training each, the shipped ones

All are tested on the same people, 300 a kind (TESTS of make_weights.py), infrared → visible. The first interval is over people, the
second over people and trainings (statistics.paired_difference).
"""

import argparse

import make_weights
import pandas as pd

SUFFIXES = ("", "-seed1")  # of the runs below results/llcm, a seed each


def found_by(network: str, kind: str, suffixes: tuple[str, ...]) -> pd.DataFrame:
    """Columns replicate, identity, share and figures in per cent, as statistics.paired_difference takes them."""
    from fsclib import runs

    parts = []
    for suffix in suffixes:
        run, worlds = runs.load("llcm", f"people-{network}{suffix}"), make_weights.worlds(kind)
        for world, (_, table) in zip(worlds, make_weights.by_people(run, kind), strict=True):
            chosen = table.query("mode == 'paper' and direction == 'ir2vis'")
            names = [f"{world}-{identity}" for identity in chosen["identity"]]
            parts.append(chosen.assign(replicate=suffix, identity=names, share=chosen["share"] / len(worlds)))
    return pd.concat(parts)


def main() -> None:
    from fsclib import statistics

    parser = argparse.ArgumentParser(description="Paired differences of the networks to the two-stream network.")
    parser.add_argument("--seeds", type=int, choices=range(1, len(SUFFIXES) + 1), default=len(SUFFIXES))
    suffixes = SUFFIXES[: parser.parse_args().seeds]
    for kind in ("standard", "moderate", "thermal"):
        baseline = found_by("twostream", kind, suffixes)
        for network in ("fsc", "deen", "agw"):
            found = found_by(network, kind, suffixes)
            for figure in statistics.FIGURES:
                both = (table.rename(columns={figure: "figure"}) for table in (found, baseline))
                d = statistics.paired_difference(*both)
                seeds = f", over trainings as well {d.low_seeds:+.1f} to {d.high_seeds:+.1f}" if len(suffixes) > 1 else ""
                print(f"{kind}, {network}, {figure}: {d.mean:+.2f}, {d.low:+.1f} to {d.high:+.1f}{seeds}", flush=True)


if __name__ == "__main__":
    main()
