"""No program of this repository executes what it reads: no pickle, no eval, no shell; JupyterLab listens on this machine only."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("fsclib", "workbook", "synthpeople", "notebooks", "benchmarks", "tools", "tests")
UNSAFE_MODULES = {  # they rebuild objects, and so call what a file names
    "pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle",
}  # fmt: skip
KINDS = {".py", ".ipynb", ".md", ".sbatch", ".yaml"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
BANNED = {  # whether called or passed on
    "read_pickle", "to_pickle", "yaml.full_load", "yaml.full_load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.load_all",
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "torch.hub.load", "torch.jit.load",
    "torch.package.PackageImporter", "code.interact", "all_gather_object", "gather_object", "broadcast_object_list",
    "scatter_object_list", "send_object_list", "recv_object_list",
}  # fmt: skip
REQUIRED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "numpy.load": ("allow_pickle", False)}
ALLOWED = {  # in tests that create what must be refused, or that pickle errors and records of their own
    "tests/faults/bombs.py": {"import pickle", "torch.load", "np.load", "yaml.unsafe_load"},
    "tests/runs/test_checkpoint.py": {"import pickle"},
    "tests/config/test_config.py": {"import pickle"},
    "tests/data/test_records.py": {"import pickle"},
    "tests/models/test_networks.py": {"import pickle"},
    "tests/models/test_published_checkpoints.py": {"import pickle"},
    "tests/people/test_tools.py": {"__import__"},  # for programs in tools/
    "tests/notebooks/test_notebooks.py": {"exec"},  # for the notebooks' own cells
    "tests/inference/export/test_exporting.py": {"exec"},  # for the lines of docs/
    "tests/test_docs.py": {"compile", "exec"},  # the same
    "tests/models/test_timm_backbones.py": {"exec"},  # the same
    "tests/notebooks/test_parameters.py": {"exec"},  # for cells written in the test
    "tests/faults/test_bad_parameters.py": {"compile", "exec", "yaml.load"},  # for what papermill makes of a made-up value
}


def offences(source: str) -> Iterator[str]:
    """The unsafe constructs of a program, one entry each."""
    tree = ast.parse(source)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    safe = {node.name for node in classes if [*map(ast.unparse, node.bases)] == ["yaml.SafeLoader"]}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {name.name}" for name in node.names if name.name.split(".")[0] in UNSAFE_MODULES)
        elif isinstance(node, ast.ImportFrom):
            for name in (f"{node.module}.{name.name}" for name in node.names):
                if name.split(".")[0] in UNSAFE_MODULES or name in BANNED | REQUIRED.keys() | {"yaml.load"}:
                    yield f"import {name}"
        elif isinstance(node, ast.Attribute):
            if (name := ast.unparse(node)) in BANNED or node.attr in BANNED:
                yield name
        elif isinstance(node, ast.Name):
            if node.id in BUILTINS:
                yield node.id
        elif isinstance(node, ast.Call):
            yield from _of_call(node, safe)


def _of_call(node: ast.Call, safe: set[str]) -> Iterator[str]:
    called, options = ast.unparse(node.func), {option.arg: option.value for option in node.keywords}
    if called in REQUIRED:
        name, wanted = REQUIRED[called]
        if getattr(options.get(name), "value", None) is not wanted:
            yield called
    if called == "yaml.load":
        loader = options.get("Loader", node.args[1] if len(node.args) > 1 else None)
        if loader is None or ast.unparse(loader) not in {"yaml.SafeLoader", "yaml.CSafeLoader", *safe}:
            yield called
    if "shell" in options and getattr(options["shell"], "value", None) is not False:
        yield "shell"


def programs(file: Path) -> Iterator[str]:
    """The Python source of a file, or of each code cell of a notebook."""
    if file.suffix == ".py":
        yield file.read_text(encoding="utf-8")
    else:
        yield from ("".join(c["source"]) for c in json.loads(file.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code")


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_program_executes_what_it_reads(folder):
    files = sorted(file for kind in ("py", "ipynb") for file in (REPOSITORY / folder).rglob(f"*.{kind}"))
    found = {file: {offence for text in programs(file) for offence in offences(text)} for file in files}  # no "!ls" in them
    named = {str(file.relative_to(REPOSITORY)): offences for file, offences in found.items() if offences}
    assert files
    assert named == {file: offences for file, offences in ALLOWED.items() if file.startswith(f"{folder}/")}


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        ("import pickle", "import pickle"),
        ("from joblib import load", "import joblib.load"),
        ("from torch import load", "import torch.load"),
        ("def f():\n    import shelve", "import shelve"),
        ("torch.load(file)", "torch.load"),
        ("torch.load(file, weights_only=wanted)", "torch.load"),
        ("torch.load(file, weights_only=False)", "torch.load"),
        ("np.load(file)", "np.load"),
        ("np.load(file, allow_pickle=True)", "np.load"),
        ("yaml.load(text)", "yaml.load"),
        ("yaml.load(text, yaml.Loader)", "yaml.load"),
        ("class L(yaml.Loader): ...\nyaml.load(text, L)", "yaml.load"),
        ("yaml.unsafe_load(text)", "yaml.unsafe_load"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("list(map(eval, texts))", "eval"),
        ("load = yaml.unsafe_load", "yaml.unsafe_load"),
        ("pd.read_pickle(file)", "pd.read_pickle"),
        ("pandas.io.pickle.read_pickle(file)", "pandas.io.pickle.read_pickle"),
        ("subprocess.run(text, shell=True)", "shell"),
        ("subprocess.run(text, shell=wanted)", "shell"),
        ("os.system(text)", "os.system"),
        ("torch.hub.load(name)", "torch.hub.load"),
        ("dist.all_gather_object(found, own)", "dist.all_gather_object"),
    ],
)
def test_each_unsafe_construct_is_detected(source, offence):
    assert list(offences(source)) == [offence]


def test_similar_safe_constructs_are_allowed():
    harmless = """
        net.eval(); frame.eval; torch.load(f, weights_only=True); np.load(f, allow_pickle=False); json.load(f)
        yaml.safe_load(t); yaml.load(t, yaml.SafeLoader); re.compile(t); subprocess.run([p], shell=False)
        class L(yaml.SafeLoader): ...
        yaml.load(t, Loader=L)
    """
    assert list(offences("\n".join(line.strip() for line in harmless.splitlines()))) == []


TORCHRUN = re.compile(r"torch\.distributed\.(?:run|launch|elastic)\b|\btorchrun +-|--(?:rdzv|standalone)")


def test_no_program_starts_torchrun():
    """Its rendezvous unpickles whatever is sent to it from the network."""
    programs = [file for folder in (*FOLDERS, "slurm") for file in (REPOSITORY / folder).rglob("*") if file.suffix in KINDS]
    files = {*programs, *(REPOSITORY / name for name in ("README.md", "Makefile", ".ci/run"))} - {Path(__file__)}
    assert REPOSITORY / "slurm/train.sbatch" in files
    assert {str(file) for file in files if TORCHRUN.search(file.read_text(encoding="utf-8"))} == set()


@pytest.mark.parametrize(
    "command", ["torchrun --nproc-per-node 2 -m fsclib.training", "python -m torch.distributed.run --standalone"]
)
def test_each_way_to_start_torchrun_is_detected(command):
    assert TORCHRUN.search(command)


def unsafe_modules(text: str) -> list[str]:
    """Commands that start `python -m` with the working folder on the path, where a file could shadow one of our modules."""
    lists = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.List, ast.Tuple))]
    words = [[ast.unparse(word) for word in command.elts] for command in lists]
    started = [command for command in words if "sys.executable" in command and "'-m'" in command]
    return [" ".join(command) for command in started if "'-P'" not in command[: command.index("'-m'")]]


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "tests"])
def test_programs_started_by_ours_ignore_the_working_folder(folder):
    files = [file for kind in ("py", "ipynb") for file in (REPOSITORY / folder).rglob(f"*.{kind}")]
    assert {str(file) for file in files for text in programs(file) if unsafe_modules(text)} == set()


def test_a_program_that_imports_from_the_working_folder_is_detected():
    assert unsafe_modules('run([sys.executable, "-u", "-m", "a.b", *words])') == ["sys.executable '-u' '-m' 'a.b' *words"]
    assert unsafe_modules('run((sys.executable, "-P", "-m", "a.b"))') == []


LAB = re.compile(r"\bjupyter(?:[ -]?lab|[ -]notebook|[ -]server)\b[^\n\]`]*")
OPEN = re.compile(
    r"""(?:--|\.)ip[=\s]\s*["']?(?!127\.0\.0\.1|localhost|::1)[\w.*:]+"""
    r"""|(?:token|password)\s*=\s*(?:["']{2}|\s|$)|disable_check_xsrf|allow_origin|allow_remote"""
)


def test_jupyterlab_listens_on_loopback_with_a_token():
    """Both are defaults of JupyterLab, so no command here may change them, and the browser test sets them explicitly."""
    files = ("Makefile", "README.md", ".ci/run", ".github/workflows/test.yml", "tests/browser/lab.py", "tests/browser/test_lab.py")
    started = {name: LAB.findall((REPOSITORY / name).read_text(encoding="utf-8")) for name in files}
    assert started["README.md"]
    assert started["tests/browser/lab.py"]
    assert [command for commands in started.values() for command in commands if OPEN.search(command)] == []
    program = (REPOSITORY / "tests/browser/lab.py").read_text(encoding="utf-8")
    assert "--ServerApp.ip=127.0.0.1" in program
    assert re.search(r"token = secrets\.token_hex\((1[6-9]|[2-9]\d)\)", program)
    assert '"JUPYTER_TOKEN": token' in program


@pytest.mark.parametrize(
    ("command", "open_to_all"),
    [
        ("jupyter lab", False),
        ("jupyter lab --ServerApp.ip=127.0.0.1", False),
        ("jupyter lab --ip=0.0.0.0", True),
        ("jupyter lab --ip '*'", True),
        ("jupyter lab --ServerApp.token=''", True),
        ("jupyter-lab --IdentityProvider.token= --no-browser", True),
        ("jupyter notebook --ServerApp.password=''", True),
    ],
)
def test_jupyterlab_open_to_others_is_detected(command, open_to_all):
    (found,) = LAB.findall(command)
    assert bool(OPEN.search(found)) == open_to_all
