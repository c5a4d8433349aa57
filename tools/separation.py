"""Measures how well each difficulty separates networks that are known to differ: stages of one training, later ones better.

    python tools/separation.py    # after make weights; one line per (difficulty, stage): difference in rank-1 and standard errors

All are tested on the same people, 300 per difficulty (TESTS of make_weights.py), infrared → visible, so differences are paired.
"""

import itertools

from networks import found_by

ORDER = ("people-trunk-small", "people-trunk-large", "people-trunk", "people-start-small")  # runs below results/llcm


def main() -> None:
    for kind in ("easy", "moderate", "standard", "hard"):
        found = {name: found_by([name], kind)["rank1"].to_numpy() for name in ORDER}
        print(f"{kind}: " + ", ".join(f"{name} {values.mean():.1f}" for name, values in found.items()))
        for before, after in itertools.pairwise(ORDER):
            difference = found[after] - found[before]
            error = difference.std(ddof=1) / len(difference) ** 0.5
            print(f"  {before} → {after}: {difference.mean():+.1f}, {difference.mean() / error:.1f} standard errors", flush=True)


if __name__ == "__main__":
    main()
