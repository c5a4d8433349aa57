"""The runs behind everything."""

from workbook.paper import results
from workbook.paper.items import RUN, Item, Tabled
from workbook.paper.selection import Cast

TITLE = "Runs"
DIGITS = 8  # of a revision and a hash in print; the CSV has all of them


def items(cast: Cast) -> list[Item]:
    """One row per run in the tables."""

    def runs() -> Tabled:
        found = cast.table[["name", "network", "revision", "data_hash", "precision", "seed", "trial", "select_on"]]
        found = found.assign(recipe=[results.recipe_of(results.config_of(row)) for row in cast.table.to_dict("records")])
        short = {name: found[name].fillna("").str[:DIGITS] for name in ("revision", "data_hash")}
        printed = found.assign(**short)[["name", "recipe", "seed", "trial", "select_on", "precision", "revision", "data_hash"]]
        return Tabled(found, printed.rename(columns={"select_on": "checkpoint", "data_hash": "data"}))

    return [
        Item(
            name="runs",
            caption="The runs behind the figures and tables: the recipe (the preset and what departs from it), how the tested "
            "checkpoint was chosen, and the first digits of the program's revision and of the hash of images, labels and splits.",
            make=runs,
            runs=tuple(cast.table.get("name", ())),
            needs=(RUN,),
        )
    ]
