"""From a notebook's cells to keyword arguments, so that a mistyped parameter is refused instead of ignored.

papermill injects a cell of its own and only warns on a name that the notebook does not know. The cells that have run tell which
names were given: the one tagged `parameters`, known by its `dataset = "…"`, and the injected one, known by its first line.
"""

import ast
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fsclib.config import Config, ConfigError
from fsclib.strict import shown

INJECTED = "# Parameters"  # papermill's first line


def parameters(namespace: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Names and values that the parameter cells of this notebook assigned. namespace: the caller's own, unless given.

    Of a cell that was run more than once the last version counts: what was mistyped and mended is forgotten.
    Errors: ConfigError for a parameter that this notebook does not have, or if no cell that sets `dataset` has run: it would be
    ignored.
    """
    if namespace is None:  # not globals() in the cell: that name, too, may have been injected
        namespace = sys._getframe(1).f_globals
    own, injected = None, []
    cells = namespace.get("In", ())
    if not (isinstance(cells, (list, tuple)) and all(isinstance(source, str) for source in cells)):
        raise ConfigError([f"In: found {shown(cells)}, expected the cells that have run; it is no parameter"])
    for source in cells:
        names, is_own = assigned(source)
        if source.strip().splitlines()[:1] == [INJECTED]:
            injected = names
        elif is_own:
            own = names
    if own is None:
        expected = f"expected one that sets dataset to a text and does not begin with {INJECTED!r}, as papermill's does"
        raise ConfigError([f"no parameter cell has run: {expected}; run the cell tagged `parameters` first"])
    elsewhere = [name for name in injected if name not in own and name in {f.name for f in fields(Config)}]
    if elsewhere:
        valid = f"valid here are {', '.join(own)}"
        raise ConfigError([*(f"{name}: not a parameter of this notebook, it would have no effect" for name in elsewhere), valid])
    return {name: namespace[name] for name in dict.fromkeys([*own, *injected]) if name in namespace}


def assigned(source: str) -> tuple[list[str], bool]:
    """The names that a cell assigns outside functions and blocks, and whether `dataset` is among them, set to a text."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # no Python, null characters, nested too deep
        return [], False
    names, is_own = [], False
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        parts = [part for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        found = [part.id for part in parts if isinstance(part.ctx, ast.Store)]  # not the x of x[0] = 1
        text = isinstance(getattr(node, "value", None), ast.Constant) and isinstance(node.value.value, str)
        is_own = is_own or (text and "dataset" in found)
        names += found
    return names, is_own
