"""Small files that would exhaust memory and large sparse files are refused for their form or size, before memory runs out."""

import json
import os
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from memory import limited
from tally import LONG, keep
from targets import targets, trial

from fsclib.system import reading
from fsclib.training.__main__ import literal
from synthpeople.corpus import Corpus
from workbook import sweep
from workbook.parameters import assigned
from workbook.sweep.file import SweepError

ROOM = 3 << 30  # bytes of memory for a test, beyond what the process has
DEEP = 100_000
SPARSE = 10 << 30
EVERY = 4  # the short form tries every fourth content, beginning with another one for each file


@pytest.fixture
def little_memory():
    with limited(ROOM):
        yield


def header(length: int, content: bytes = b"") -> bytes:
    """The beginning of a safetensors file that claims this header length."""
    return length.to_bytes(8, "little") + content


def tensors(**entries) -> bytes:
    text = json.dumps(entries).encode()
    return header(len(text), text)


def npy(shape: str, descr: str = "'|u1'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


LAUGHS = "\n".join(["a0: &a0 [ha, ha]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)])
MERGES = "\n".join(["m0: &m0 {k: v}"] + [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, 12)])
CONTENTS = {
    "JSON nested 100,000 deep": b"[" * DEEP,
    "closed JSON nested 100,000 deep": b"[" * DEEP + b"]" * DEEP,
    "JSON objects nested 100,000 deep": b'{"config":' * DEEP + b"1" + b"}" * DEEP,
    "a parameter nested 500 deep": b'{"config": {"seed": ' + b"[" * 500 + b"]" * 500 + b'}, "environment": {}}',
    "an integer of a million digits": b'{"config": {"seed": ' + b"9" * 1_000_000 + b'}, "environment": {}}',
    "an integer of 4,000 digits": b'{"paper.ir2vis.rank1": ' + b"9" * 4_000 + b"}",
    "numbers beyond the range of floats": b'{"paper.ir2vis.rank1": 1e999999, "format": 1e400, "epoch": -1e400}',
    "a million columns": b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n" + b"1," * 999_999 + b"1\n",
    "a row of a million fields": b"epoch,lr\n" + b"1," * 999_999 + b"1\n",
    "a field of ten megabytes": b'epoch,lr\n1,"' + b"x" * 10_000_000 + b'"\n',
    "a quote that never ends": b'epoch,lr\n1,"' + b"x,\n" * 100_000,
    "a safetensors header of 2^60 bytes": header(1 << 60, b"{}"),
    "a safetensors header of 99 megabytes": header(99_000_000, b"{}"),
    "a tensor of 2^60 bytes": tensors(rows={"dtype": "I64", "shape": [1 << 57], "data_offsets": [0, 1 << 60]}),
    "a tensor whose shape overflows": tensors(rows={"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 0]}),
    "a safetensors header nested deep": header(2 * DEEP, b"[" * DEEP + b"]" * DEEP),
    "pixels of a huge shape": npy(f"({1 << 40}, 8, 6, 3)"),
    "pixels whose shape overflows": npy(f"({1 << 62}, {1 << 62}, 6, 3)"),
    "pixels with an expression as shape": npy("(" + "9**" * 9 + "9,)"),
    "pixels with a nested data type": npy("(4, 8, 6, 3)", "[" * 50 + "'|u1'" + "]" * 50),
    "a billion laughs": LAUGHS.encode(),
    "a billion laughs as parameters": f"fixed:\n  {LAUGHS.replace(chr(10), chr(10) + '  ')}\n  seed: *a11\n".encode(),
    "a billion merges": MERGES.encode(),
    "YAML nested 50,000 deep": b"grids: " + b"[" * 49_000,
    "a list within itself": b"seeds: &a [*a]\n",
    "10^30 cells": b"grids:\n  - {" + b", ".join(b"p%d: [0,1,2,3,4,5,6,7,8,9]" % n for n in range(30)) + b"}\nseeds: [0]\n",
    "40,000 seeds": b"seeds: [" + b"1," * 40_000 + b"1]\n",
    "a hexadecimal integer of 20,000 digits": b"seeds: [0x" + b"f" * 20_000 + b"]\nnotebook: 0x" + b"f" * 20_000,
    "a number in base 60": b"seeds: [1" + b":59" * 33_000 + b"]\n",
    "null characters": b"\0" * 1_000_000,
    "a line of ten megabytes": b"x" * 10_000_000,
}


def test_no_file_exhausts_memory(tmp_path, monkeypatch, little_memory):
    outcomes = Counter()
    for place, (name, target) in enumerate(targets(tmp_path, monkeypatch).items()):
        for kind in list(CONTENTS)[0 if LONG else place % EVERY :: 1 if LONG else EVERY]:
            content = CONTENTS[kind]
            found = trial(f"{name}, {kind}", target, lambda file, content=content: file.write_bytes(content))
            assert found != "read", (name, kind)
            outcomes[found] += 1
    keep("hostile files", "resource bombs", outcomes)


def test_too_large_files_are_not_read(tmp_path, monkeypatch, little_memory):
    outcomes = Counter()
    for name, target in targets(tmp_path, monkeypatch).items():
        for begin in (b"", target.file.read_bytes()):

            def put(file, begin=begin):
                file.write_bytes(begin)
                os.truncate(file, SPARSE)

            outcomes[trial(name, target, put)] += 1
    assert "read" not in outcomes
    keep("hostile files", "10 GB sparse files", outcomes)


NOT_FILES = {
    "a pipe without a writer": os.mkfifo,
    "a device that never ends": lambda file: file.symlink_to("/dev/zero"),
    "a folder": lambda file: file.mkdir(),
}


def test_pipes_devices_and_folders_are_not_waited_for(tmp_path, monkeypatch):
    outcomes = Counter()
    for name, target in targets(tmp_path, monkeypatch).items():
        if "cache" not in name and name != "image":  # caches are not shared; for images see test_bad_data.py
            outcomes.update(trial(f"{name} that is {kind}", target, make) for kind, make in NOT_FILES.items())
    assert "read" not in outcomes
    keep("hostile files", "pipes, devices, folders", outcomes)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"a": 1}, {"a": 1}),
        ([[[[[[[[]]]]]]]], [[[[[[[[]]]]]]]]),
    ],
)
def test_shallow_json_is_read(tmp_path, content, found):
    (tmp_path / "x").write_text(json.dumps(content))
    assert reading.read_json(tmp_path / "x") == found


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("[" * 10 + "1" + "]" * 10, "more than 8 levels"),
        ('{"a": {"b": 1, "c": 2, "b": 1}}', "has the key 'b' twice"),
        ("[" * DEEP, "nested too deep"),
        ("{", "Expecting"),
        ("\udcff", "utf-8"),
        ("9" * 5000, "digits"),
    ],
)
def test_bad_json_raises_value_error(tmp_path, content, error):
    (tmp_path / "x").write_text(content, errors="surrogateescape")
    with pytest.raises(ValueError, match=error):
        reading.read_json(tmp_path / "x")


def test_csv_is_read_as_by_pandas(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan], "c": ["x", 'y, "z"']})
    frame.to_csv(tmp_path / "x", index=False)
    pd.testing.assert_frame_equal(reading.read_csv(tmp_path / "x"), frame)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("", "No columns"),
        ("a,b\n1,2,3\n4,5,6\n", "different lengths"),
        ("a" + ",a" * 1000, "1,001 columns"),
        ("a\n1\n2,3\n", "Expected 1|different"),
    ],
)
def test_bad_csv_raises_value_error(tmp_path, content, error):
    (tmp_path / "x").write_text(content)
    with pytest.raises(ValueError, match=error):
        reading.read_csv(tmp_path / "x")


def test_file_beyond_the_size_limit_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert reading.read_bytes(tmp_path / "x", 5) == b"12345"
    with pytest.raises(OSError, match="has 5 bytes, expected at most 4"):
        reading.read_bytes(tmp_path / "x", 4)


@pytest.mark.parametrize("text", ["(" * DEEP, "-" * DEEP + "1", "{[]: 1}", "[" * 90 + "]" * 90, "9" * 5000, "\0", "1 +", "x.y"])
def test_hostile_arguments_are_parsed_safely(text):
    assert literal(text) == text or text.startswith("[[")
    assert assigned(text) == ([], False)


def test_sweep_of_too_many_cells_is_refused(tmp_path):
    file = tmp_path / "grid.yaml"
    file.write_text("grids:\n  - {epochs: [1, 2], seed: [3]}\n  - {lr: [0.1]}\nseeds: [" + ", ".join(map(str, range(5000))) + "]\n")
    with pytest.raises(SweepError, match=r"found 1.5e\+04 cells, expected at most 10,000"):
        sweep.read(file, check=False)


def test_corpus_of_millions_of_images_is_refused():
    with pytest.raises(ValueError, match="identities × images is 9,989,001, expected at most 200,000"):
        Corpus("llcm", 9999, images=999)
    assert sys.getsizeof(Corpus("llcm", 2000, images=100)) < 1000
