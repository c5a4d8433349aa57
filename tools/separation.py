"""How well each difficulty tells networks apart that are known to differ: the steps of one training, the later the better.

    python tools/separation.py    # after make weights; a line a (difficulty, step): difference in rank-1, and in standard errors

All are tested on the same people, 300 a difficulty (TESTS of make_weights.py), infrared → visible, so differences are paired.
"""

import itertools

import make_weights
import numpy as np
import torch

STEPS = ("people-trunk-small", "people-trunk-large", "people-trunk", "people-start-small")  # runs below results/llcm


def rank1(name: str, kind: str) -> np.ndarray:
    """rank-1 of each person, (300,), in per cent."""
    from fsclib import retrieval, runs, transfer
    from fsclib.data.images import open_images

    run, device, found = runs.load("llcm", name), torch.device("cpu"), []
    net, size = retrieval.run_network(run, device), (run.config.height, run.config.width)
    for corpus in (corpus for corpus in make_weights.CORPORA if corpus.startswith(f"people-{kind}-")):
        images = open_images("llcm", size, root=make_weights.draw(corpus), workers=1, show=False)
        table = transfer.by_identity(transfer.features_of(net, images, device, torch.bfloat16), images)
        found.append(table[(table["mode"] == "paper") & (table["direction"] == "ir2vis")]["rank1"].to_numpy())
    return np.concatenate(found)


def main() -> None:
    for kind in ("easy", "moderate", "standard", "hard"):
        found = {name: rank1(name, kind) for name in STEPS}
        print(f"{kind}: " + ", ".join(f"{name} {values.mean():.1f}" for name, values in found.items()))
        for before, after in itertools.pairwise(STEPS):
            difference = found[after] - found[before]
            error = difference.std(ddof=1) / len(difference) ** 0.5
            print(f"  {before} → {after}: {difference.mean():+.1f}, {difference.mean() / error:.1f} standard errors", flush=True)


if __name__ == "__main__":
    main()
