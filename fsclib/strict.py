"""Strict fields: a value is what its field's type, choices and bounds allow, or a sentence that says what is wrong with it."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import Field, field
from typing import Any, get_args

AUTO = "auto"


def option(
    default: Any, help: str, *, choices: tuple = (), low: float | None = None, high: float | None = None, recipe: bool = True
) -> Any:
    """A field with its meaning, its admissible values, and whether it belongs to the recipe or only says how to run it."""
    return field(default=default, metadata={"help": help, "choices": choices, "low": low, "high": high, "recipe": recipe})


def nearest(name: str, known: Iterable[str]) -> str:
    """", did you mean …?", or nothing where no known name resembles it."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return f", did you mean {matches[0]!r}?" if matches else ""


def admissible(f: Field) -> str:
    """The choices or bounds of a field, in brackets."""
    choices, low, high = (f.metadata[key] for key in ("choices", "low", "high"))
    if choices:
        return f" ({', '.join(map(str, choices))})"
    bounds = [f"{word} {bound}" for word, bound in (("at least", low), ("at most", high)) if bound is not None]
    return f" ({' and '.join(bounds)})" if bounds else ""


def checked(f: Field, kind: Any, value: Any) -> tuple[Any, str]:
    """The value as the field's type, or the problem with it."""
    if isinstance(value, str) and value == AUTO and (f.default == AUTO or kind is str):
        if f.default != AUTO:
            return value, f"{f.name}: has no preset, so it cannot be 'auto'; give {f.metadata['help']}{admissible(f)}"
        return value, ""
    several = get_args(kind)
    if several:
        if isinstance(value, str):  # papermill -p passes "20,80"; "" and "none" are the empty list
            parts = [part.strip() for part in value.split(",")] if value not in ("", "none") else []
            value = [int(part) if several[0] is int and re.fullmatch("[0-9]{1,9}", part) else part for part in parts]
        elif type(value) is several[0]:  # papermill -p passes a list of one, 20, as a number
            value = [value]
        if not isinstance(value, (list, tuple)):
            return value, f"{f.name}: found {shown(value)}, expected a list: {f.metadata['help']}{admissible(f)}"
        items = [_scalar(f, several[0], item) for item in value]
        return tuple(item for item, _ in items), "; ".join(problem for _, problem in items if problem)
    return _scalar(f, kind, value)


def shown(value: Any) -> str:
    """A value as Python writes it, on one line of bounded length."""
    try:
        text = " ".join(repr(value).splitlines())
    except Exception:  # a whole number of thousands of digits, or somebody's own class
        text = "what cannot be shown"
    return text if len(text) <= 100 else f"{text[:99]}…"


def _scalar(f: Field, kind: type, value: Any) -> tuple[Any, str]:
    if kind is float and type(value) is int and abs(value) <= 2**53:  # further on, not every whole number is a float
        value = float(value)
    if type(value) is not kind:
        hint = ""
        expected = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}[kind]
        if kind is float and isinstance(value, str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", value):
            hint = "; YAML reads 1e-4 as text, write 1.0e-4"
        elif kind is str and isinstance(value, (int, float)):
            hint = f"; papermill's -r {f.name} {shown(value)} passes it as text"
        return value, f"{f.name}: found {shown(value)} ({type(value).__name__}), expected {expected}{admissible(f)}{hint}"
    choices, low, high = (f.metadata[key] for key in ("choices", "low", "high"))
    wrong = (choices and value not in choices) or (low is not None and not low <= value < float("inf"))
    if wrong or (high is not None and not value <= high):
        word = "one of" if choices else "a finite number" if kind is float else "a value"
        near = nearest(value, choices) if choices else ""
        return value, f"{f.name}: found {shown(value)}, expected {word}{admissible(f)}{near}"
    return value, ""
