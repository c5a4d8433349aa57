"""The LaTeX document of a paper's figures and tables: a plain article, for pdflatex.

The text is as wide as the figures, which are included unscaled, so their letters print at their original size; only a figure
larger than the page is scaled down. Table files choose a font size for an article's narrower text; here all tables have the same
size. Nothing floats: figures and tables stay in their section.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from fsclib.config.specs import DATASETS
from fsclib.figures import tables
from fsclib.figures.style import WIDTH
from workbook.paper import commands
from workbook.paper.items import Drawn, Item, Tabled
from workbook.paper.sections.manifest import Plan

SYNTHETIC = "Synthetic people: this shows that the program works, and says nothing about real data."
PREAMBLE = r"""\documentclass[10pt]{article}
\usepackage[letterpaper,textwidth=WIDTHin,textheight=9in,centering]{geometry}
\usepackage{booktabs,graphicx}
\newsavebox{\madepicture}
\newcommand{\asmade}[1]{%
  \sbox{\madepicture}{\includegraphics{#1}}%
  \ifdim\wd\madepicture>\textwidth\sbox{\madepicture}{\includegraphics[width=\textwidth]{#1}}\fi
  \ifdim\ht\madepicture>.85\textheight\sbox{\madepicture}{\includegraphics[height=.85\textheight]{#1}}\fi
  \usebox{\madepicture}}
\let\scaled\resizebox
\renewcommand{\resizebox}[3]{%
  \sbox{\madepicture}{#3}%
  \ifdim\wd\madepicture>#1\scaled{#1}{#2}{\usebox{\madepicture}}\else\usebox{\madepicture}\fi}
\let\small\footnotesize\let\scriptsize\footnotesize
\makeatletter
\newcommand{\inplace}[1]{\renewenvironment{#1}[1][]{%
  \par\bigskip\noindent\begin{minipage}{\textwidth}\def\@captype{#1}}{\end{minipage}\par\bigskip}}
\inplace{figure}\inplace{table}
\makeatother
\setlength{\abovecaptionskip}{6pt}\setlength{\belowcaptionskip}{6pt}\raggedbottom
""".replace("WIDTH", f"{WIDTH:g}")


class Entry(NamedTuple):
    """An item in the document: the lines that include it, its labels, and for a table the LaTeX of its own file."""

    lines: str
    labels: tuple[str, ...]
    latex: str = ""


def entry(item: Item, made: Drawn | Tabled, synthetic: bool) -> Entry:
    """The entry of an item's result. synthetic: the caption says so; captions that tables bring themselves already do.

    Errors: ValueError for characters that pdfTeX cannot print.
    """
    caption = item.caption.format(**made.facts) + (f" {SYNTHETIC}" if synthetic else "")
    caption = caption.replace(" %", "\xa0%")  # no line break before the sign
    if isinstance(made, Drawn):
        label = f"fig:{item.name}"
        lines = [
            r"\begin{figure}[tbp]", r"\centering", rf"\asmade{{figures/{item.name}.pdf}}",
            rf"\caption{{{tables.escaped(caption)}}}", rf"\label{{{label}}}", r"\end{figure}",
        ]  # fmt: skip
        return Entry("\n".join(lines), (label,))
    frame = made.frame if made.shown is None else made.shown
    latex = made.latex or tables.latex(frame, caption=caption, label=f"tab:{item.name}", precision=made.precision)
    return Entry(rf"\input{{tables/{item.name}.tex}}", tuple(re.findall(r"\\label\{([^}]+)\}", latex)), latex)


def text(plan: Plan, entries: Mapping[str, Sequence[Entry]], revision: str) -> str:
    """The whole document; comments at its head record where it comes from and what is missing."""
    options = plan.cast.options
    head = [
        f"made by: {commands.paper(options)}",
        f"fsclib {revision or 'outside a checkout'}",
        f"runs: {', '.join(plan.cast.names) or 'none'}; provenance.json says which file comes from which runs",
        *(f"missing: {one.what}: {one.reason} {one.command}".rstrip() for one in plan.missing),
        *plan.cast.notes,
    ]
    title = rf"\title{{Figures and tables: {tables.escaped(DATASETS[options.dataset].title)}}}"
    body = [part for name, found in entries.items() for part in _section(name, found)]
    parts = [
        *(f"% {' '.join(line.split())}" for line in head), PREAMBLE, title, r"\author{}\date{}", r"\begin{document}", r"\maketitle",
        *body, r"\end{document}", "",
    ]  # fmt: skip
    return "\n".join(parts)


def _section(name: str, entries: Sequence[Entry]) -> Iterable[str]:
    labels = [label for one in entries for label in one.labels]
    told = []
    for kind, words in (("fig:", ("Figure", "Figures")), ("tab:", ("Table", "Tables"))):
        found = [rf"\ref{{{label}}}" for label in labels if label.startswith(kind)]
        if found:
            told.append(f"{words[len(found) > 1]}~{', '.join(found)}")
    yield rf"\section{{{tables.escaped(name)}}}"
    yield "; ".join(told) + r".\par\nopagebreak" + "\n"
    yield from (one.lines + "\n" for one in entries)
