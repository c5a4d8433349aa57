"""Makes what a plan holds and writes it below results/paper/<dataset>/.

    figures/ tables/       PDF and PNG; CSV and LaTeX
    paper.tex paper.pdf    the document of all of them, and what pdflatex made of it
    provenance.json        each file ← the runs that it comes from, their revisions and data, the command, and what is missing

A folder a data set, since the figures of one must not replace those of another under the same names. runs.report makes it: no run
can lie there, "paper" being no data set.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fsclib import runs
from fsclib.checkpoint import CheckpointError
from fsclib.data.masks import MaskError
from fsclib.data.records import DatasetError
from fsclib.files import write_text
from fsclib.machine import revision
from fsclib.paper import commands, document
from fsclib.paper.document import Entry
from fsclib.paper.items import Drawn, Item, Missing, listed
from fsclib.paper.manifest import Plan
from fsclib.progress import progress
from fsclib.report import Report
from fsclib.runs import RunError

FOLDER = "paper"
REFUSALS = (ValueError, RunError, DatasetError, CheckpointError, MaskError)  # with which the analyses say what they cannot do


@dataclass(frozen=True, eq=False)
class Paper:
    """What was made. figures: by name, to be shown; tables: by name, as printed; stale: files that an earlier paper left."""

    folder: Path
    figures: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    missing: tuple[Missing, ...]
    stale: tuple[str, ...]

    @property
    def tex(self) -> Path:
        return self.folder / "paper.tex"

    def __str__(self) -> str:
        told = [f"{part}: {self.folder / part}" for part in ("figures", "tables", "paper.tex", "provenance.json")]
        if self.missing:
            told += ["", "missing, and the command, in notebooks/, that makes what is lacking", listed(self.missing)]
        if self.stale:
            told += ["", f"left by an earlier paper, and no part of this one: {', '.join(self.stale)}"]
        return "\n".join(told)


def make(plan: Plan) -> Paper:
    """Every item of the plan, into its files. What turns out impossible is missing, with the reason, and the rest goes on."""
    report = runs.report(FOLDER, plan.cast.options.dataset)
    figures, tables, entries, files, missing = {}, {}, {}, {}, list(plan.missing)
    with progress(sum(map(len, plan.sections.values())), "making figures and tables") as bar:
        for title, items in plan.sections.items():
            for item in items:
                try:
                    made = item.make()
                    entry = document.entry(item, made, plan.cast.synthetic)
                except REFUSALS as error:
                    missing.append(Missing(item.name, " ".join(str(error).split())))
                else:
                    files |= dict.fromkeys(_save(report, item, made, entry), item.runs)
                    entries.setdefault(title, []).append(entry)
                    if isinstance(made, Drawn):
                        figures[item.name] = made.figure
                    else:
                        tables[item.name] = made.frame if made.shown is None else made.shown
                bar.update(1)
    plan = replace(plan, missing=tuple(missing))
    told = {"paper.tex": document.text(plan, entries, revision())}
    told["provenance.json"] = json.dumps(_provenance(plan, files), indent=1, ensure_ascii=False) + "\n"
    for name, text in told.items():
        write_text(report.folder / name, text, errors="backslashreplace")
    there = (file for part in ("figures", "tables") for file in sorted((report.folder / part).glob("*")))
    stale = [name for file in there if (name := str(file.relative_to(report.folder))) not in files]
    return Paper(report.folder, figures, tables, plan.missing, tuple(stale))


def _save(report: Report, item: Item, made: Any, entry: Entry) -> list[str]:
    """The files of an item, from the report's folder."""
    if isinstance(made, Drawn):
        file, others = report.save_figure(made.figure, item.name), (".pdf", ".png")
    else:
        file, others = report.save_table(made.frame, item.name, entry.latex), (".csv", ".tex")
    folder = file.parent.relative_to(report.folder)
    return [f"{folder}/{item.name}{suffix}" for suffix in others]


def _provenance(plan: Plan, files: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    options, named = plan.cast.options, {name for names in files.values() for name in names}
    found = {}
    for name in sorted(named):
        run = runs.load(options.dataset, name)
        said = {key: run.environment.get(key) for key in ("revision", "data_hash", "pixels_hash", "synthetic")}
        found[name] = said | {"recipe": run.config.recipe()}
    return {
        "command": commands.paper(options),
        "revision": revision(),
        "data": None if plan.cast.images is None else plan.cast.images.data_hash,
        "runs": found,
        "files": files,
        "missing": [vars(one) for one in plan.missing],
        "notes": plan.cast.notes,
    }
