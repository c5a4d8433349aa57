"""Fuzzing: whatever a file holds, its reader returns or raises one of its own errors, and no other file changes.

Past findings have tests of their own in test_places.py.
"""

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import as_json, changed, mutations, scalars, values, words
from tally import LONG, keep
from targets import targets, trial

from fsclib.config import Config, ConfigError
from fsclib.data.layouts import llcm, regdb, sysu
from fsclib.data.layouts.listing import read_ids, read_images
from fsclib.data.records import Problem
from fsclib.training.__main__ import literal
from workbook.parameters import assigned, parameters
from workbook.sweep.file import KEYS, SLURM

EXAMPLES = 400 if LONG else 25


def budget(share: float = 1):
    """Settings for a share of the examples; in the short form they are the same in every run."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture, HealthCheck.large_base_example]
    number = max(3, round(share * EXAMPLES))
    return settings(max_examples=number, deadline=None, derandomize=not LONG, database=None, suppress_health_check=checks)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def all_targets(place):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield targets(place / "files", monkeypatch)


def others(folder: Path, own: Path) -> dict[str, bytes]:
    """Content of every file except `own` and those that are rebuilt (pixel caches, web pages); of large files, the time."""
    made = {"cache", "other", "html", "index.html"}
    found = [file for file in folder.rglob("*") if file.is_file() and file != own and not made & {*file.relative_to(folder).parts}]
    return {str(file): file.read_bytes() if file.stat().st_size < 1e6 else b"%d" % file.stat().st_mtime_ns for file in found}


NAMES = [
    "config.json of a run", "config.json before training", "metrics.json", "log.csv", "log.csv appended to", "table of a run",
    "last.safetensors", "best.safetensors", "state of best.safetensors", "published checkpoint", "ImageNet weights", "embeddings",
    "index of the cache", "pixels of the cache", "image", "index of a data set", "corpus.json, for masks",
    "corpus.json, to be completed", "sweep file", "executed notebook", "published.csv", "results of benchmarks", "error of a sweep",
]  # fmt: skip
SLOW = {"ImageNet weights": 0.02, "executed notebook": 0.2, "sweep file": 0.4, "index of a data set": 0.5}


@pytest.mark.parametrize("name", NAMES)
def test_mutated_bytes_of_a_file(name, all_targets, place):
    target, outcomes = all_targets[name], Counter()
    before = others(place / "files", target.file)

    @budget(SLOW.get(name, 1))
    @given(mutations(target.file.read_bytes()))
    def check(content):
        outcomes[trial(name, target, lambda file: file.write_bytes(content))] += 1

    check()
    assert others(place / "files", target.file) == before
    keep("fuzzing", f"bytes of {name.replace(',', '')}", outcomes)


JSON_FILES = [
    "config.json of a run", "config.json before training", "metrics.json", "index of the cache", "corpus.json, for masks",
    "corpus.json, to be completed", "executed notebook", "results of benchmarks",
]  # fmt: skip


@pytest.mark.parametrize("name", JSON_FILES)
def test_changed_values_of_a_json_file(name, all_targets):
    target, outcomes = all_targets[name], Counter()
    content = json.loads(target.file.read_text())

    @budget(SLOW.get(name, 1))
    @given(changed(content))
    def check(other):
        outcomes[trial(name, target, lambda file: file.write_bytes(as_json(other)))] += 1

    check()
    keep("fuzzing", f"values of {name.replace(',', '')}", outcomes)


def parts(content: bytes) -> tuple[dict, bytes]:
    """The header of a safetensors file, and its tensors."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: object, rest: bytes) -> bytes:
    text = as_json(header)
    return len(text).to_bytes(8, "little") + text + rest


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors", "state of best.safetensors", "embeddings"])
def test_changed_header_of_tensors(name, all_targets):
    target, outcomes = all_targets[name], Counter()
    header, rest = parts(target.file.read_bytes())

    @budget()
    @given(changed(header))
    def check(other):
        outcomes[trial(name, target, lambda file: file.write_bytes(joined(other, rest)))] += 1

    check()
    keep("fuzzing", f"header of {name}", outcomes)


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors", "state of best.safetensors"])
def test_changed_state_of_a_checkpoint(name, all_targets):
    """The tensors are intact; the state stored beside them is changed."""
    target, outcomes = all_targets[name], Counter()
    header, rest = parts(target.file.read_bytes())
    ((key, said),) = header["__metadata__"].items()

    @budget()
    @given(changed(json.loads(said)))
    def check(other):
        told = header | {"__metadata__": {key: json.dumps(other)}}
        outcomes[trial(name, target, lambda file: file.write_bytes(joined(told, rest)))] += 1

    check()
    keep("fuzzing", f"state in {name}", outcomes)


INDEXES = {
    sysu: ("exp/train_id.txt", "exp/val_id.txt", "exp/test_id.txt"),
    regdb: ("idx/train_visible_1.txt", "idx/train_thermal_1.txt", "idx/test_visible_1.txt", "idx/test_thermal_1.txt"),
    llcm: ("idx/train_vis.txt", "idx/train_nir.txt", "idx/test_id.txt"),
}
LINES = b"1, 2,3\nvis/0001/a.jpg 1\nnir/../x.jpg 2\r\n\xef\xbb\xbfC:\\a.bmp 3\n\n ./b c.jpg\t4 \n"


@pytest.mark.parametrize("reader", INDEXES, ids=lambda reader: reader.__name__.rpartition(".")[2])
def test_mutated_indexes_of_a_layout(reader, place):
    root, outcomes = place / reader.__name__, Counter()
    for index in INDEXES[reader]:
        (root / index).parent.mkdir(parents=True, exist_ok=True)

    @budget()
    @given(st.lists(mutations(LINES), min_size=len(INDEXES[reader]), max_size=len(INDEXES[reader])))
    def check(contents):
        for index, content in zip(INDEXES[reader], contents, strict=True):
            (root / index).write_bytes(content)
        records, problems = reader.read(root)
        assert records.empty  # there is no image
        assert all(isinstance(problem, Problem) and str(problem) and problem.fix for problem in problems)
        outcomes["problems" if problems else "nothing found"] += 1
        assert sorted(file.name for file in root.rglob("*") if file.is_file()) == sorted(Path(i).name for i in INDEXES[reader])

    check()
    keep("fuzzing", f"indexes of {reader.__name__.rpartition('.')[2]}", outcomes)


def test_mutated_lines_of_an_index(place):
    """An accepted line is an identity below 10^18, or a path inside the data set."""
    root, outcomes = place / "lines", Counter()
    root.mkdir()
    (root / "a b.jpg").write_bytes(b"x")

    @budget(4)
    @given(mutations(LINES + b"a b.jpg 5\n"))
    def check(content):
        (root / "index").write_bytes(content)
        problems: list[Problem] = []
        identities = read_ids(root, "index", problems)
        assert all(type(who) is int and 0 <= who < 10**18 for who in identities)
        for index, path, label in read_images(root, ["index"], problems):
            assert (index, path, type(label)) == ("index", "a b.jpg", int)
        outcomes["problems" if problems else "read"] += 1

    check()
    keep("fuzzing", "lines of an index", outcomes)


axes = st.sampled_from(["modules", "network", "epochs", "lr", "dataset", "scale", "name", "seed", "device", "strict"])
grids = st.dictionaries(st.one_of(axes, words), st.one_of(values, st.lists(scalars, max_size=3)), max_size=3)
sweeps = st.fixed_dictionaries(
    {},
    optional={
        "notebook": st.one_of(st.just("02_train"), values),
        "fixed": st.one_of(grids, values),
        "grids": st.one_of(st.lists(grids, max_size=3), values),
        "seeds": st.one_of(st.lists(st.integers(0, 3), max_size=3), values),
        "slurm": st.one_of(st.dictionaries(st.one_of(st.sampled_from(sorted(SLURM)), words), scalars, max_size=3), values),
        "Notebook": values,
    },
)


def test_values_of_a_sweep_file(all_targets):
    target, outcomes = all_targets["sweep file"], Counter()
    assert {"notebook", "fixed", "grids", "seeds", "slurm"} == {*KEYS}

    @budget()
    @given(sweeps)
    def check(content):
        try:
            text = yaml.safe_dump(content, allow_unicode=True)
            text.encode()
        except (yaml.YAMLError, UnicodeEncodeError):  # lone surrogates
            return
        outcomes[trial("sweep file", target, lambda file: file.write_text(text, encoding="utf-8"))] += 1

    check()
    keep("fuzzing", "values of a sweep file", outcomes)


fields = st.one_of(words, st.text(st.characters(min_codepoint=9), max_size=8), st.integers().map(str), st.floats().map(str))


@pytest.mark.parametrize("name", ["log.csv", "log.csv appended to", "table of a run", "published.csv"])
def test_made_up_rows_of_a_table(name, all_targets):
    """A correct heading with made-up fields."""
    target, outcomes = all_targets[name], Counter()
    heading, first, *_ = target.file.read_text().splitlines()
    number = heading.count(",") + 1

    def quoted(field: str) -> str:
        return '"' + field.replace('"', '""') + '"' if set(field) & set('",\r\n') else field

    @budget()
    @given(st.lists(st.lists(fields, min_size=number - 1, max_size=number + 1), max_size=3), st.booleans())
    def check(rows, with_first):
        lines = [heading, *([first] * with_first), *(",".join(map(quoted, row)) for row in rows)]
        content = "\n".join(lines).encode("utf-8", "surrogatepass")
        outcomes[trial(name, target, lambda file: file.write_bytes(content))] += 1

    check()
    keep("fuzzing", f"rows of {name}", outcomes)


LINES_OF_PYTHON = [
    "# Parameters\n", 'dataset = "llcm"\n', "seed = 1\n", "a, b = 1, 2\n", "x: int = 3\n", "x[0] = 1\n",
    "def f():\n  y = 2\n", "(" * 300,
]  # fmt: skip
python = st.lists(st.one_of(words, st.sampled_from(LINES_OF_PYTHON)), max_size=6).map("".join)


def test_cells_of_a_notebook():
    outcomes = Counter()

    @budget(4)
    @given(st.lists(python, max_size=4))
    def check(cells):
        for cell in cells:
            names, own = assigned(cell)
            assert all(isinstance(name, str) for name in names)
            assert isinstance(own, bool)
            assert isinstance(literal(cell), object)
        try:
            found = parameters({"In": cells, "dataset": "llcm"})
        except ConfigError:
            outcomes["refused"] += 1
        else:
            assert found.keys() <= {"dataset"}
            outcomes["read"] += 1

    check()
    keep("fuzzing", "cells of a notebook", outcomes)


def test_names_and_values_of_a_configuration():
    outcomes, known = Counter(), list(Config().to_dict())

    @budget(4)
    @given(st.dictionaries(st.one_of(st.sampled_from([*known, "cls", "self", "__class__"]), words), values, max_size=4))
    def check(given_values):
        try:
            config = Config(**given_values)
        except ConfigError as error:
            outcomes["refused" if str(error) else "refused without a word"] += 1
        else:
            assert Config(**json.loads(json.dumps(config.to_dict()))) == config
            outcomes["accepted"] += 1

    check()
    keep("fuzzing", "configurations", outcomes)


def test_every_kind_of_file_is_fuzzed(all_targets):
    assert {*NAMES} == {*all_targets} - {"config.json in a table"}
