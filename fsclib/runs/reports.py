"""A folder of figures and tables, each in a format for papers and one for viewing."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fsclib.system.disk_space import make_folder
from fsclib.system.storage import replacing, write_text


@dataclass(frozen=True)
class Report:
    """Figures and tables in one folder. Both folders may not be links: LinkError."""

    folder: Path

    def save_figure(self, figure: Any, name: str) -> Path:
        """Writes a matplotlib figure as PDF and PNG; returns the PNG's path."""
        for kind, metadata in (("pdf", {"CreationDate": None}), ("png", None)):  # no date, so that files are reproducible
            file = self.folder / "figures" / f"{name}.{kind}"
            make_folder(file.parent, within=self.folder)
            with replacing(file) as part:
                figure.savefig(part, format=kind, dpi=200, bbox_inches="tight", metadata=metadata)
        return file

    def save_table(self, table: pd.DataFrame, name: str, latex: str = "") -> Path:
        """Writes a table as CSV and LaTeX, the latter by default generated from the whole table; returns the CSV's path."""
        file = self.folder / "tables" / f"{name}.csv"
        make_folder(file.parent, within=self.folder)
        with replacing(file) as part:
            table.to_csv(part, index=False)
        write_text(file.with_suffix(".tex"), latex or _plain(table))
        return file


def _plain(table: pd.DataFrame) -> str:
    style = table.reset_index(drop=True).style.hide(axis="index").format(_cell, escape="latex")
    return style.format_index(_cell, escape="latex", axis="columns").to_latex(hrules=True)


def _cell(value: Any) -> Any:
    """Floats with two decimals; escaped text on one line, with a leading [ or * in braces, which LaTeX would read as an option."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.2f}"
    return re.sub(r"^([\[*])", r"{\1}", " ".join(value.split())) if isinstance(value, str) else value
