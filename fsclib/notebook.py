"""From a notebook's cells to keyword arguments, so that a mistyped parameter is refused instead of ignored.

papermill injects a cell of its own and only warns on a name that the notebook does not know. The cells that have run tell which
names were given: the one tagged `parameters` (it assigns `dataset`) and the injected one (it begins with "# Parameters").
"""

import ast
from collections.abc import Mapping
from typing import Any


def parameters(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values that the parameter cells of this notebook assigned; call as `parameters(globals())`."""
    names: dict[str, None] = {}
    for source in namespace.get("In", ()):
        names |= dict.fromkeys(assigned(source))
    return {name: namespace[name] for name in names if name in namespace}


def assigned(source: str) -> list[str]:
    """The names that a parameter cell assigns; none for any other cell."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a cell with a shell line or a magic
        return []
    simple = all(isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) for node in body)
    names = [node.targets[0].id for node in body] if simple else []
    return names if "dataset" in names or source.lstrip().startswith("# Parameters") else []
