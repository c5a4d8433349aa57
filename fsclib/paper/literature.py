"""Own results beside those of the literature, where the two compare."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from fsclib import published
from fsclib.paper.cast import Cast
from fsclib.paper.items import RUN, Item, Missing, Tabled

TITLE = "Literature"


def items(cast: Cast) -> Iterator[Item | Missing]:
    """A table for each protocol and direction in which own runs may stand beside published ones."""
    own, left_out = published.comparable(cast.table, cast.options.dataset)
    found = [table for table in published.tables_of(own, cast.options.dataset) if table.frame["own"].any()]
    if not found:
        if cast.options.dataset not in set(published.literature()["dataset"]):
            yield Missing(TITLE.lower(), f"nothing is published on {cast.options.dataset}")
        elif RUN in cast.unmet:
            yield replace(cast.unmet[RUN], what=TITLE.lower())
        else:
            yield Missing(TITLE.lower(), "; ".join(left_out))
    for table in found:
        name = "literature_" + table.label.removeprefix("tab:").replace("-", "_")
        yield Item(name=name, caption="", make=partial(_table, table), runs=tuple(own["name"]))


def _table(table: published.Table) -> Tabled:
    return Tabled(table.frame, latex=table.latex())
