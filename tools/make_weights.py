"""Makes the weights that fsclib ships, from nothing: draws synthetic people, trains on them, tests, writes files and cards.

    make weights                                # one after the other; goes on where it was
    python tools/make_weights.py --stop trunk   # not further than the trunk

One thread a process. Everything is trained on `people-wide`: 96 worlds of 50 people, near-infrared and thermal cameras, each world
with light, noise, blur, compression, crops and contrast of its own. No person of it is in any corpus for tests: seeds of worlds
are those of CORPORA, and a test compares them with those of all others.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent.parent
WIDE = "people-wide"
NEAR, THERMAL = (9001, 9002, 9003), (9011, 9012, 9013)  # seeds of the worlds for tests
CORPORA = {  # folder below data/ → words for the generator
    WIDE: "--identities 4800 --worlds 96 --seed 10000 --train-share 0.99 --difficulty wide --infrared mixed",
    **{f"people-test-{seed}": f"--identities 102 --seed {seed} --train-share 0.02" for seed in NEAR},
    **{f"people-thermal-{seed}": f"--identities 102 --seed {seed} --train-share 0.02 --infrared thermal" for seed in THERMAL},
}
EVERY: dict[str, Any] = {
    "dataset": "llcm", "scale": "tiny", "workers": 1, "attributes_weight": 2.0, "pseudo_infrared": 0.33, "grayscale": 0.2,
    "channel": 0.2, "erase_max": 0.3, "small_epochs": 0,
}  # fmt: skip
SMALL = {"height": 128, "width": 48, "padding": 5}  # a third of the pixels: most of what is learned early is learned there as well
TRUNK = {"network": "twostream", "streams": "visible"}
RUNS: dict[str, dict[str, Any]] = {  # name of the run below results/llcm → what it departs from EVERY in; in this order
    "people-trunk-small": EVERY | SMALL | TRUNK | {"pretrained": "none", "lr": 1.5e-3, "body_lr": 1.5e-3, "epochs": 5},
    "people-trunk-large": EVERY | TRUNK | {"pretrained": "llcm/people-trunk-small", "epochs": 3},
    "people-trunk": EVERY | TRUNK | {"pretrained": "llcm/people-trunk-large", "epochs": 5},  # still rising after the three
    # both modalities; what every finished network starts from, since all of them have its stems and layers
    "people-start-small": EVERY | {"network": "twostream", "pretrained": "llcm/people-trunk", "epochs": 6, "small_epochs": 4},
    "people-start": EVERY | {"network": "twostream", "pretrained": "llcm/people-start-small", "epochs": 4},
    **{
        f"people-{network}": EVERY | {"network": network, "pretrained": "llcm/people-start", "epochs": 2}
        for network in ("fsc", "deen", "agw", "twostream")
    },
}
SHIPPED = {"people/trunk": "people-trunk"}  # weights → run
HEAD = ("neck.", "classifier.", "attributes.")


def draw(corpus: str) -> Path:
    """The folder of a corpus, drawn if it is not whole."""
    folder = HOME / "data" / corpus
    words = [sys.executable, "-m", "fsclib.data.synthetic", "--layout", "llcm", "--images", "1", "--out", str(folder)]
    subprocess.run([*words, *CORPORA[corpus].split()], check=True)
    return folder


def train(name: str) -> None:
    """Trains a run in a process of its own; it goes on where it was, and does nothing if it is finished."""
    values = RUNS[name] | {"name": name, "data_root": str(HOME / "data" / WIDE)}
    words = [word for key, value in values.items() for word in (f"--{key}", str(value))]
    subprocess.run([sys.executable, "-m", "fsclib.train", *words], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def tested(name: str) -> dict[str, dict[str, float]]:
    """Figures of a run on the 300 near-infrared and the 300 thermal people, each in three galleries of 100."""
    import torch

    from fsclib import retrieval, runs, transfer
    from fsclib.data.images import open_images

    run = runs.load("llcm", name)
    device = torch.device("cpu")
    net = retrieval.run_network(run, device)
    found = {}
    for kind in ("test", "thermal"):
        tables = []
        for corpus in (corpus for corpus in CORPORA if f"-{kind}-" in corpus):
            images = open_images("llcm", (run.config.height, run.config.width), root=draw(corpus), workers=1, show=False)
            tables.append(transfer.by_identity(transfer.features_of(net, images, device, torch.bfloat16), images))
        found["near infrared" if kind == "test" else kind] = transfer.headline(transfer.pooled(tables))
    return found


def ship(weights: str, name: str) -> None:
    """Writes weights and card of a finished run."""
    from fsclib import checkpoint, runs
    from fsclib.models import weights as ours

    run = runs.load("llcm", name)
    state = checkpoint.network(run.checkpoint("best"))
    if weights == ours.TRUNK:
        state = {entry: value for entry, value in state.items() if not entry.startswith(HEAD)}
    facts = {
        "network": run.config.network,
        "backbone": run.config.backbone,
        "image": [run.config.height, run.config.width],
        "data": f"synthetic people alone, data/{WIDE}: python -m fsclib.data.synthetic --layout llcm --images 1 {CORPORA[WIDE]}",
        "recipe": RUNS[name],
        "seed": run.config.seed,
        "command": "make weights",
        "commit": run.environment["revision"],
        "figures": tested(name),
        "limits": "synthetic people; never compared with real ones by us. Not for decisions about people.",
        "licence": "MIT",
    }
    file = ours.write(weights, {entry: value for entry, value in state.items() if not entry.startswith("attributes.")}, facts)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB\n{facts['figures']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the weights that fsclib ships, from nothing.")
    parser.add_argument("--stop", choices=[name.partition("/")[2] for name in SHIPPED], help="the last weights to make")
    last = parser.parse_args().stop
    draw(WIDE)
    done = set()
    for weights, run in SHIPPED.items():
        for name in list(RUNS)[: list(RUNS).index(run) + 1]:
            if name not in done:
                train(name)
                done.add(name)
        ship(weights, run)
        if weights.endswith(f"/{last}"):
            return


if __name__ == "__main__":
    main()
