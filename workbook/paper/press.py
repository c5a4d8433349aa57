"""Makes the items of a plan and writes them below results/paper/<dataset>/.

    figures/ tables/       PDF and PNG; CSV and LaTeX
    paper.tex paper.pdf    the document that holds them all, and its PDF
    provenance.json        each file ← the runs that it comes from, their revisions and data, the command, and what is missing

Each data set has its own folder, so that figures of the same name do not replace each other. runs.report makes it; no run can be
there, because "paper" is not a data set.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from fsclib import runs
from fsclib.data.records import DatasetError
from fsclib.runs import RunError
from fsclib.runs.checkpoint import CheckpointError
from fsclib.runs.environment import revision
from fsclib.runs.reports import Report
from fsclib.system.progress import progress
from fsclib.system.storage import write_text
from workbook.masks import MaskError
from workbook.paper import commands, document
from workbook.paper.document import Entry
from workbook.paper.items import Drawn, Item, Missing, listed
from workbook.paper.sections.manifest import Plan

FOLDER = "paper"
REFUSALS = (ValueError, RunError, DatasetError, CheckpointError, MaskError)  # raised by analyses that are not possible


@dataclass(frozen=True, eq=False)
class Paper:
    """The result. figures: by name, to be shown; tables: by name, as printed; stale: files left by an earlier paper."""

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
            told += ["", "missing; run these commands in notebooks/ first", listed(self.missing)]
        if self.stale:
            told += ["", f"left by an earlier paper and not part of this one: {', '.join(self.stale)}"]
        return "\n".join(told)


def make(plan: Plan) -> Paper:
    """Makes every item of the plan and writes its files. An impossible item is listed as missing, and the rest goes on."""
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
    """Saves an item; returns its files, relative to the report's folder."""
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
