"""Data sets that are broken in a hundred ways: each handled, or reported at its place, all of them in one pass."""

import json
import os
import random
import shutil
import signal
import tempfile
import traceback
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from corruptions import CATALOGUE
from pictures import SAME
from PIL import Image
from spoiling import PLACES, SIZE, Corpus, Sound
from tally import LONG, keep

from fsclib.config.specs import DATASETS
from fsclib.data.datasets import LAYOUTS
from fsclib.data.images import open_images
from fsclib.data.pixels.decoding import decode
from fsclib.data.records import FATAL, INFRARED, DatasetError
from fsclib.training import loop
from synthpeople.generate import write_corpus

every_layout = pytest.mark.parametrize("layout", list(LAYOUTS))
NOBODY = 65534


@pytest.fixture(autouse=True)
def never_for_ever():
    """A trial that hangs fails, after an hour at most, and lets the others run."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("hangs"))
    signal.alarm(3600 if LONG else 600)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Builds the unspoiled corpus of a layout, with an image for each corruption, and with its pixels in a cache beside it."""
    made = {}

    def of(layout: str) -> Sound:
        if layout not in made:
            root = tmp_path_factory.mktemp("sound") / DATASETS[layout].folder
            write_corpus(root, layout, 18, 3, images=2, height=64, width=24, workers=1, progress=False)
            images = opened(layout, root)
            pixels = dict(zip(images.records["path"], images.take(np.arange(len(images.records))), strict=True))
            made[layout] = Sound(layout, root, images.records, pixels)
        return made[layout]

    return of


def opened(layout: str, root: Path, strict: bool = True):
    return open_images(layout, SIZE, root=root, strict=strict, workers=1, cache_dir=root.parent / "cache", show=False)


def judge(corpus: Corpus) -> str:
    """Opens a corpus, strictly and leniently, and compares what comes of it with what is expected: "handled" or "reported"."""
    expected = sorted(corpus.problems, key=str)
    if expected:
        with pytest.raises(DatasetError) as caught:
            opened(corpus.layout, corpus.root)
        assert places(caught.value.problems) == expected
        assert all(problem.found and problem.mend for problem in caught.value.problems)
        for problem in caught.value.problems:
            assert corpus.words.get(problem.path, "") in problem.found
        assert str(caught.value).encode("utf-8")
    else:
        opened(corpus.layout, corpus.root)
    if any(kind in FATAL for kind, _, _ in expected):
        with pytest.raises(DatasetError) as caught:
            opened(corpus.layout, corpus.root, strict=False)
        assert places(caught.value.problems) == expected
        return "reported"
    images = opened(corpus.layout, corpus.root, strict=False)
    assert images.skipped == Counter(kind for kind, _, _ in expected)
    records = images.records.set_index("path").sort_index()
    assert records.equals(corpus.records())
    for path, pixels in zip(images.records["path"], images.take(np.arange(len(images.records))), strict=True):
        wanted, difference = corpus.expected_pixels(path)
        assert np.abs(pixels.astype(int) - wanted).mean() <= difference, path
    return "reported" if expected else "handled"


def places(problems) -> list[tuple[str, str, int | None]]:
    return sorted(((problem.kind, problem.path, problem.line) for problem in problems), key=str)


def test_the_catalogue_is_as_long_as_it_should_be():
    names = [corruption.name for corruption in CATALOGUE]
    assert len(set(names)) == len(names) >= 40


@every_layout
def test_each_corruption_is_handled_or_reported(layout, sound, tmp_path):
    """In the short form once, in one of its layouts; in the long form in all of them, at images of both splits and modalities."""
    outcomes, failures = Counter(), {}
    for number, corruption in enumerate(CATALOGUE):
        layouts = corruption.layouts if LONG else (corruption.layouts[number % len(corruption.layouts)],)
        if layout not in layouts:
            continue
        for place in PLACES if LONG else PLACES[number % len(PLACES) :][:1]:
            corpus = Corpus(sound(layout), tmp_path / "case", place)
            try:
                corruption.spoil(corpus)
                outcomes[judge(corpus)] += 1
            except Exception:
                failures[corruption.name, *place] = traceback.format_exc(limit=-2)
            shutil.rmtree(tmp_path / "case")
    assert not failures, "\n".join(f"{where}: {what}" for where, what in failures.items())
    keep("bad data", layout, outcomes)


def spoiled(corpus: Corpus, chosen) -> Corpus:
    for corruption in chosen:
        corruption.spoil(corpus)
    return corpus


def applicable(layout: str) -> list:
    return [corruption for corruption in CATALOGUE if layout in corruption.layouts and not corruption.alone]


@every_layout
def test_all_corruptions_together_are_listed_in_one_pass_and_trained_without(layout, sound, tmp_path, monkeypatch, tiny):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    corpus = spoiled(Corpus(sound(layout), tmp_path / "data"), applicable(layout))
    assert judge(corpus) == "reported"
    config = {"dataset": layout, "data_root": str(corpus.root), "epochs": 1, "decay": ()}
    with pytest.raises(DatasetError) as caught:
        loop.fit(tiny(**config))
    assert places(caught.value.problems) == sorted(corpus.problems, key=str)
    run = loop.fit(tiny(**config, strict=False))
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["skipped"] == len(corpus.problems)
    assert metrics["skipped_by_kind"] == Counter(kind for kind, _, _ in corpus.problems)


@pytest.mark.skipif(not LONG, reason="a training a trial: make test-faults")
@every_layout
def test_trainings_without_what_is_broken_count_it(layout, sound, tmp_path, monkeypatch, tiny):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    outcomes = Counter()
    for seed in range(8):
        chosen = random.Random(seed).sample(applicable(layout), 6)
        corpus = spoiled(Corpus(sound(layout), tmp_path / f"data{seed}", PLACES[seed % len(PLACES)]), chosen)
        judge(corpus)
        config = tiny(dataset=layout, data_root=str(corpus.root), epochs=1, decay=(), strict=False, name=f"run{seed}")
        metrics = json.loads((loop.fit(config).folder / "metrics.json").read_text())
        assert metrics["skipped_by_kind"] == Counter(kind for kind, _, _ in corpus.problems), chosen
        outcomes["finished with the count of what was left out"] += 1
    keep("training on bad data", layout, outcomes)


def test_a_protocol_that_lost_its_gallery_to_broken_images_is_told_before_training(sound, tmp_path, monkeypatch, tiny):
    """SYSU-MM01's indoor search has the cameras 1 and 2 alone; the data set as such has visible test images left."""
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    corpus = Corpus(sound("sysu"), tmp_path / "data")
    rows = corpus.sound.records
    for path in rows.loc[(rows["split"] == "test") & rows["camera"].isin([1, 2]), "path"]:
        corpus.write(path, b"no image")
    with pytest.raises(DatasetError, match="indoor"):
        loop.fit(tiny(dataset="sysu", data_root=str(corpus.root), epochs=1, decay=(), strict=False))
    assert not list(tmp_path.glob("results/**/config.json"))


@contextmanager
def unprivileged():
    """Permissions mean nothing to root."""
    if (before := os.geteuid()) == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def anybodys():
    """A folder that anybody may enter and write to, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@every_layout
@pytest.mark.parametrize("what", ["image", "folder of images", "index file", "folder of index files", "data set"])
def test_what_may_not_be_read(layout, what, sound, anybodys):
    corpus = Corpus(sound(layout), anybodys / "case", ("test", INFRARED))
    (anybodys / "case").chmod(0o755)
    (anybodys / "case/cache").chmod(0o777)
    for file in (anybodys / "case/cache").iterdir():
        file.chmod(0o666)
    image = corpus.image()
    if what == "image":
        corpus.write(image, (corpus.root / image).read_bytes())  # else the sound one would lose its permission too
        (corpus.root / image).chmod(0)
        corpus.report("broken image", image)
        corpus.words[image] = "Permission denied"
    elif what == "folder of images":
        folder = image.rpartition("/")[0]
        lost = [path for path in corpus.sound.records["path"] if path.startswith(f"{folder}/")]
        (corpus.root / folder).chmod(0)
        corpus.gone.update(lost)
        if corpus.is_listed(image):
            for path in lost:
                corpus.report_missing(path)
        else:
            corpus.report("unreadable folder", folder)
    else:
        indexes = corpus.lists if layout == "sysu" else [*corpus.indexes, *corpus.lists]
        if what == "index file":
            corpus.write(corpus.index, (corpus.root / corpus.index).read_bytes())
            (corpus.root / corpus.index).chmod(0)
            indexes = [corpus.index]
        else:
            (corpus.root / Path(corpus.index).parent if what == "folder of index files" else corpus.root).chmod(0)
        for index in indexes:
            corpus.report("missing index file", index)
    try:
        with unprivileged():
            assert judge(corpus) == "reported"
    finally:
        for folder in (corpus.root, (corpus.root / corpus.index).parent, (corpus.root / image).parent):
            folder.chmod(0o755)


@every_layout
def test_a_data_set_in_a_folder_whose_name_is_no_text(layout, sound, tmp_path):
    corpus = Corpus(sound(layout), tmp_path / "case")
    strange = corpus.root.with_name(os.fsdecode(b"caf\xe9 \xff"))
    corpus.root.rename(strange)
    corpus.root = strange
    assert judge(corpus) == "handled"
    path = corpus.image()
    corpus.write(path, b"no image")
    corpus.report("broken image", path)
    assert judge(corpus) == "reported"


def test_a_file_that_changes_while_it_is_decoded_is_decoded_again(sound, tmp_path, monkeypatch):
    corpus = Corpus(sound("sysu"), tmp_path / "case")
    path, other = corpus.image(), corpus.image()
    corpus.write(path, (corpus.root / path).read_bytes() + b" ")  # to be decoded

    def disturbed(data: bytes, height: int, width: int) -> bytes:
        monkeypatch.undo()
        corpus.write(path, (corpus.root / other).read_bytes())
        return decode(data, height, width)

    monkeypatch.setattr("fsclib.data.pixels.decoding.decode", disturbed)
    first = opened("sysu", corpus.root)
    row = first.records.index[first.records["path"] == path].to_numpy()
    assert np.array_equal(first.take(row)[0], corpus.sound.pixels[path])  # whole, as it was
    corpus.pixels[path] = corpus.sound.pixels[other], 0
    assert judge(corpus) == "handled"


def test_mutated_images_are_decoded_or_refused():
    """Bytes changed, zeroed, doubled and cut at random: pixels or a reason, never anything else."""
    source = np.random.default_rng(0)
    picture = Image.fromarray(source.integers(0, 256, (40, 16, 3), dtype=np.uint8))
    files = [make(picture)[0] for name, make in SAME.items() if "20,000" not in name]
    decoded, reasons = 0, []
    for number in range(20_000 if LONG else 600):
        data = files[number % len(files)]
        for _ in range(source.integers(1, 5)):
            data = mutated(data, source)
        try:
            assert len(decode(data, 8, 4)) == 8 * 4 * 3
            decoded += 1
        except ValueError as error:
            reasons.append(str(error))
    assert decoded
    assert reasons
    assert all(reasons)
    keep("bad data", "mutated images", {"decoded": decoded, "refused with a reason": len(reasons)})


def mutated(data: bytes, source: np.random.Generator) -> bytes:
    """A few bytes of a file changed, zeroed, doubled or cut out."""
    start = int(source.integers(0, len(data) + 1))
    end = start + int(source.integers(1, 40))
    part = data[start:end]
    return data[:start] + (source.bytes(len(part)), bytes(len(part)), part + part, b"")[source.integers(0, 4)] + data[end:]
