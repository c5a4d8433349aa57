"""Keyword arguments from a notebook's parameter cells; a mistyped parameter is refused instead of ignored.

papermill injects its own cell and only warns about a name that the notebook does not know. The executed cells show which names
were given: the cell tagged `parameters`, recognised by its `dataset = "…"`, and the injected one, recognised by its first line.
"""

import ast
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fsclib.config import Config, ConfigError
from fsclib.config.strict import shown

INJECTED = "# Parameters"  # papermill's first line


def parameters(namespace: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Names and values assigned by this notebook's parameter cells. namespace: the caller's by default.

    If a cell has run more than once, its last version counts, so a corrected typo is forgotten.
    Errors: ConfigError for a parameter that this notebook does not have, which would have no effect, or if no cell that sets
    `dataset` has run.
    """
    if namespace is None:  # the cell does not pass globals(): that name may have been injected too
        namespace = sys._getframe(1).f_globals
    own, injected = None, []
    cells = namespace.get("In", ())
    if not (isinstance(cells, (list, tuple)) and all(isinstance(source, str) for source in cells)):
        raise ConfigError([f"In: found {shown(cells)}, expected the list of executed cells; it is not a parameter, leave it out"])
    for source in cells:
        names, is_own = assigned(source)
        if source.strip().splitlines()[:1] == [INJECTED]:
            injected = names
        elif is_own:
            own = names
    if own is None:
        expected = f"expected one that sets dataset to a string and does not begin with {INJECTED!r}, as papermill's does"
        raise ConfigError([f"no parameter cell has run: {expected}; run the cell tagged `parameters` first"])
    elsewhere = [name for name in injected if name not in own and name in {f.name for f in fields(Config)}]
    if elsewhere:
        valid = f"valid here are {', '.join(own)}"
        raise ConfigError([*(f"{name}: not a parameter of this notebook, it would have no effect" for name in elsewhere), valid])
    return {name: namespace[name] for name in dict.fromkeys([*own, *injected]) if name in namespace}


def assigned(source: str) -> tuple[list[str], bool]:
    """The names that a cell assigns at top level, and whether it sets `dataset` to a string."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # not Python, null characters, nested too deeply
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
