"""Writes a corpus of synthetic people in the layout of SYSU-MM01, RegDB or LLCM, to try everything without real data.

    python -m synthpeople --layout llcm --out data/try --identities 140 --seed 1

`plans.py` lists the images, `drawing/` draws them; attributes.csv describes each identity, and masks/, if requested, what each
pixel shows. The same parameters give the same pixels on any machine and with any number of workers, and the same bytes with the
same version of Pillow. An interrupted run is resumed where it stopped: corpus.json, which holds the parameters, is written last
and marks a complete corpus.
"""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from numbers import Integral
from pathlib import Path

from synthpeople.corpus import LATER, Corpus
from synthpeople.plans import Plan
from synthpeople.rendering import draw_all, whole, write

MARK = "corpus.json"
LARGEST = 1 << 20  # bytes; a larger corpus.json is not read; real ones have about a thousand
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
    progress: bool | Callable[[int, str], AbstractContextManager] = True,
) -> None:
    """Writes a corpus into `out`; does nothing if it is complete, and resumes an unfinished one.

    layout       "sysu", "regdb" or "llcm"
    identities   at least 4, by default 100; not every identity passes every camera
    images       per identity, camera and modality, by default 4; RegDB always has ten
    train_share  share of training identities, by default that of the original; RegDB is always halved
    height, width  of every image, in pixels
    difficulty   "easy", "moderate", "standard" or "hard": how much light, blur, noise, crops and obstacles hide; "wide": each
                 world draws its own, for training networks that are applied to real images; "mixed": worlds of even seeds are
                 wide, the others standard
    masks        also write masks/<path of the image>.png: what each pixel shows, by the numbers of masks/parts.json
    full         as many identities and images as in the original, spread unevenly over cameras; leave out identities, images and
                 train_share
    worlds       1 … 500, of at least 4 people each, who share places and cameras; world w is drawn from seed + w. If there are
                 several, the last ones, 1 − train_share of them but at least one, are for the test
    infrared     "near"; "thermal": infrared cameras record heat instead; "mixed": those of every third world do. RegDB's always do
    test_images  as images, for test identities; by default the same. Not with full, nor for RegDB
    workers      number of processes; 0: one per usable core, fewer for small corpora
    progress     whether to show progress on standard error; or a function of (number of images, title) that opens a progress bar
                 with update(n)

    Errors: ValueError for invalid arguments, FileExistsError if `out` holds something else or a corpus with other parameters, or
    if a folder in it is a link, OSError if it cannot be written, RuntimeError if a worker dies.
    """
    out = Path(out).expanduser()
    later = {"worlds": worlds, "infrared": infrared, "test_images": test_images}
    corpus = Corpus(layout, identities, seed, images, train_share, height, width, difficulty, masks, full, **later)
    if not isinstance(workers, Integral) or workers < 0:
        raise ValueError(f"workers is {workers!r}, expected a whole number, 0 for all cores")
    plan = corpus.plan()
    try:
        known = {MARK, *plan.texts, *(path for shot in plan.shots for path in corpus.paths(shot))}
        existing = _inspect(out, corpus, plan, known)
        missing = [shot for shot in plan.shots if not existing.issuperset(corpus.paths(shot))]
        for folder in {path.rpartition("/")[0] for paths in (plan.texts, *map(corpus.paths, missing)) for path in paths}:
            _make_folder(out, folder)
        for path in plan.texts.keys() - existing:
            write(f"{out}/{path}", plan.texts[path].encode())
        if missing:
            title = f"drawing {corpus.identities} people in the layout of {layout}"
            with (progress if callable(progress) else partial(_bar, shown=progress))(len(missing), title) as bar:
                for number in draw_all(str(out), corpus, missing, workers):
                    bar.update(number)
        for path in existing:
            if whole(path) in known:  # a partial file of a killed run
                (out / path).unlink(missing_ok=True)
        if MARK not in existing:
            write(f"{out}/{MARK}", (json.dumps(corpus.mark, indent=1) + "\n").encode())
    except FileExistsError:
        raise
    except OSError as error:
        advice = f"{_advice(error.errno)} and run the same command again to resume, or choose a folder on another disk"
        found = f"cannot write a corpus: {error.strerror or error}; {advice}"
        raise OSError(error.errno, found, str(error.filename or out)) from error


def _advice(number: int | None) -> str:
    """Advice on an error of the operating system."""
    return "free some space there" if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else "grant write access there"


def _bar(number: int, title: str, shown: bool) -> AbstractContextManager:
    """A progress bar, updated continuously in a terminal and once a minute in a file."""
    from tqdm import tqdm

    terminal = sys.stderr is not None and sys.stderr.isatty()
    return tqdm(total=number, desc=title, disable=not shown, mininterval=0.1 if terminal else 60)


def _make_folder(out: Path, folder: str) -> None:
    """Makes a folder of the corpus. Refuses links, which may come with a corpus and lead out of it."""
    parts = folder.split("/")
    for place in (out.joinpath(*parts[:number]) for number in range(1, len(parts) + 1) if folder):
        if place.is_symlink():
            raise FileExistsError(f"{place} is a link to {str(place.readlink())!r}, expected a folder; remove it, or {ADVICE}")
    (out / folder).mkdir(parents=True, exist_ok=True)


def _inspect(out: Path, corpus: Corpus, plan: Plan, known: set[str]) -> set[str]:
    """The non-empty files below `out` if it holds all or part of this corpus; FileExistsError if it holds anything else."""
    if not out.is_dir():
        if out.exists():
            raise FileExistsError(f"{out} is a file, expected a folder or nothing; choose another place")
        return set()
    if (out / MARK).exists():
        _compare(out, corpus)
        return set(_files(out))
    _refuse_others(out, {path.name for path in out.iterdir()}, {path.partition("/")[0] for path in known})  # before a long scan
    existing = set(_files(out))
    _refuse_others(out, existing, known)
    expected = {path: plan.texts[path].encode() for path in existing & plan.texts.keys()}
    drawn = {corpus.kind(shot): shot for shot in reversed(plan.shots) if not existing.isdisjoint(corpus.paths(shot))}
    for shot in drawn.values():  # one image per kind reveals any other seed, size, difficulty, infrared or drawing
        expected |= {path: content for path, content in corpus.files(shot).items() if path in existing}
    if wrong := [path for path in expected if not _holds(out / path, expected[path])]:
        raise FileExistsError(f"{out} holds an unfinished corpus of other parameters, see {wrong[0]}; {ADVICE}")
    return existing


def _holds(file: Path, content: bytes) -> bool:
    """Whether a regular file has this content; reading a pipe or a device might never end."""
    return file.is_file() and file.stat().st_size == len(content) and file.read_bytes() == content


def _refuse_others(out: Path, paths: set[str], known: set[str]) -> None:
    if others := sorted(path for path in paths - known if whole(path) not in known):
        raise FileExistsError(f"{out} holds {others[0]}, which is not part of this corpus; {ADVICE}")


def _compare(out: Path, corpus: Corpus) -> None:
    try:
        large = (out / MARK).stat().st_size > LARGEST or not (out / MARK).is_file()
        found = None if large else json.loads((out / MARK).read_bytes())
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FileExistsError(f"{out / MARK} does not describe a corpus; {ADVICE}")
    found, wanted = {**LATER, **found}, {**LATER, **corpus.mark}
    if differing := [name for name in wanted if name not in found or found[name] != wanted[name]]:
        there, here = (", ".join(f"{name} {side.get(name)}" for name in differing) for side in (found, wanted))
        raise FileExistsError(f"{out} holds a corpus with {there}, expected {here}; {ADVICE}")


def _files(folder: str | Path, prefix: str = "") -> Iterator[str]:
    """Paths, relative to the folder, of all its non-empty files; a crash of the machine may leave empty ones."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, f"{prefix}{entry.name}/")
            elif whole(entry.name) or entry.stat(follow_symlinks=False).st_size:
                yield prefix + entry.name
