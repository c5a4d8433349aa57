"""The runs behind everything."""

from fsclib.paper import results
from fsclib.paper.cast import Cast
from fsclib.paper.items import RUN, Item, Tabled

TITLE = "Runs"
DIGITS = 8  # of a revision and a hash in print; the CSV has all of them


def items(cast: Cast) -> list[Item]:
    """A row a run whose figures stand here."""

    def runs() -> Tabled:
        found = cast.table[["name", "network", "revision", "data_hash", "precision", "seed", "trial", "select_on"]]
        found = found.assign(recipe=[results.recipe_of(results.config_of(row)) for row in cast.table.to_dict("records")])
        short = {name: found[name].fillna("").str[:DIGITS] for name in ("revision", "data_hash")}
        printed = found.assign(**short)[["name", "recipe", "seed", "trial", "select_on", "precision", "revision", "data_hash"]]
        return Tabled(found, printed.rename(columns={"select_on": "checkpoint", "data_hash": "data"}))

    return [
        Item(
            name="runs",
            caption="The runs whose figures stand here: the recipe (the preset, and what was not as it has it), what chose the "
            "tested checkpoint, and the beginnings of the revision of the program and of the hash of images, labels and splits.",
            make=runs,
            runs=tuple(cast.table.get("name", ())),
            needs=(RUN,),
        )
    ]
