"""Writes a corpus of drawn people in the layout of SYSU-MM01, RegDB or LLCM, to try everything without any data set.

    python -m fsclib.data.synthetic --layout llcm --out data/try --identities 140 --seed 1

`plans.py` says which images there are, `drawing/` draws them; attributes.csv beside them says how each identity looks.
The same parameters give the same bytes on any machine and with any number of workers. An interrupted run is taken up
where it stopped: corpus.json, which holds the parameters, is written last and marks a complete corpus.
"""

import argparse
import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from numbers import Integral
from pathlib import Path

from PIL import Image

from fsclib.data.decoding import usable_cores
from fsclib.data.drawing import DRAWING, HARDNESS, draw_person, person
from fsclib.data.drawing.identity import attributes
from fsclib.data.plans import PLANS, REGDB_IMAGES, TRAIN_SHARES, Plan, Shot
from fsclib.files import PART
from fsclib.progress import progress as show_progress

MARK, ATTRIBUTES = "corpus.json", "attributes.csv"
QUALITY = 90  # of JPEG files
CHUNK = 64  # images that a worker draws between two reports
WORTH_A_WORKER = 400  # images; starting a process takes as long as drawing a hundred
ADVICE = "delete the folder or choose another"


@dataclass(frozen=True)
class Corpus:
    """Everything that decides the bytes of a corpus; what corpus.json holds. ValueError for impossible values."""

    layout: str
    identities: int
    seed: int
    images: int
    train_share: float | None
    height: int
    width: int
    hardness: float
    drawing: int = DRAWING

    def __post_init__(self) -> None:
        if self.layout not in PLANS:
            raise ValueError(f"layout is {self.layout!r}, expected one of {', '.join(PLANS)}")
        limits = {"identities": (4, 9999), "seed": (0, 2**63 - 1), "images": (1, 999), "height": (48, 2048), "width": (16, 2048)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not isinstance(value, Integral) or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}, expected a whole number from {low} to {high}")
            object.__setattr__(self, name, int(value))
        if not 0 <= self.hardness <= 3:
            raise ValueError(f"hardness is {self.hardness!r}, expected a number from 0 to 3")
        if self.train_share is not None and self.layout == "regdb":
            raise ValueError(f"train_share is {self.train_share}, but RegDB's trials halve the identities; leave it out")
        share = TRAIN_SHARES[self.layout] if self.train_share is None else float(self.train_share)
        if not 0 < share < 1:
            raise ValueError(f"train_share is {share}, expected a number between 0 and 1")
        object.__setattr__(self, "train_share", share)
        object.__setattr__(self, "hardness", float(self.hardness))
        if self.layout == "regdb":
            object.__setattr__(self, "images", REGDB_IMAGES)

    def plan(self) -> Plan:
        """Images and text files, attributes.csv among them."""
        plan = PLANS[self.layout](self.identities, self.seed, self.images, self.train_share)
        rows = [{"identity": i, **attributes(person(self.seed, i))} for i in range(1, self.identities + 1)]
        table = io.StringIO()
        writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return Plan(plan.shots, {**plan.texts, ATTRIBUTES: table.getvalue()})

    def image(self, shot: Shot) -> bytes:
        """The file of one image, JPEG or BMP by its name. It depends on nothing but the corpus's parameters and the shot."""
        who = (self.seed, shot.identity, shot.camera, shot.modality, shot.index)
        image = Image.fromarray(draw_person(*who, self.height, self.width, self.hardness))
        file = io.BytesIO()
        if shot.path.endswith(".bmp"):
            image.save(file, "BMP")
        else:
            image.save(file, "JPEG", quality=QUALITY, subsampling=0)
        return file.getvalue()


def write_corpus(
    out: str | Path,
    layout: str,
    identities: int,
    seed: int,
    *,
    images: int = 4,
    train_share: float | None = None,
    height: int = 192,
    width: int = 72,
    hardness: float = HARDNESS,
    workers: int = 0,
    progress: bool = True,
) -> None:
    """Write a corpus into `out`; do nothing if it is complete there, and go on if it is half-written.

    layout       "sysu", "regdb" or "llcm"
    identities   at least 4; not everyone passes every camera
    images       per identity and camera; RegDB always has ten per identity and modality
    train_share  share of the identities that train, by default that of the original; RegDB is always halved
    height, width  of every image, in pixels
    hardness     how much light, blur, noise, crops and obstacles hide: 0 studio, 1 street, 2 hardly to be told apart
    workers      processes; 0 for as many of the cores as are worth it

    Raises ValueError for impossible arguments, FileExistsError where `out` holds something else or a corpus of other
    parameters, OSError where it cannot be written, RuntimeError where a worker dies.
    """
    out = Path(out).expanduser()
    corpus = Corpus(layout, identities, seed, images, train_share, height, width, hardness)
    if not isinstance(workers, Integral) or workers < 0:
        raise ValueError(f"workers is {workers!r}, expected a whole number, 0 for all cores")
    plan = corpus.plan()
    try:
        existing = _inspect(out, corpus, plan)
        missing = [shot for shot in plan.shots if shot.path not in existing]
        for folder in {(out / path).parent for path in (*plan.texts, *(shot.path for shot in missing))}:
            folder.mkdir(parents=True, exist_ok=True)
        for path in plan.texts.keys() - existing:
            _write(out / path, plan.texts[path].encode())
        if missing:
            with show_progress(len(missing), f"drawing {identities} people in the layout of {layout}", shown=progress) as bar:
                for number in _draw_all(out, corpus, missing, workers):
                    bar.update(number)
        for path in filter(_is_part, existing):  # what a killed run was about to write
            (out / path).unlink(missing_ok=True)
        if MARK not in existing:
            _write(out / MARK, (json.dumps(asdict(corpus), indent=1) + "\n").encode())
    except FileExistsError:
        raise
    except OSError as error:
        found = f"cannot write a corpus: {error.strerror or error}; choose a folder on a disk that can be written"
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
    shots = {shot.path: shot for shot in plan.shots}
    known = shots.keys() | plan.texts.keys()
    _refuse_strangers(out, {path.name for path in out.iterdir()} - {path.partition("/")[0] for path in known})  # before a long walk
    existing = set(_files(out))
    _refuse_strangers(out, existing - known)
    expected = {path: plan.texts[path].encode() for path in existing & plan.texts.keys()}
    if drawn := min(existing & shots.keys(), default=None):  # one image tells seed, size, hardness and drawing from others
        expected[drawn] = corpus.image(shots[drawn])
    if wrong := [path for path in expected if (out / path).read_bytes() != expected[path]]:
        raise FileExistsError(f"{out} holds an unfinished corpus of other parameters, see {wrong[0]}; {ADVICE}")
    return existing


def _refuse_strangers(out: Path, paths: set[str]) -> None:
    if strangers := sorted(path for path in paths if not _is_part(path)):
        raise FileExistsError(f"{out} holds {strangers[0]}, which is no part of this corpus; {ADVICE}")


def _compare(out: Path, corpus: Corpus) -> None:
    try:
        found = json.loads((out / MARK).read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise FileExistsError(f"{out / MARK} does not describe a corpus; {ADVICE}")
    wanted = asdict(corpus)
    if differing := [name for name in wanted if found.get(name) != wanted[name]]:
        there, here = (", ".join(f"{name} {side.get(name)}" for name in differing) for side in (found, wanted))
        raise FileExistsError(f"{out} holds a corpus with {there}, expected {here}; {ADVICE}")


def _draw_all(out: Path, corpus: Corpus, shots: Sequence[Shot], workers: int) -> Iterator[int]:
    """Draws, yielding how many images were written since the last time."""
    chunks = [shots[start : start + CHUNK] for start in range(0, len(shots), CHUNK)]
    workers = workers or min(usable_cores(), 1 + len(shots) // WORTH_A_WORKER)
    if workers == 1:
        yield from (_draw(out, corpus, chunk) for chunk in chunks)
        return
    # Spawned, not forked: a notebook's process has threads, whose locks a fork would copy in whatever state they are.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_draw, out, corpus, chunk) for chunk in chunks]
        try:
            yield from (future.result() for future in as_completed(futures))
        except BrokenProcessPool as error:
            advice = "put a script's main part under `if __name__ == '__main__':` or pass workers=1; what was drawn is kept"
            raise RuntimeError(f"a process that draws has died; {advice}") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _draw(out: Path, corpus: Corpus, shots: Sequence[Shot]) -> int:
    for shot in shots:
        _write(out / shot.path, corpus.image(shot))
    return len(shots)


def _write(path: Path, content: bytes) -> None:
    """The file is there whole or not at all; the process's number lets two of them write the same corpus at a time.

    Not flushed to the disk, unlike `fsclib.files.replacing`: an image can be drawn again, and there are thousands.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    part.write_bytes(content)
    part.replace(path)


def _is_part(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(PART)


def _files(out: Path) -> Iterator[str]:
    """Paths relative to `out` of all files that are not empty: a crash of the machine may leave empty ones."""
    for folder, _, names in os.walk(out):
        for path in (Path(folder, name) for name in names):
            if path.lstat().st_size:
                yield path.relative_to(out).as_posix()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Exits with status 2 and one line where the corpus cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m fsclib.data.synthetic", description="Write a corpus of drawn people.")
    parser.add_argument("--layout", required=True, help=f"one of {', '.join(PLANS)}")
    parser.add_argument("--out", required=True, type=Path, help="folder of the corpus")
    parser.add_argument("--identities", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=4, help="per identity and camera (RegDB: always 10 per modality)")
    parser.add_argument("--train-share", type=float, help="share of the identities that train (default: as in the original)")
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=72)
    parser.add_argument("--hardness", type=float, default=HARDNESS, help="0 studio, 1 street, 2 hardly to be told apart")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: as many cores as are worth it)")
    options = vars(parser.parse_args(arguments))
    try:
        write_corpus(**options)
    except (ValueError, OSError, RuntimeError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
