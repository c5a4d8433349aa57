"""Tables for papers: formats the results of analyses, never computes.

LaTeX for a plain article with \\usepackage{booktabs,graphicx}; the latter scales down a table that is too wide at any font size.
Text is literal: commands and options of LaTeX are escaped, and characters that pdfTeX's fonts lack are replaced by the commands
that draw them.
"""

import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fsclib.analysis.comparison import DECIMALS, Comparison
from fsclib.analysis.literature import Table
from fsclib.metrics.differences import FIGURES, wider
from fsclib.metrics.estimates import text
from fsclib.models.fsc import SHORT

COSTS = {  # heading, divisor and decimals of what cost.table measures
    "parameters": ("M par.", 1e6, 1), "multiply_adds": ("G MACs", 1e9, 2), "milliseconds": ("ms", 1, 2), "megabytes": ("MB", 1, 0),
}  # fmt: skip
WIDTH, BETWEEN = 345, 6  # points: text width of an article, and gap between two columns
SIZES = {"small": 4.9, "footnotesize": 4.5, "scriptsize": 4.2}  # points per character, with some margin
NOTHING = "–"  # a cell without a value
SIGNS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "*": "{*}",  # after the end of a row they would be read as options
    "<": "$<$", ">": "$>$", "|": "$|$", '"': "''",  # the default OT1 font has other characters in these places
    "\xa0": "~", "–": "--", "—": "---", "−": "$-$", "‘": "`", "’": "'", "“": "``", "”": "''", "…": r"\ldots{}",
    "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$", "≠": r"$\neq$",
    "→": r"$\rightarrow$", "←": r"$\leftarrow$", "↔": r"$\leftrightarrow$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "✓": r"$\surd$", "∞": r"$\infty$", "√": r"$\surd$", "°": r"$^\circ$", "²": "$^2$", "³": "$^3$", "†": r"\dag{}", "‡": r"\ddag{}",
    "Δ": r"$\Delta$", "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "λ": r"$\lambda$", "µ": r"$\mu$", "μ": r"$\mu$",
    "σ": r"$\sigma$", "§": r"\S{}",
}  # fmt: skip
UNDRAWN = "ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲų"  # letters between À and ž that LaTeX's default font lacks
ESCAPES = str.maketrans(SIGNS)


def latex(
    frame: pd.DataFrame,
    *,
    caption: str,
    label: str,
    bold: ArrayLike | None = None,
    underline: ArrayLike | None = None,
    precision: int = 2,
    gaps: Collection[int] = (),
) -> str:
    """A table environment (booktabs) of a frame with column names and without index; numbers align right, text left.

    caption: text of any length, escaped like all other text; label: for \\ref, letters, digits and ":._-".
    bold, underline: bool, of the frame's shape. precision: decimals of floats; nan and None become a dash. gaps: positions of
    rows with extra space above. Wide tables get a smaller font.
    Errors: ValueError for a frame without columns, marks of another shape, an invalid label, or characters that pdfTeX cannot
    draw, all of them at once.
    """
    marks = [np.zeros(frame.shape, bool) if mark is None else np.asarray(mark) for mark in (bold, underline)]
    problems = [] if frame.shape[1] else ["the frame has no column, expected at least one"]
    for name, mark in zip(("bold", "underline"), marks, strict=True):
        if mark.shape != frame.shape or mark.dtype != bool:
            problems.append(f"{name} has shape {mark.shape} and dtype {mark.dtype}, expected {frame.shape} and bool")
    if not re.fullmatch(r"[A-Za-z0-9:._-]+", label):
        problems.append(f"label is {label!r}, expected letters, digits, colons, dots, dashes or underscores")
    header = [str(name) for name in frame.columns]
    cells = [[_text(value, precision) for value in row] for row in frame.itertuples(index=False, name=None)]
    everything = "".join([caption, *header, *(cell for row in cells for cell in row)])
    problems += _undrawn(everything)
    if problems:
        raise ValueError("the table cannot be written: " + "; ".join(problems))

    head, body = " & ".join(_escaped(name) for name in header), []
    for number, (row, *marked) in enumerate(zip(cells, *marks, strict=True)):
        line = " & ".join(_marked(_escaped(cell), *both) for cell, *both in zip(row, *marked, strict=True))
        body.append(r"\addlinespace " * (number in gaps) + rf"{line} \\")
    size, fits = _size([header, *cells])
    scaled = ([], []) if fits else ([r"\resizebox{\linewidth}{!}{%"], ["}"])
    aligned = "".join("r" if pd.api.types.is_numeric_dtype(kind) and kind.kind != "b" else "l" for kind in frame.dtypes)
    return "\n".join(
        [
            r"\begin{table}[tbp]", rf"\centering\{size}\setlength{{\tabcolsep}}{{{BETWEEN / 2:g}pt}}",
            rf"\caption{{{_escaped(caption)}}}", rf"\label{{{label}}}",
            *scaled[0], rf"\begin{{tabular}}{{@{{}}{aligned}@{{}}}}", r"\toprule", rf"{head} \\", r"\midrule", *body,
            r"\bottomrule", r"\end{tabular}", *scaled[1], r"\end{table}", "",
        ]
    )  # fmt: skip


def ablation(comparison: Comparison, cost: pd.DataFrame | None = None, name: str = "") -> tuple[pd.DataFrame, str]:
    """A comparison for a paper: its rows, with their cost, as a frame for CSV; and LaTeX with one table per protocol.

    In LaTeX a variant has mean ± standard deviation, best in bold and second best underlined, and below it the difference to the
    baseline with its interval, over people and trainings if there are several; a star where that excludes 0. The notes are in the
    caption. cost: a frame of cost.table, with the variants of the comparison. name: used in the labels tab:<name>-<protocol>; by
    default the switch, which several comparisons of a sweep may share.
    Errors: ValueError for a variant without a row of cost, or with more than one.
    """
    rows = comparison.rows
    if cost is not None:
        if wrong := [name for name in rows["variant"] if (cost["variant"] == name).sum() != 1]:
            found = f"cost has rows for {', '.join(cost['variant'])}"
            raise ValueError(f"{found}, expected one for each variant; add or remove rows for {', '.join(wrong)}")
        rows = rows.merge(cost, on="variant", how="left")
    return rows, "\n".join(_of_protocol(comparison, effects, cost, name) for effects in _protocols(comparison))


def shown(comparison: Comparison, cost: pd.DataFrame | None = None) -> pd.DataFrame:
    """The comparison as text for a notebook: the lines of all protocols, concatenated."""
    parts = [(effects["setting"].iloc[0], _lines(comparison, effects, cost)[0]) for effects in _protocols(comparison)]
    found = pd.concat([pd.DataFrame({"setting": setting} | dict(frame)) for setting, frame in parts], ignore_index=True)
    return found.assign(setting=found["setting"].where(found["setting"] != found["setting"].shift(), ""))


def _protocols(comparison: Comparison) -> list[pd.DataFrame]:
    return [effects for _, effects in comparison.effects.groupby("protocol", sort=False)]


def _of_protocol(comparison: Comparison, effects: pd.DataFrame, cost: pd.DataFrame | None, name: str) -> str:
    frame, place, gaps = _lines(comparison, effects, cost)
    label = f"tab:{name or comparison.switch}-{effects['protocol'].iloc[0]}"
    caption = _caption(comparison, effects["setting"].iloc[0], cost)
    return latex(frame, caption=caption, label=label, bold=place == 1, underline=place == 2, gaps=gaps)


def _lines(comparison: Comparison, effects: pd.DataFrame, cost: pd.DataFrame | None) -> tuple[pd.DataFrame, np.ndarray, list[int]]:
    """Two lines per variant, figures and differences; the place of each figure, 0 for other cells; and where variants begin."""
    lines: list[dict[str, str]] = []
    places, gaps = [], []
    beginnings = _switches(comparison.switch, list(effects["variant"].unique()))
    for (variant, figures), line in zip(effects.groupby("variant", sort=False), beginnings, strict=True):
        line |= {FIGURES[row.figure]: _mean(row) for row in figures.itertuples()}
        if cost is not None:
            measured = cost.set_index("variant").loc[variant]
            line |= {heading: f"{measured[name] / unit:.{decimals}f}" for name, (heading, unit, decimals) in COSTS.items()}
        gaps.append(len(lines))
        lines.append(line)
        places.append({FIGURES[row.figure]: row.place for row in figures.itertuples()})
        if variant != comparison.baseline:
            lines.append({FIGURES[row.figure]: _difference(row) for row in figures.itertuples()})
            places.append({})
    frame = pd.DataFrame(lines).fillna("")
    return frame, pd.DataFrame(places, columns=frame.columns).to_numpy(), gaps[1:]


def _caption(comparison: Comparison, setting: str, cost: pd.DataFrame | None) -> str:
    sentences = [
        f"{comparison.title}; {setting}, in per cent.",
        f"Mean ± standard deviation over trainings; below it, difference to “{comparison.baseline}” [95 % interval] and, from "
        "three trainings on, p. Best in bold, second best underlined.",
    ]
    if cost is not None:
        machines = cost[["device", "precision", "threads"]].drop_duplicates().itertuples()
        where = " or ".join(f"{machine.device}, {machine.precision}, {machine.threads} threads" for machine in machines)
        sentences.append(
            "Millions of parameters without the classifier; billions of multiply-adds, and milliseconds, for embedding an image; "
            f"megabytes: the peak memory of a training step ({where})."
        )
    return " ".join([*sentences, *comparison.notes, *(f"Refused: {row}." for row in comparison.refused)])


def _switches(name: str, variants: list[str]) -> list[dict[str, str]]:
    """The first cells of each line: one column per module, if the switch is the modules and variants differ beyond their order."""
    parts = [[] if variant == "none" else variant.split(" + ") for variant in variants]
    if name != "modules" or len(set(map(frozenset, parts))) < len(parts):
        return [{name: variant} for variant in variants]
    occurring = [module for part in parts for module in part]
    modules = dict.fromkeys([*(module for module in SHORT if module in occurring), *occurring])
    return [{SHORT.get(module, module): "✓" if module in part else "" for module in modules} for part in parts]


def literature(table: Table) -> str:
    """Own and published figures as LaTeX (booktabs), own rows in bold.

    Source, backbone and input become numbers, which the caption explains.
    """
    shown = table.shown()
    aside = shown.reindex(columns=["source", "backbone", "input"], fill_value="").itertuples(index=False)
    sources = [", ".join(filter(None, texts)) for texts in aside]
    numbers = {source: number for number, source in enumerate(dict.fromkeys(sources), start=1)}
    shown = shown.assign(source=[numbers[source] for source in sources]).drop(columns=["backbone", "input"], errors="ignore")
    caption = f"{table.caption} Sources: {'; '.join(f'({number}) {source}' for source, number in numbers.items())}."
    bold = table.frame["own"].to_numpy(bool)[:, None].repeat(shown.shape[1], axis=1)
    return latex(shown, caption=caption, label=table.label, bold=bold)


def _mean(row: Any) -> str:
    return text(row.mean, form=f".{DECIMALS}f", spread=row.std)


def _difference(row: Any) -> str:
    low, high = wider((row.low, row.high), (row.low_seeds, row.high_seeds))
    written = text(row.difference, low, high, f"+.{DECIMALS}f", bounds=f".{DECIMALS}f").replace("-", "−")
    p = row.p_holm if row.primary else row.p
    shown = "" if np.isnan(p) else f" p {p:.2f}" if p >= 0.01 else " p < 0.01"
    return written + shown + "*" * bool(row.significant)


def _size(rows: list[list[str]]) -> tuple[str, bool]:
    """The largest font size at which these rows fit the text width, or the smallest, and whether they fit."""
    longest = [max(map(len, column)) for column in zip(*rows, strict=True)]
    fitting = (size for size, digit in SIZES.items() if digit * sum(longest) + BETWEEN * len(longest) <= WIDTH)
    found = next(fitting, None)
    return found or list(SIZES)[-1], found is not None


def _text(value: object, precision: int) -> str:
    if isinstance(value, (float, np.floating)):
        return NOTHING if np.isnan(value) else f"{value:.{precision}f}".replace("-", "−")
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return str(value).replace("-", "−")
    return NOTHING if value is None or value is pd.NA else str(value)


def escaped(text: str) -> str:
    """Escapes text for LaTeX, on one line, such as a caption. Errors: ValueError listing characters that pdfTeX cannot draw."""
    if problems := _undrawn(text):
        raise ValueError("; ".join(problems))
    return _escaped(text)


def _undrawn(text: str) -> list[str]:
    if unknown := sorted({sign for sign in text if not (sign in SIGNS or sign.isspace() or _drawn(sign))}):
        return [f"no LaTeX is known for {' '.join(unknown)}; rephrase it, or add it to SIGNS in fsclib/figures/tables.py"]
    return []


def _escaped(text: str) -> str:
    return re.sub(r"[^\S\xa0]+", " ", text).strip().translate(ESCAPES)  # an empty line would end the caption


def _marked(cell: str, bold: bool, underline: bool) -> str:
    cell = rf"\textbf{{{cell}}}" if bold else cell
    return rf"\underline{{{cell}}}" if underline else cell


def _drawn(sign: str) -> bool:
    return " " <= sign <= "~" or ("À" <= sign <= "ž" and sign not in UNDRAWN)
