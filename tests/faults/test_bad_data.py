"""Every corruption of a data set is handled or reported at its place, and all problems are reported in one pass."""

import dataclasses
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
from unittest import mock

import numpy as np
import pytest
from corpora import fake_draw
from corruptions import CATALOGUE
from entering import PUBLISHED
from pictures import VALID
from PIL import Image
from spoiling import PLACES, SIZE, Corpus, IntactCorpus
from tally import LONG, keep

from fsclib.config.specs import DATASETS
from fsclib.data.images import open_images
from fsclib.data.pixels.decoding import decode
from fsclib.data.records import FATAL, INFRARED, DatasetError
from fsclib.training import loop
from synthpeople.generate import write_corpus

every_layout = pytest.mark.parametrize("layout", PUBLISHED)
NOBODY = 65534
PEOPLE, FEW = 18, 8


@pytest.fixture(autouse=True)
def time_limit():
    """Fails a test that hangs, after ten minutes, or an hour in the long form, so that the others can run."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("hangs"))
    signal.alarm(3600 if LONG else 600)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def smooth_draw(*shot):
    """A picture that JPEG and WebP change little."""
    drawn = fake_draw(*shot)
    height, width, _ = drawn.pixels.shape
    coarse = Image.fromarray(drawn.pixels[:8, :3])
    return dataclasses.replace(drawn, pixels=np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)))


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Builds an intact corpus, and its pixels in a cache beside it. PEOPLE are enough for all corruptions together."""
    made = {}

    def of(layout: str, people: int = PEOPLE) -> IntactCorpus:
        if (layout, people) not in made:
            root = tmp_path_factory.mktemp("intact") / DATASETS[layout].folder
            with mock.patch("synthpeople.corpus.draw", smooth_draw):
                write_corpus(root, layout, people, 3, images=2, height=64, width=24, workers=1, progress=False)
            images = opened(layout, root)
            pixels = dict(zip(images.records["path"], images.take(np.arange(len(images.records))), strict=True))
            made[layout, people] = IntactCorpus(layout, root, images.records, pixels)
        return made[layout, people]

    return of


def opened(layout: str, root: Path, strict: bool = True):
    return open_images(layout, SIZE, root=root, strict=strict, workers=1, cache_dir=root.parent / "cache", show=False)


def check(corpus: Corpus) -> str:
    """Opens a corpus strictly and leniently and compares the results with those expected. Returns "handled" or "reported"."""
    expected = sorted(corpus.problems, key=str)
    if expected:
        with pytest.raises(DatasetError) as caught:
            opened(corpus.layout, corpus.root)
        assert places(caught.value.problems) == expected
        assert all(problem.found and problem.fix for problem in caught.value.problems)
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


def test_catalogue_has_at_least_40_distinct_corruptions():
    names = [corruption.name for corruption in CATALOGUE]
    assert len(set(names)) == len(names) >= 40


@every_layout
def test_each_corruption_is_handled_or_reported(layout, intact, tmp_path):
    """Once, in one layout; in the long form in all its layouts, for images of both splits and modalities."""
    outcomes, failures = Counter(), {}
    for number, corruption in enumerate(CATALOGUE):
        layouts = corruption.layouts if LONG else (corruption.layouts[number % len(corruption.layouts)],)
        if layout not in layouts:
            continue
        for place in PLACES if LONG else PLACES[number % len(PLACES) :][:1]:
            corpus = Corpus(intact(layout, FEW), tmp_path / "case", place)
            try:
                corruption.apply(corpus)
                outcomes[check(corpus)] += 1
            except Exception:
                failures[corruption.name, *place] = traceback.format_exc(limit=-2)
            shutil.rmtree(tmp_path / "case")
    assert not failures, "\n".join(f"{where}: {what}" for where, what in failures.items())
    keep("bad data", layout, outcomes)


def corrupted(corpus: Corpus, chosen) -> Corpus:
    for corruption in chosen:
        corruption.apply(corpus)
    return corpus


def applicable(layout: str) -> list:
    return [corruption for corruption in CATALOGUE if layout in corruption.layouts and not corruption.alone]


@every_layout
def test_all_corruptions_are_listed_in_one_pass_and_skipped_in_training(layout, intact, tmp_path, monkeypatch, tiny):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    corpus = corrupted(Corpus(intact(layout), tmp_path / "data"), applicable(layout))
    assert check(corpus) == "reported"
    config = {"dataset": layout, "data_root": str(corpus.root), "epochs": 1, "decay": ()}
    with pytest.raises(DatasetError) as caught:
        loop.fit(tiny(**config))
    assert places(caught.value.problems) == sorted(corpus.problems, key=str)
    run = loop.fit(tiny(**config, strict=False))
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["skipped"] == len(corpus.problems)
    assert metrics["skipped_by_kind"] == Counter(kind for kind, _, _ in corpus.problems)


@pytest.mark.skipif(not LONG, reason="one training per trial: make test-faults")
@every_layout
def test_training_counts_the_broken_entries_it_skips(layout, intact, tmp_path, monkeypatch, tiny):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    outcomes = Counter()
    for seed in range(8):
        chosen = random.Random(seed).sample(applicable(layout), 6)
        corpus = corrupted(Corpus(intact(layout), tmp_path / f"data{seed}", PLACES[seed % len(PLACES)]), chosen)
        check(corpus)
        config = tiny(dataset=layout, data_root=str(corpus.root), epochs=1, decay=(), strict=False, name=f"run{seed}")
        metrics = json.loads((loop.fit(config).folder / "metrics.json").read_text())
        assert metrics["skipped_by_kind"] == Counter(kind for kind, _, _ in corpus.problems), chosen
        outcomes["finished with the right counts"] += 1
    keep("training on bad data", layout, outcomes)


def test_protocol_without_readable_gallery_is_refused_before_training(intact, tmp_path, monkeypatch, tiny):
    """SYSU-MM01's indoor search uses only cameras 1 and 2; the data set still has visible test images of other cameras."""
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    corpus = Corpus(intact("sysu"), tmp_path / "data")
    rows = corpus.intact.records
    for path in rows.loc[(rows["split"] == "test") & rows["camera"].isin([1, 2]), "path"]:
        corpus.write(path, b"no image")
    with pytest.raises(DatasetError, match="indoor"):
        loop.fit(tiny(dataset="sysu", data_root=str(corpus.root), epochs=1, decay=(), strict=False))
    assert not list(tmp_path.glob("results/**/config.json"))


@contextmanager
def unprivileged():
    """Drops root's privileges, which override file permissions."""
    if (before := os.geteuid()) == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def public_folder():
    """A folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@every_layout
@pytest.mark.parametrize("what", ["image", "folder of images", "index file", "folder of index files", "data set"])
def test_missing_permission_to_read_is_reported(layout, what, intact, public_folder):
    corpus = Corpus(intact(layout), public_folder / "case", ("test", INFRARED))
    (public_folder / "case").chmod(0o755)
    (public_folder / "case/cache").chmod(0o777)
    for file in (public_folder / "case/cache").iterdir():
        file.chmod(0o666)
    image = corpus.image()
    if what == "image":
        corpus.write(image, (corpus.root / image).read_bytes())  # a copy, because the file is shared with the intact corpus
        (corpus.root / image).chmod(0)
        corpus.report("broken image", image)
        corpus.words[image] = "Permission denied"
    elif what == "folder of images":
        folder = image.rpartition("/")[0]
        lost = [path for path in corpus.intact.records["path"] if path.startswith(f"{folder}/")]
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
        if what == "data set":
            for folder in {"sysu": [f"cam{camera}" for camera in range(1, 7)], "llcm": ["test_vis", "test_nir"]}.get(layout, []):
                corpus.report("missing folder", folder)
    try:
        with unprivileged():
            assert check(corpus) == "reported"
    finally:
        for folder in (corpus.root, (corpus.root / corpus.index).parent, (corpus.root / image).parent):
            folder.chmod(0o755)


@every_layout
def test_data_set_in_a_folder_whose_name_is_not_utf8(layout, intact, tmp_path):
    corpus = Corpus(intact(layout), tmp_path / "case")
    strange = corpus.root.with_name(os.fsdecode(b"caf\xe9 \xff"))
    corpus.root.rename(strange)
    corpus.root = strange
    assert check(corpus) == "handled"
    path = corpus.image()
    corpus.write(path, b"no image")
    corpus.report("broken image", path)
    assert check(corpus) == "reported"


def test_image_that_changes_while_being_decoded_is_decoded_again(intact, tmp_path, monkeypatch):
    corpus = Corpus(intact("sysu"), tmp_path / "case")
    path, other = corpus.image(), corpus.image()
    corpus.write(path, (corpus.root / path).read_bytes() + b" ")  # so that it is decoded again

    def decode_after_change(data: bytes, height: int, width: int) -> bytes:
        monkeypatch.undo()
        corpus.write(path, (corpus.root / other).read_bytes())
        return decode(data, height, width)

    monkeypatch.setattr("fsclib.data.pixels.decoding.decode", decode_after_change)
    first = opened("sysu", corpus.root)
    row = first.records.index[first.records["path"] == path].to_numpy()
    assert np.array_equal(first.take(row)[0], corpus.intact.pixels[path])  # complete, with the old content
    corpus.pixels[path] = corpus.intact.pixels[other], 0
    assert check(corpus) == "handled"


def test_mutated_images_are_decoded_or_refused():
    """Bytes are changed, zeroed, doubled and cut at random; decoding returns pixels or raises ValueError with a reason."""
    source = np.random.default_rng(0)
    picture = Image.fromarray(source.integers(0, 256, (40, 16, 3), dtype=np.uint8))
    files = [make(picture)[0] for name, make in VALID.items() if "20,000" not in name]
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
