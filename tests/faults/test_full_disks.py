"""Every place that writes, on a disk that is full to some degree, cannot be written or takes no large file.

What cannot be written is told with a mend, each file is the one before or the new one, nothing half-written stays, and once the
disk is mended the same again completes.
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

TOLD = (
    r"(DiskError|CheckpointError|OSError|PermissionError): [\s\S]*(free some space there|Free some space|grant write access there)"
)
DEGREES = 12 if LONG else 2  # of fullness that are tried of each place
LIMITS = (0, 100, 1000, 5000, 9000, 20_000, 60_000) if LONG else (1000,)  # bytes of the largest file
REFUSED, AT_ONCE = "refused with a mend and completed afterwards", "completed at once"


@pytest.fixture
def disk():
    with mounted(64) as folder:
        yield folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What each writer leaves where nothing is wrong."""
    found = {}
    for writer in WRITERS:
        home = tmp_path_factory.mktemp("undisturbed") / "home"
        prepare(writer, home)
        writer.write(home)
        found[writer.name] = tree(home)
    return found


def trial(writer, home, expected, breaking, **limits):
    """One attempt on a broken disk, and if it fails one on the mended disk; how it went."""
    before = prepare(writer, home)
    with breaking:
        told = attempt(partial(writer.write, home), **limits)
    if told:
        assert re.match(TOLD, told), f"{writer.name}: {told}"
        assert str(home) in told, f"{writer.name}: {told}"
        now = {name: content for name, content in tree(home).items() if not name.endswith(".error.txt")}  # a failed cell's
        if writer.sound:
            writer.sound(home)
            before = now = {}
        for name, content in now.items():
            assert content in (before.get(name), expected.get(name)), f"{writer.name}: {name} is neither the old nor the new"
        for name, content in before.items():
            assert content in now.values() or now[name] == expected[name], f"{writer.name}: {name} is lost"
        assert attempt(partial(writer.write, home)) == "", writer.name
    assert tree(home) == expected, writer.name
    shutil.rmtree(home)
    return REFUSED if told else AT_ONCE


def test_full(disk, undisturbed):
    outcomes = Counter()
    for writer in WRITERS:
        expected = undisturbed[writer.name]
        pages = sum(len(content) // PAGE + 2 for content in expected.values())
        lefts = sorted({number * pages // DEGREES for number in range(DEGREES)})
        found = Counter(trial(writer, disk / "home", expected, full(disk, left)) for left in lefts)
        assert found[REFUSED] or writer.name == "the lock of a run", f"{writer.name} has met no full disk"
        outcomes += found
    keep("disk", f"full to some degree, {len(WRITERS)} places", outcomes)


def test_read_only(disk, undisturbed):
    outcomes = Counter(trial(writer, disk / "home", undisturbed[writer.name], read_only(disk)) for writer in WRITERS)
    assert outcomes == {REFUSED: len(WRITERS)}
    keep("disk", f"read-only, {len(WRITERS)} places", outcomes)


def test_without_the_right_to_write(undisturbed):
    folder = Path(tempfile.mkdtemp(prefix="closed-"))
    try:
        folder.chmod(0o755)  # another user may come this far, which pytest's own folder does not allow
        home = folder / "home"
        outcomes = Counter(trial(writer, home, undisturbed[writer.name], closed(home), nobody=True) for writer in WRITERS)
    finally:
        shutil.rmtree(folder)
    assert outcomes == {REFUSED: len(WRITERS)}
    keep("disk", f"no right to write, {len(WRITERS)} places", outcomes)


def test_no_large_file(tmp_path, undisturbed):
    outcomes = Counter(
        trial(writer, tmp_path / "home", undisturbed[writer.name], nullcontext(), largest=largest)
        for writer in WRITERS
        for largest in LIMITS
    )
    assert outcomes[REFUSED]
    keep("disk", f"size of files limited, {len(WRITERS)} places", outcomes)
