"""Makes the weights that fsclib ships, from scratch: draws synthetic people, trains on them, tests, writes files and cards.

    make weights                                # all of them in turn; resumes an interrupted run
    python tools/make_weights.py --stop trunk   # only up to the trunk
    python tools/make_weights.py --run people-start   # train one of RUNS, shipped or not, and print its results

Each process has one thread. The trunk and the first half of the common start are trained on `people-wide`: 96 worlds of 50 people,
near-infrared and thermal cameras, each world with its own light, noise, blur, compression, crops and contrast. Then come
`people-mixed`, the same people with half of the worlds `standard`; `people-mixed-2`, as many new people; and `people-mixed-3`, as
many again, for the four networks. No test corpus shares people with them: a test compares the seeds of all worlds.

Some of RUNS are not shipped: the four networks with a second seed, and the two-stream network on `standard` worlds alone.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fsclib.system import log

HOME = Path(__file__).parent.parent
WIDE, MIXED, MORE, LAST = "people-wide", "people-mixed", "people-mixed-2", "people-mixed-3"
STANDARD = "people-standard-only"
TESTS: dict[str, tuple[str, int]] = {  # kind of people → further arguments, seed of the first of three test worlds
    "standard": ("", 9001),
    "thermal": ("--infrared thermal", 9011),
    "easy": ("--difficulty easy", 9021),
    "moderate": ("--difficulty moderate", 9031),
    "hard": ("--difficulty hard", 9041),
}


def worlds(kind: str) -> list[str]:
    """The test corpora of one kind in TESTS."""
    first = TESTS[kind][1]
    return [f"people-{kind}-{seed}" for seed in range(first, first + 3)]


LEARNED = {WIDE: (10000, "wide"), MIXED: (10000, "mixed"), MORE: (10100, "mixed"), LAST: (10200, "mixed")}  # seed, difficulty
CORPORA = {  # folder below data/ → arguments of the generator
    **{
        corpus: f"--identities 4800 --worlds 96 --seed {seed} --train-share 0.99 --difficulty {difficulty} --infrared mixed"
        for corpus, (seed, difficulty) in LEARNED.items()
    },
    STANDARD: "--identities 4800 --worlds 96 --seed 10300 --train-share 0.99",
    **{
        corpus: f"--identities 102 --seed {seed} --train-share 0.02 {words}".rstrip()
        for kind, (words, first) in TESTS.items()
        for seed, corpus in enumerate(worlds(kind), start=first)
    },
}
GENERATE = "-m synthpeople --layout llcm --images 1"
STEPS = {WIDE: 745, MIXED: 745, MORE: 743, LAST: 741, STANDARD: 741}  # per epoch, 64 images each
EVERY: dict[str, Any] = {
    "dataset": "llcm", "scale": "tiny", "workers": 1, "identities": 16, "attributes_weight": 2.0, "pseudo_infrared": 0.33,
    "grayscale": 0.2, "channel": 0.2, "erase_max": 0.3, "small_epochs": 0,
}  # fmt: skip
SMALL = {"height": 128, "width": 48, "padding": 5}  # a third of the pixels, enough for most of the early learning
TRUNK = {"network": "twostream", "streams": "visible"}
RUNS: dict[str, dict[str, Any]] = {  # name of the run below results/llcm → its configuration, changes to EVERY; in this order
    "people-trunk-small": EVERY | SMALL | TRUNK | {"init": "none", "lr": 1.5e-3, "body_lr": 1.5e-3, "epochs": 5},
    "people-trunk-large": EVERY | TRUNK | {"init": "llcm/people-trunk-small", "epochs": 3},
    "people-trunk": EVERY | TRUNK | {"init": "llcm/people-trunk-large", "epochs": 5},  # still improving after those three
    # both modalities; all shipped networks start from it and share its stems and layers
    "people-start-small": EVERY | {"network": "twostream", "init": "llcm/people-trunk", "epochs": 6, "small_epochs": 4},
    "people-start": EVERY | {"network": "twostream", "init": "llcm/people-start-small", "epochs": 4},
    "people-start-mixed": EVERY
    | {"corpus": MIXED, "network": "twostream", "init": "llcm/people-start", "epochs": 10, "small_epochs": 6},
    "people-start-more": EVERY
    | {"corpus": MORE, "network": "twostream", "init": "llcm/people-start-mixed", "epochs": 8, "small_epochs": 5},
    **{
        f"people-{network}{suffix}": EVERY
        | {"corpus": LAST, "network": network, "init": "llcm/people-start-more", "epochs": 6, "small_epochs": 3}
        | seed
        for suffix, seed in (("", {}), ("-seed1", {"seed": 1}))
        for network in ("fsc", "deen", "agw", "twostream")
    },
}
RUNS["people-standard-twostream"] = RUNS["people-twostream"] | {"corpus": STANDARD}  # the cost of wide and thermal worlds
SHIPPED = {f"people/{name}": f"people-{name}" for name in ("trunk", "fsc", "deen", "agw", "twostream")}  # weights → run
HEAD = ("classifier.", "attributes.")  # specific to the training people


def draw(corpus: str, corpora: Mapping[str, str] = CORPORA) -> Path:
    """The folder of a corpus, drawn if it is incomplete."""
    folder = HOME / "data" / corpus
    subprocess.run([sys.executable, *GENERATE.split(), "--out", str(folder), *corpora[corpus].split()], check=True)
    return folder


def train(name: str) -> None:
    """Trains a run in a separate process; resumes an interrupted run and does nothing if it is finished."""
    values = RUNS[name] | {"name": name, "data_root": str(draw(corpus_of(name)))}
    values.pop("corpus", None)
    words = [word for key, value in values.items() for word in (f"--{key}", str(value))]
    subprocess.run([sys.executable, "-P", "-m", "fsclib.training", *words], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def by_people(run: Any, kind: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Images of each of the three worlds of a kind in TESTS, and a run's results on them, as from transfer.by_identity."""
    import torch

    from fsclib.data.images import open_images
    from fsclib.retrieval import evaluation, transfer

    device, size = torch.device("cpu"), (run.config.height, run.config.width)
    net = evaluation.run_network(run, device)
    for corpus in worlds(kind):
        images = open_images("llcm", size, root=draw(corpus), workers=1, show=False)
        yield images, transfer.by_identity(transfer.features_of(net, images, device, torch.bfloat16), images)


def tested(name: str) -> dict[str, dict[str, float]]:
    """Results of a run, of chance and of raw pixels on every kind in TESTS: 300 people, in a gallery of 100 per world."""
    from fsclib import runs
    from fsclib.metrics import estimates
    from fsclib.retrieval import baselines, transfer

    run, found = runs.load("llcm", name), {}
    for kind in TESTS:
        opened, tables = zip(*by_people(run, kind), strict=True)
        means = pd.concat(map(baselines.without_training, opened)).query("mode == 'paper'")
        rank1 = means.groupby(["direction", "method"])["rank1"].mean().round(1)
        found[kind] = dict(transfer.headline(estimates.over_people(tables)))
        found[kind] |= {f"{direction}.rank1 of {method}": value for (direction, method), value in rank1.items()}
    return found


def ship(weights: str, name: str) -> None:
    """Writes weights and card of a finished run."""
    from fsclib import runs
    from fsclib.models import weights as ours
    from fsclib.runs import checkpoint

    run = runs.load("llcm", name)
    left_out = HEAD + (("neck.",) if weights == ours.TRUNK else ())
    state = {entry: value for entry, value in checkpoint.network(run.checkpoint("best")).items() if not entry.startswith(left_out)}
    facts = {
        "network": run.config.network,
        "backbone": run.config.backbone,
        "stages": run.config.stages,
        "modules": list(run.config.modules),
        "branches": run.config.branches,
        "image": [run.config.height, run.config.width],
        "data": "synthetic people alone: " + "; ".join(f"python {GENERATE} {CORPORA[corpus]}" for corpus in learned_from(name)),
        "recipe": RUNS[name],
        "steps": sum(STEPS[corpus_of(step)] * RUNS[step]["epochs"] for step in path(name)),
        "seed": run.config.seed,
        "command": "make weights",
        "commit": run.environment["revision"],
        "figures": tested(name),
        "limits": "synthetic people; never compared with real ones by us. Not for decisions about people.",
        "licence": "MIT",
    }
    file = ours.write(weights, state, facts)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB\n{facts['figures']}", flush=True)


def path(name: str) -> list[str]:
    """The runs that a run builds on, itself last."""
    before = RUNS[name]["init"].removeprefix("llcm/")
    return [*(path(before) if before in RUNS else []), name]


def learned_from(name: str) -> list[str]:
    """The training corpora of a run and of the runs it builds on."""
    return list(dict.fromkeys(map(corpus_of, path(name))))


def corpus_of(name: str) -> str:
    """The training corpus of a run."""
    return RUNS[name].get("corpus", WIDE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the weights that fsclib ships, from scratch.")
    parser.add_argument("--stop", choices=[name.partition("/")[2] for name in SHIPPED], help="the last weights to make")
    parser.add_argument("--run", choices=RUNS, help="train and test this run instead, after the runs it builds on")
    given = parser.parse_args()
    log.show()
    if given.run:
        for name in path(given.run):
            train(name)
        print(tested(given.run))
        return
    for weights, run in SHIPPED.items():
        for name in path(run):
            train(name)
        ship(weights, run)
        if weights.endswith(f"/{given.stop}"):
            return


if __name__ == "__main__":
    main()
