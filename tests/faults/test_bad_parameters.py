"""Every value that papermill can pass to a notebook is accepted with its evident meaning or refused by name, before any work.

Values take the whole path except for the kernel: command line → papermill's parsing of -p, -r or -y → the cell that it injects
after the notebook's own → workbook.parameters.parameters → the class of options.
"""

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from papermill.cli import _resolve_type
from papermill.iorw import NoDatesSafeLoader
from papermill.translators import PythonTranslator
from parameters import OPTIONS
from tally import LONG, keep

from fsclib.config import Config, ConfigError
from fsclib.config.strict import AUTO, Strict, named
from fsclib.data.records import DatasetError
from fsclib.retrieval.gallery import IndexOptions
from fsclib.retrieval.rerank import Reranking
from fsclib.runs import RunError
from fsclib.training import preparation
from workbook import ablation, embedding, gallery
from workbook.attention import subjects
from workbook.explorer import ExplorerOptions
from workbook.paper import selection
from workbook.parameters import assigned, parameters
from workbook.run_options import NamedRunOptions, RunOptions
from workbook.spectrum import SpectrumOptions
from workbook.sweep.file import SweepError

FOLDER = Path(__file__).parents[2] / "notebooks"
EXAMPLES = 3000 if LONG else 60
ACCEPTED, REFUSED, UNREAD = "accepted with the meaning shown", "refused by name", "not read by papermill"

WORDS = [
    "", " ", "auto", "AUTO", "none", "None", "null", "~", "True", "False", "true", "yes", "no", "on", "Off", "0", "1", "-1", "-0",
    "007", "010", "0x10", "0b1", "0o7", "1_000", "1e3", "1E3", "1e-4", "1.0e-4", "1.", ".5", "1e400", "-1e400", "nan", "NaN",
    ".nan", "inf", "-inf", ".inf", "infinity", "-0.0", "5e-324", "1e308", "1,5", "20,80", "20, 80", "80,20", "20,,80", ",", "1:30",
    "1/2", "5 ", " 5", "+5", "--5", "2026-01-01", "2026-01-01 10:00:00", "=", "<<", "?", "5;import os", "__import__('os')", "$HOME",
    "`id`", "../up", "/etc/passwd", "a/b", ".", "..", "-p", "~nobody/here", "cuda", "cuda:0", "cuda:01", "cuda:-1", "gpu", "cpu",
    "frequency", "frequency,spatial", "frequency, spatial", "Frequency", "fsc", "FSC", "deen ", "llcm", "LLCM", "l\u200blcm", "ﬁsc",
    "²", "٣", "１", "é", "人", "\u202eedoc", "\ud800", "\udcff", "\0", "\x1b[31m", "\a", "\x7f", "\x85", "\u2028", "a\nb", "a\tb",
    "a\r\nb", '"', "'", '"""', "\\", '\\"', "a\\", "#", "# Parameters", "{", "{}", "%s", "%%", "{0}", "{dataset}", "9" * 400,
    "9" * 5000, "-" + "9" * 30, str(2**31 - 1), str(2**31), str(2**53 + 1), str(2**63), "x" * 300, "x" * 10_000, "," * 3000,
]  # fmt: skip
YAML = [
    "[]", "{}", "[20, 80]", "[[1, 2]]", "[a, b]", "{a: 1}", "{1: 2}", "[None]", "[~]", "[yes, 1]", "[1.0, 2]", "[20, '80']", "''",
    "' 5'", '"5"', "'yes'", "!!str 5", "!!int '5'", "!!float 5", "!!float .nan", "!!bool yes", "!!null ''", "!!binary aGVsbG8=",
    "!!binary Ig==", "!!timestamp 2026-01-01", "!!set {a, b}", "!!omap [a: 1]", "!!python/object:os.system x", "!nope x", "&a [*a]",
    "*nowhere", "|\n  several\n  lines", ">\n  folded", "a: b", "- a\n- b", "[" * 200 + "]" * 200, "0x" + "f" * 5000, "0o17",
    "1_0.5", "190:20:30", "!!int 0x1F", "@a", "`a`", "%a", "\t5", "[1", "{a", "'a", '"\\ud800"', '"\\x00"', '"\\n"', '"\\N"', "? a",
]  # fmt: skip


def near(f):
    """Texts close to what a field allows: its choices, misspelt and capitalised, and numbers around its bounds."""
    bounds = [f.metadata[key] for key in ("low", "high") if f.metadata[key] is not None]
    steps = [bound + step for bound in bounds for step in (-1, 0, 1)] + [bound * (1 + 1e-9) - 1e-12 for bound in bounds]
    numbers = [form(number) for number in steps for form in (repr, "{:.1f}".format, "{:+.3e}".format, "{:,}".format)]
    choices = [form(choice) for choice in map(str, f.metadata["choices"]) for form in (str, str.upper, "{} ".format, "{}x".format)]
    return [*numbers, *choices, *map(",".join, pairwise(choices)), str(f.default)]


def passed(options):
    """Strategy for (name of a field, option p, r or y, the text passed)."""

    def of(f):
        typed = st.integers().map(str) | st.floats().map(repr) | st.text(max_size=20) | st.text("0123456789._-+eE, ", max_size=8)
        words = st.sampled_from([*WORDS, *near(f)]) | typed
        written = st.sampled_from(YAML) | st.recursive(typed, lambda inner: st.lists(inner, max_size=3)).map(json.dumps)
        pairs = st.tuples(st.sampled_from("pr"), words) | st.tuples(st.just("y"), words | written)
        return pairs.map(lambda pair: (f.name, *pair))

    return st.sampled_from(dataclasses.fields(options)).flatmap(of)


def read(name, form, text):
    """The values that papermill parses from `-p name text`, `-r name text` or `-y "name: text"`, with its errors."""
    if form == "y":
        return yaml.load(f"{name}: {text}", Loader=NoDatesSafeLoader) or {}
    return {name: _resolve_type(text) if form == "p" else text}


def own_cell(notebook):
    """The source of a notebook's parameter cell."""
    (own,) = (cell for cell in json.loads((FOLDER / f"{notebook}.ipynb").read_text())["cells"] if cell["metadata"].get("tags"))
    return "".join(own["source"])


def ran(notebook, values):
    """The namespace of a notebook after its parameter cell and the one that papermill injects; SyntaxError if that is no Python."""
    cells = [own_cell(notebook), PythonTranslator.codify(values)]
    namespace = {"In": ["", *cells]}
    for source in cells:
        exec(compile(source, "cell", "exec"), namespace)
    return namespace


def meaning(kind, name, form, given):
    """What a text passed with -p or -r, or a value parsed from YAML, means to a reader who knows the parameter's type."""
    if given == AUTO:
        return AUTO
    if form != "y":
        if several := get_args(kind):
            parts = [part.strip() for part in given.split(",")] if given not in ("", "none") else []
            return tuple(several[0](part) for part in parts)
        given = given == "True" if kind is bool else kind(given)
    elif several := get_args(kind):
        if isinstance(given, str):
            return meaning(kind, name, "r", given)
        return tuple(given) if isinstance(given, list) else (given,)
    return str(Path(given).expanduser().absolute()) if name == "data_root" and given and kind is str else given


def plain(value):
    """Whether papermill writes a value as a Python literal; it writes others, such as bytes and sets, as text."""
    return all(map(plain, value)) if isinstance(value, list) else isinstance(value, (str, int, float, type(None)))


def outcome(notebook, name, form, text):
    """The outcome for a value, and the options if it was accepted."""
    options = OPTIONS[notebook]
    try:
        values = read(name, form, text)
        if not isinstance(values, dict) or list(values) != [name]:
            return UNREAD, None  # YAML that defines something else
        namespace = ran(notebook, values)
    except (yaml.YAMLError, ValueError, SyntaxError, RecursionError, MemoryError):
        return UNREAD, None  # papermill or the injected cell fails before the notebook's first step
    try:
        accepted = options(**parameters(namespace))
    except ConfigError as error:
        check_refusal(error, name)
        return REFUSED, None
    kept, kind = getattr(accepted, name), get_type_hints(options)[name]
    given = text if form != "y" else values[name] if plain(values[name]) else namespace[name]
    expected = meaning(kind, name, form, given)
    if given == AUTO and options.__dataclass_fields__[name].default != AUTO:
        expected = (AUTO,)  # without special meaning there: an ordinary entry of a list
    if given == AUTO and expected == AUTO:
        assert kept == AUTO or options is Config
    else:
        assert kept == expected
        assert type(kept) is (tuple if get_args(kind) else kind)
    return ACCEPTED, accepted


def check_refusal(error, name):
    """Checks that the error names the parameter and is short enough to read."""
    prefix = f"{named(name)}: "
    assert [problem for problem in error.problems if problem.startswith(prefix) or f" {name}, " in problem], error.problems
    assert len(str(error)) < 3000


def test_every_class_of_options_is_tried():
    every = {*Strict.__subclasses__(), *RunOptions.__subclasses__(), *NamedRunOptions.__subclasses__()}
    assert set(OPTIONS.values()) == every - {Reranking, IndexOptions, RunOptions}  # no notebook takes these
    assert set(OPTIONS) == {file.stem for file in FOLDER.glob("*.ipynb") if not file.name.startswith("out")}


TRIED = [notebook for notebook in OPTIONS if notebook not in ("01_data", "03_evaluate")]  # whose parameters others have too


@pytest.mark.parametrize("notebook", TRIED)
def test_value_is_accepted_literally_or_refused_by_name(notebook):
    counted = Counter()

    @settings(deadline=None, max_examples=EXAMPLES, database=None, derandomize=not LONG)
    @given(passed(OPTIONS[notebook]))
    def tried(words):
        counted[outcome(notebook, *words)[0]] += 1

    tried()
    assert counted[ACCEPTED]
    assert counted[REFUSED]
    keep("bad parameters", OPTIONS[notebook].__name__, counted)


NAMES = [
    "epoch", "Dataset", "dataset_", "data-root", "In", "Out", "_", "config", "parameters", "os", "cls", "self", "help", "日本",
    "x" * 500, "lambda", "None", "a b", "1a", "", "a=b;c", "a.b", "a[0]", "__builtins__", "__class__", "__dict__", "to_dict",
]  # fmt: skip


def test_unknown_name_is_refused_by_name():
    counted = Counter()
    for notebook, options in OPTIONS.items():
        for name in [*NAMES, *(f.name for f in dataclasses.fields(Config))]:
            try:
                namespace = ran(notebook, read(name, "y", "5"))
            except (yaml.YAMLError, SyntaxError, AttributeError, TypeError, NameError):
                counted[UNREAD] += 1
                continue
            if name not in assigned(own_cell(notebook))[0]:
                with pytest.raises(ConfigError) as caught:
                    options(**parameters(namespace))
                check_refusal(caught.value, name)
                counted[REFUSED] += 1
    keep("bad parameters", "names", counted)


OPENED = {  # notebook → its first use of the parameters, and the errors that it raises for names of missing things
    "02_train": (preparation.check, (DatasetError, RunError)),
    "04_spectrum": (SpectrumOptions.run, (RunError, ConfigError)),
    "05_attention": (subjects.open_runs, (RunError,)),
    "06_ablation": (ablation.read, (SweepError, ConfigError)),
    "07_embedding": (embedding.load, (RunError,)),
    "09_paper": (selection.choose, (SweepError,)),
    "10_gallery": (gallery.load, (RunError,)),
    "explore": (ExplorerOptions.run, (RunError,)),
}


def test_accepted_names_of_missing_things_are_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("FSCLIB_HOME", str(tmp_path))
    counted = Counter()

    def tried(notebook, name, text):
        _, options = outcome(notebook, name, "r", text)
        if options is not None:
            opened, errors = OPENED[notebook]
            try:
                opened(dataclasses.replace(options, dataset="llcm"))
            except (*errors, DatasetError):  # DatasetError: our own networks find no images
                counted["said to be missing"] += 1
            else:  # a paper lists whatever needs images as missing
                assert (notebook, name) == ("09_paper", "data_root")

    for notebook in OPENED:
        texts = {"name", "names", "runs", "sweep", "data_root"} & {f.name for f in dataclasses.fields(OPTIONS[notebook])}
        words = given(st.just(notebook), st.sampled_from(sorted(texts)), st.sampled_from(WORDS) | st.text(max_size=10))
        settings(deadline=None, max_examples=EXAMPLES // 4, database=None, derandomize=not LONG)(words(tried))()
    assert counted["said to be missing"] > len(OPENED)
    keep("bad parameters", "names of missing things", counted)


PASSED = [  # notebook, command-line arguments, expected message
    ("02_train", ["-y", "lr: .nan"], "lr: found nan, expected a finite number (at least 0)"),
    ("02_train", ["-r", "epochs", "5"], "epochs: found '5' (str), expected a whole number (at least 1 and at most 10000)"),
    ("02_train", ["-p", "decay", "80,20"], "decay: found (80, 20), expected epochs in ascending order"),
    ("02_train", ["-y", "strict: 'yes'"], "strict: found 'yes' (str), expected True or False"),
    ("02_train", ["-p", "seed", "1e400"], "seed: found inf (float), expected a whole number"),
    ("02_train", ["-y", "In: 5"], "In: found 5, expected the list of executed cells; it is not a parameter"),
    ("09_paper", ["-p", "runs", "../one"], "runs: found '../one', expected runs, side by side"),
    *((notebook, ["-y", "dataset: [llcm]"], "dataset: found ['llcm'] (list), expected text") for notebook in OPTIONS),
]


@pytest.mark.long("several kernels; tests/notebooks has the short form")
def test_papermill_command_fails_with_the_refusal(tmp_path):
    counted = Counter()
    for number, (notebook, words, said) in enumerate(PASSED):
        command = ["papermill", f"{notebook}.ipynb", str(tmp_path / f"{number}.ipynb"), "--start-timeout", "300", *words]
        home = {"FSCLIB_HOME": str(tmp_path / "home")}
        done = subprocess.run([sys.executable, "-m", *command], cwd=FOLDER, env=os.environ | home, capture_output=True, text=True)
        assert done.returncode != 0
        assert said in done.stderr
        assert not (tmp_path / "home").exists()
        counted[REFUSED] += 1
    keep("bad parameters", "papermill itself", counted)
