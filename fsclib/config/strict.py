"""Strict fields: each value is checked against its field's type, choices and bounds, with a message for each problem."""

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import Field, dataclass, field
from typing import Any, Self, get_args, get_type_hints

from fsclib.config import registry
from fsclib.system.errors import FsclibError

AUTO = "auto"
SHOWN = 5  # invalid entries of a list that a message names


class ConfigError(FsclibError, ValueError):
    """Invalid parameters: the message lists each with what was found, what was expected and what to do."""

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(problems)
        super().__init__(self.problems)  # so that it can be pickled and sent between processes

    def __str__(self) -> str:
        return "\n".join(["invalid parameters:", *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True, kw_only=True)
class Strict:
    """Base class of frozen, keyword-only dataclasses whose fields are options.

    Errors: ConfigError that names every unknown field (with the nearest valid one), wrong type and impossible value.
    """

    def __new__(cls, /, **values: Any) -> Self:  # positional-only, so that "cls" is an unknown name like any other
        known = [f.name for f in dataclasses.fields(cls)]
        unknown = [name for name in values if name not in known]
        if unknown:
            problems = [f"{named(name)}: no such parameter{nearest(name, known)}" for name in unknown]
            try:
                cls(**{name: value for name, value in values.items() if name in known})
            except ConfigError as error:
                problems += error.problems
            raise ConfigError([*problems, f"valid parameters are {', '.join(known)}"])
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if problems := self._check_fields():
            raise ConfigError(problems.values())

    def _check_fields(self) -> dict[str, str]:
        """Converts each value to its field's type and returns the problems by field; invalid values become the default."""
        registry.load()  # data sets, networks, modules and losses of installed packages are valid choices too
        types, problems = get_type_hints(type(self)), {}
        for f in dataclasses.fields(self):
            value, problem = checked(f, types[f.name], getattr(self, f.name))
            if problem:
                problems[f.name] = problem
                value = f.default  # so that the remaining checks can still run
            object.__setattr__(self, f.name, value)
        return problems

    @classmethod
    def help(cls) -> str:
        """One line per parameter: name, default, meaning, valid values."""
        return "\n".join(f"{f.name} = {f.default!r}: {f.metadata['help']}{admissible(f)}" for f in dataclasses.fields(cls))


def option(
    default: Any,
    help: str,
    *,
    choices: Collection = (),
    low: float | None = None,
    high: float | None = None,
    form: re.Pattern[str] | None = None,
    recipe: bool = True,
) -> Any:
    """A field with its meaning, its valid values, and whether it belongs to the recipe or only says how to run it.

    `choices` are looked up at each check, so later additions to a dict are valid. `form`: pattern that a string must fully match;
    with `choices`, either is valid.
    """
    limits = {"choices": choices, "low": low, "high": high, "form": form}
    return field(default=default, metadata={"help": help, "recipe": recipe} | limits)


def nearest(name: str, known: Iterable[str]) -> str:
    """ ", did you mean …?", or "" if no known name is similar."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return f", did you mean {matches[0]!r}?" if matches else ""


def admissible(f: Field) -> str:
    """The choices or bounds of a field, in parentheses."""
    choices, low, high = (f.metadata[key] for key in ("choices", "low", "high"))
    if choices:
        return f" ({', '.join(map(str, choices))})"
    bounds = [f"{word} {bound}" for word, bound in (("at least", low), ("at most", high)) if bound is not None]
    return f" ({' and '.join(bounds)})" if bounds else ""


def checked(f: Field, kind: Any, value: Any) -> tuple[Any, str]:
    """The value, converted to the field's type, and the problem with it, "" if there is none."""
    if isinstance(value, str) and value == AUTO and (f.default == AUTO or kind is str):
        if f.default != AUTO:
            return value, f"{f.name}: has no preset, so it cannot be 'auto'; give {f.metadata['help']}{admissible(f)}"
        return value, ""
    several = get_args(kind)
    if several:
        if isinstance(value, str):  # papermill -p passes "20,80"; "" and "none" mean the empty list
            parts = [part.strip() for part in value.split(",")] if value not in ("", "none") else []
            value = [int(part) if several[0] is int and re.fullmatch("[0-9]{1,9}", part) else part for part in parts]
        elif type(value) is several[0]:  # papermill -p passes a one-element list, 20, as a number
            value = [value]
        if not isinstance(value, (list, tuple)):
            return value, f"{f.name}: found {shown(value)}, expected a list: {f.metadata['help']}{admissible(f)}"
        items = [_scalar(f, several[0], item) for item in value]
        problems = list(dict.fromkeys(problem for _, problem in items if problem))
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        return tuple(item for item, _ in items), "; ".join([*problems[:SHOWN], *more])
    return _scalar(f, kind, value)


def shown(value: Any) -> str:
    """A value as Python writes it, on one line of bounded length."""
    try:
        text = " ".join(repr(value).splitlines())
    except Exception:  # an integer of thousands of digits, or a class whose repr fails
        text = "an unprintable value"
    return text if len(text) <= 100 else f"{text[:99]}…"


def named(name: str) -> str:
    """A name unchanged, of one or several words; anything else as Python writes it, on one line of bounded length."""
    return name if name.replace(" ", "_").isidentifier() and len(name) <= 100 else shown(name)


def _scalar(f: Field, kind: Any, value: Any) -> tuple[Any, str]:
    if kind is float and type(value) is int and abs(value) <= 2**53:  # beyond that, not every integer is a float
        value = float(value)
    if type(value) is not kind:
        hint = ""
        expected = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}[kind]
        if kind is float and isinstance(value, str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", value):
            hint = "; YAML reads 1e-4 as text, write 1.0e-4"
        elif kind is str and isinstance(value, (int, float)):
            hint = f"; papermill's -r {f.name} {shown(value)} passes it as text"
        return value, f"{f.name}: found {shown(value)} ({type(value).__name__}), expected {expected}{admissible(f)}{hint}"
    choices, low, high, form = (f.metadata[key] for key in ("choices", "low", "high", "form"))
    unlisted = bool(choices) and value not in choices
    if form and not form.fullmatch(value) and (unlisted or not choices):
        known = f"{admissible(f)}{nearest(value, choices)}" if choices else f", of the form {form.pattern}"
        return value, f"{f.name}: found {shown(value)}, expected {f.metadata['help']}{known}"
    wrong = (unlisted and not form) or (low is not None and not low <= value < float("inf"))
    if wrong or (high is not None and not value <= high):
        word = "one of" if choices else "a finite number" if kind is float else "a value"
        near = nearest(value, choices) if choices else ""
        return value, f"{f.name}: found {shown(value)}, expected {word}{admissible(f)}{near}"
    return value, ""
