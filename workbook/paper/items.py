"""A figure or table of a paper: its name, its caption, what it needs, and the function that makes it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from fsclib.metrics.estimates import text

RUN, IMAGES, CHECKPOINT = NEEDS = ("run", "images", "checkpoint")  # a finished run, the images of the data set, a network


class Drawn(NamedTuple):
    """A matplotlib figure, and the values of the placeholders {…} in its caption."""

    figure: Any
    facts: Mapping[str, Any] = {}


class Tabled(NamedTuple):
    """A table for CSV, its printed form where that differs, and the values of the placeholders in its caption.

    precision: decimals of floats in print. latex: the whole LaTeX, for tables that bring their own captions.
    """

    frame: pd.DataFrame
    shown: pd.DataFrame | None = None
    facts: Mapping[str, Any] = {}
    precision: int = 2
    latex: str = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One figure or table.

    name: of its files. caption: what to see; {…} is filled from the facts of the result. make: called once, does the work. runs:
    names of the runs it comes from. needs: members of NEEDS.
    """

    name: str
    caption: str
    make: Callable[[], Drawn | Tabled]
    runs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Missing:
    """An item that cannot be made, why, and the command that makes what it lacks; "" if there is none."""

    what: str
    reason: str
    command: str = ""


def interval(value: float, low: float, high: float, form: str) -> str:
    """An estimate as metrics.estimates.text writes it, with true minus signs."""
    return text(value, low, high, form).replace("-", "−")


def listed(missing: Iterable[Missing]) -> str:
    """The missing items as text, grouped by reason, each command once."""
    together: dict[tuple[str, str], list[str]] = {}
    for one in missing:
        together.setdefault((one.reason, one.command), []).append(one.what)
    lines = []
    for (reason, command), names in together.items():
        lines += [f"{', '.join(names)}: {reason}", *([f"    {command}"] if command else [])]
    return "\n".join(lines)
