"""Own results beside published ones, where the two are comparable."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from fsclib.analysis import literature
from fsclib.figures import tables
from workbook.paper.items import RUN, Item, Missing, Tabled
from workbook.paper.selection import Cast

TITLE = "Literature"


def items(cast: Cast) -> Iterator[Item | Missing]:
    """A table for each protocol and direction in which own runs may stand beside published ones."""
    own, left_out = literature.comparable(cast.table, cast.options.dataset)
    found = literature.with_own(own, cast.options.dataset, left_out)
    if not found:
        if cast.options.dataset not in set(literature.literature()["dataset"]):
            yield Missing(TITLE.lower(), f"nothing is published on {cast.options.dataset}")
        elif RUN in cast.unmet:
            yield replace(cast.unmet[RUN], what=TITLE.lower())
        else:
            yield Missing(TITLE.lower(), "; ".join(left_out))
    for table in found:
        name = "literature_" + table.label.removeprefix("tab:").replace("-", "_")
        yield Item(name=name, caption="", make=partial(_table, table), runs=tuple(own["name"]))


def _table(table: literature.Table) -> Tabled:
    return Tabled(table.frame, latex=tables.literature(table))
