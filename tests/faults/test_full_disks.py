"""Every writer, on a disk that is more or less full, read-only, without permission, or limited in file size.

A failure to write is reported with a remedy, every file is the old or the new one, nothing half-written is left, and once the disk
is repaired the same call completes.
"""

import re
import shutil
import tempfile
from collections import Counter
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from disks import PAGE, attempt, closed, full, mounted, read_only
from tally import LONG, keep
from writers import WRITERS, prepare, tree

REMEDY = (
    r"(DiskError|CheckpointError|OSError|PermissionError): [\s\S]*(free some space there|Free some space|grant write access there)"
)
DEGREES = 12 if LONG else 2  # of fullness, tried for each writer
LIMITS = (0, 100, 1000, 5000, 9000, 20_000, 60_000) if LONG else (1000,)  # on the size of a file, in bytes
REFUSED, AT_ONCE = "refused with a remedy, then completed", "completed at once"


@pytest.fixture
def disk():
    with mounted(16) as folder:
        yield folder


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """The files that each writer leaves on a working disk."""
    found = {}
    for writer in WRITERS:
        home = tmp_path_factory.mktemp("complete") / "home"
        prepare(writer, home)
        writer.write(home)
        found[writer.name] = tree(home)
    return found


def trial(writer, home, expected, breaking, **limits):
    """Writes on a broken disk and, if that fails, again on the repaired one; returns the outcome."""
    before = prepare(writer, home)
    with breaking:
        error = attempt(partial(writer.write, home), **limits)
    if error:
        assert re.match(REMEDY, error), f"{writer.name}: {error}"
        assert str(home) in error, f"{writer.name}: {error}"
        now = {name: content for name, content in tree(home).items() if not name.endswith(".error.txt")}  # of a failed cell
        if writer.check:
            writer.check(home)
            before = now = {}
        for name, content in now.items():
            assert content in (before.get(name), expected.get(name)), f"{writer.name}: {name} is neither the old nor the new file"
        for name, content in before.items():
            assert content in now.values() or now[name] == expected[name], f"{writer.name}: {name} is lost"
        writer.write(home)
    assert tree(home) == expected, writer.name
    shutil.rmtree(home)
    return REFUSED if error else AT_ONCE


def test_full_disk(disk, complete):
    outcomes = Counter()
    for writer in WRITERS:
        expected = complete[writer.name]
        pages = sum(len(content) // PAGE + 2 for content in expected.values())
        lefts = sorted({number * pages // DEGREES for number in range(DEGREES)})
        found = Counter(trial(writer, disk / "home", expected, full(disk, left)) for left in lefts)
        assert found[REFUSED] or writer.name == "the lock of a run", f"{writer.name} never met a full disk"
        outcomes += found
    keep("disk", f"full to some degree, {len(WRITERS)} places", outcomes)


def test_read_only_disk(disk, complete):
    outcomes = Counter(trial(writer, disk / "home", complete[writer.name], read_only(disk)) for writer in WRITERS)
    assert outcomes == {REFUSED: len(WRITERS)}
    keep("disk", f"read-only, {len(WRITERS)} places", outcomes)


def test_no_permission_to_write(complete):
    folder = Path(tempfile.mkdtemp(prefix="closed-"))
    try:
        folder.chmod(0o755)  # so that another user may enter, unlike pytest's own folder
        home = folder / "home"
        outcomes = Counter(trial(writer, home, complete[writer.name], closed(home), nobody=True) for writer in WRITERS)
    finally:
        shutil.rmtree(folder)
    assert outcomes == {REFUSED: len(WRITERS)}
    keep("disk", f"no right to write, {len(WRITERS)} places", outcomes)


def test_limited_file_size(tmp_path, complete):
    outcomes = Counter(
        trial(writer, tmp_path / "home", complete[writer.name], nullcontext(), largest=largest)
        for writer in WRITERS
        for largest in LIMITS
    )
    assert outcomes[REFUSED]
    keep("disk", f"size of files limited, {len(WRITERS)} places", outcomes)
