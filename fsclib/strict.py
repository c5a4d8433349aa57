"""Strict fields: a value is what its field's type, choices and bounds allow, or a sentence that says what is wrong with it."""

import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import Field, dataclass, field
from typing import Any, get_args, get_type_hints

AUTO = "auto"
SHOWN = 5  # entries of a list that a problem is told of


class ConfigError(ValueError):
    """Parameters that cannot be meant: the message lists each with what was found, what was expected and what to do."""

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(problems)
        super().__init__(self.problems)  # so that it survives the way back from another process

    def __str__(self) -> str:
        return "\n".join(["the parameters cannot be used:", *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True, kw_only=True)
class Strict:
    """A record whose fields are options; to be inherited by frozen, keyword-only dataclasses.

    Errors: ConfigError that names every unknown field (with the nearest valid one), wrong type and impossible value.
    """

    def __new__(cls, /, **values: Any):  # so that "cls" is an unknown name like any other
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

    def __post_init__(self):
        if problems := self._check_fields():
            raise ConfigError(problems.values())

    def _check_fields(self) -> dict[str, str]:
        """Brings each value to its field's type; the problems, by field, whose defaults stand in for what was given."""
        types, problems = get_type_hints(type(self)), {}
        for f in dataclasses.fields(self):
            value, problem = checked(f, types[f.name], getattr(self, f.name))
            if problem:
                problems[f.name] = problem
                value = f.default  # in its place, so that what else is wrong is found as well
            object.__setattr__(self, f.name, value)
        return problems

    @classmethod
    def help(cls) -> str:
        """One line a parameter: name, default, meaning, admissible values."""
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
    """A field with its meaning, its admissible values, and whether it belongs to the recipe or only says how to run it.

    `choices` are looked up at each check: a dict that grows admits what was added. `form`: what a text has to match as a whole.
    """
    limits = {"choices": choices, "low": low, "high": high, "form": form}
    return field(default=default, metadata={"help": help, "recipe": recipe} | limits)


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
        problems = list(dict.fromkeys(problem for _, problem in items if problem))
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        return tuple(item for item, _ in items), "; ".join([*problems[:SHOWN], *more])
    return _scalar(f, kind, value)


def shown(value: Any) -> str:
    """A value as Python writes it, on one line of bounded length."""
    try:
        text = " ".join(repr(value).splitlines())
    except Exception:  # a whole number of thousands of digits, or somebody's own class
        text = "what cannot be shown"
    return text if len(text) <= 100 else f"{text[:99]}…"


def named(name: str) -> str:
    """A name as it is, or, where it is none, as Python writes it: on one line of bounded length. A name may have several words."""
    return name if name.replace(" ", "_").isidentifier() and len(name) <= 100 else shown(name)


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
    choices, low, high, form = (f.metadata[key] for key in ("choices", "low", "high", "form"))
    if form and not form.fullmatch(value):
        return value, f"{f.name}: found {shown(value)}, expected {f.metadata['help']}, of the form {form.pattern}"
    wrong = (choices and value not in choices) or (low is not None and not low <= value < float("inf"))
    if wrong or (high is not None and not value <= high):
        word = "one of" if choices else "a finite number" if kind is float else "a value"
        near = nearest(value, choices) if choices else ""
        return value, f"{f.name}: found {shown(value)}, expected {word}{admissible(f)}{near}"
    return value, ""
