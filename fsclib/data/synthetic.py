"""Writes a corpus of synthetic people in the layout of SYSU-MM01, RegDB or LLCM, to try everything without any data set.

    python -m fsclib.data.synthetic --layout llcm --out data/try --identities 140 --seed 1

`plans.py` says which images there are, `drawing/` draws them; attributes.csv beside them says how each identity looks,
and masks/, if asked for, which pixel shows what. The same parameters give the same pixels on any machine and with any number
of workers, and the same bytes with the same Pillow. An interrupted run is taken up where it stopped: corpus.json, which
holds the parameters, is written last and marks a complete corpus.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from numbers import Integral
from pathlib import Path

from fsclib.data.corpus import CHOICES, IDENTITIES, IMAGES, LATER, Corpus
from fsclib.data.drafting import draw_all, is_part, write
from fsclib.data.drawing import LEVELS
from fsclib.data.plans import PLANS, Plan
from fsclib.disk import mend
from fsclib.progress import progress as show_progress
from fsclib.reading import read_json

MARK = "corpus.json"
ADVICE = "delete the folder or choose another"


def write_corpus(
    out: str | Path,
    layout: str,
    identities: int | None = None,
    seed: int = 0,
    *,
    images: int | None = None,
    train_share: float | None = None,
    height: int = 192,
    width: int = 72,
    difficulty: str = "standard",
    masks: bool = False,
    full: bool = False,
    worlds: int = 1,
    infrared: str = "near",
    test_images: int | None = None,
    workers: int = 0,
    progress: bool = True,
) -> None:
    """Write a corpus into `out`; do nothing if it is complete there, and go on if it is half-written.

    layout       "sysu", "regdb" or "llcm"
    identities   at least 4, by default 100; not everyone passes every camera
    images       per identity, camera and modality, by default 4; RegDB always has ten
    train_share  share of the identities that train, by default that of the original; RegDB is always halved
    height, width  of every image, in pixels
    difficulty   "easy", "moderate", "standard" or "hard": how much light, blur, noise, crops and obstacles hide; "wide": each
                 world has its own, for training what is then tried on real images; "mixed": worlds of even seeds are wide, the
                 others standard
    masks        write masks/<path of the image>.png too: what each pixel shows, by the numbers of masks/parts.json
    full         as many identities and images as the original has, spread unevenly over cameras; identities, images and
                 train_share are then left out
    worlds       1 … 500, of at least 4 people each, who share places and cameras; world w is drawn from seed + w. Of several, the
                 last ones are for the test, by train_share but at least one
    infrared     "near"; "thermal": infrared cameras see warmth instead; "mixed": those of every third world do. RegDB's always do
    test_images  as images, of the people who are for the test; by default the same. Neither with full nor in RegDB
    workers      processes; 0 for all usable cores where there is enough to draw

    Raises ValueError for impossible arguments, FileExistsError where `out` holds something else or a corpus of other
    parameters, OSError where it cannot be written, RuntimeError where a worker dies.
    """
    out = Path(out).expanduser()
    later = {"worlds": worlds, "infrared": infrared, "test_images": test_images}
    corpus = Corpus(layout, identities, seed, images, train_share, height, width, difficulty, masks, full, **later)
    if not isinstance(workers, Integral) or workers < 0:
        raise ValueError(f"workers is {workers!r}, expected a whole number, 0 for all cores")
    plan = corpus.plan()
    try:
        existing = _inspect(out, corpus, plan)
        missing = [shot for shot in plan.shots if not existing.issuperset(corpus.paths(shot))]
        for folder in {path.rpartition("/")[0] for paths in (plan.texts, *map(corpus.paths, missing)) for path in paths}:
            (out / folder).mkdir(parents=True, exist_ok=True)
        for path in plan.texts.keys() - existing:
            write(f"{out}/{path}", plan.texts[path].encode())
        if missing:
            title = f"drawing {corpus.identities} people in the layout of {layout}"
            with show_progress(len(missing), title, shown=progress) as bar:
                for number in draw_all(str(out), corpus, missing, workers):
                    bar.update(number)
        for path in filter(is_part, existing):  # what a killed run was about to write
            (out / path).unlink(missing_ok=True)
        if MARK not in existing:
            write(f"{out}/{MARK}", (json.dumps(corpus.mark, indent=1) + "\n").encode())
    except FileExistsError:
        raise
    except OSError as error:
        advice = f"{mend(error.errno)}, and the same command goes on; or choose a folder on another disk"
        found = f"cannot write a corpus: {error.strerror or error}; {advice}"
        raise OSError(error.errno, found, str(error.filename or out)) from error


def _inspect(out: Path, corpus: Corpus, plan: Plan) -> set[str]:
    """Files below `out`, empty ones apart, if it holds this corpus, whole or in part; FileExistsError if anything else."""
    if not out.is_dir():
        if out.exists():
            raise FileExistsError(f"{out} is a file, expected a folder or nothing; choose another place")
        return set()
    if (out / MARK).exists():
        _compare(out, corpus)
        return set(_files(out))
    known = {path for paths in (plan.texts, *map(corpus.paths, plan.shots)) for path in paths}
    _refuse_strangers(out, {path.name for path in out.iterdir()} - {path.partition("/")[0] for path in known})  # before a long walk
    existing = set(_files(out))
    _refuse_strangers(out, existing - known)
    expected = {path: plan.texts[path].encode() for path in existing & plan.texts.keys()}
    drawn = {corpus.kind(shot): shot for shot in reversed(plan.shots) if not existing.isdisjoint(corpus.paths(shot))}
    for shot in drawn.values():  # one image of a kind tells seed, size, difficulty, infrared and drawing from others
        expected |= {path: content for path, content in corpus.files(shot).items() if path in existing}
    if wrong := [path for path in expected if (out / path).read_bytes() != expected[path]]:
        raise FileExistsError(f"{out} holds an unfinished corpus of other parameters, see {wrong[0]}; {ADVICE}")
    return existing


def _refuse_strangers(out: Path, paths: set[str]) -> None:
    if strangers := sorted(path for path in paths if not is_part(path)):
        raise FileExistsError(f"{out} holds {strangers[0]}, which is no part of this corpus; {ADVICE}")


def _compare(out: Path, corpus: Corpus) -> None:
    try:
        found = read_json(out / MARK)
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise FileExistsError(f"{out / MARK} does not describe a corpus; {ADVICE}")
    found, wanted = {**LATER, **found}, {**LATER, **corpus.mark}
    if differing := [name for name in wanted if name not in found or found[name] != wanted[name]]:
        there, here = (", ".join(f"{name} {side.get(name)}" for name in differing) for side in (found, wanted))
        raise FileExistsError(f"{out} holds a corpus with {there}, expected {here}; {ADVICE}")


def _files(folder: str | Path, prefix: str = "") -> Iterator[str]:
    """Paths relative to the folder of all its files but empty ones, which a crash of the machine may leave."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, f"{prefix}{entry.name}/")
            elif is_part(entry.name) or entry.stat(follow_symlinks=False).st_size:
                yield prefix + entry.name


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Exits with status 2 and one line where the corpus cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m fsclib.data.synthetic", description="Write a corpus of synthetic people.")
    parser.add_argument("--layout", required=True, help=f"one of {', '.join(PLANS)}")
    parser.add_argument("--out", required=True, type=Path, help="folder of the corpus")
    parser.add_argument("--identities", type=int, help=f"how many people (default: {IDENTITIES})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help=f"per identity, camera and modality (default: {IMAGES}; RegDB: always 10)")
    parser.add_argument("--test-images", type=int, help="the same of people who are for the test (default: as --images)")
    parser.add_argument("--train-share", type=float, help="share of the identities that train (default: as in the original)")
    parser.add_argument("--full", action="store_true", help="as many people and images as the original has")
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=72)
    parser.add_argument("--difficulty", default="standard", help=f"one of {', '.join(LEVELS)} (default: standard)")
    parser.add_argument("--worlds", type=int, default=1, help="groups of people with places and cameras of their own (default: 1)")
    parser.add_argument("--infrared", default="near", help=f"one of {', '.join(CHOICES['infrared'])} (default: near)")
    parser.add_argument("--masks", action="store_true", help="write masks/ too: what each pixel of an image shows")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: all cores where there is enough to draw)")
    options = vars(parser.parse_args(arguments))
    try:
        write_corpus(**options)
    except (ValueError, OSError, RuntimeError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
