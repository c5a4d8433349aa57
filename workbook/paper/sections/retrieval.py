"""How well the networks retrieve people."""

from collections.abc import Iterator

from fsclib import figures, runs
from fsclib.analysis import samples
from fsclib.retrieval import baselines as references
from fsclib.retrieval import tables
from fsclib.retrieval.trials import all_trials
from workbook.paper import commands, results
from workbook.paper.items import CHECKPOINT, RUN, Drawn, Item, Missing, Tabled
from workbook.paper.selection import Cast

TITLE = "Retrieval"
QUERIES = 4  # rows of the ranked lists


def items(cast: Cast) -> Iterator[Item | Missing]:
    """The main table, baselines, matching curves and ranked lists."""

    def main_table() -> Tabled:
        named = {name: runs.load(cast.main.config.dataset, name) for name in cast.table["name"]}
        people = {name: run.find_table("identities") for name, run in named.items()}
        found = results.table(cast.table, people, cast.main.find_table("references"))
        return Tabled(found, results.shown(found))

    def baselines() -> Tabled:
        found = cast.main.read_table("baselines")
        settings = [results.setting(*pair) for pair in zip(found["mode"], found["direction"], strict=True)]
        order = {name: place for place, name in enumerate(dict.fromkeys(settings))}
        shown = found.assign(setting=settings).sort_values("setting", key=lambda names: names.map(order), kind="stable")
        shown = shown[["setting", "method", "rank1", "map", "minp"]].rename(columns=results.HEADINGS)
        return Tabled(found, results.once(shown), {"name": cast.main.folder.name}, precision=1)

    def cmc() -> Drawn:
        curves, beside = {}, {}
        known = references.curves(cast.images) if cast.images is not None else {}
        for name, run in zip(cast.names, cast.runs, strict=True):
            for protocol, curve in tables.cmc_by_protocol(all_trials(run), run.config.spec.protocols).items():
                mode, _, direction = protocol.rpartition(" ")
                told = results.setting(mode, direction)
                selected = "test-selected" if run.config.select_on == "test" else ""
                label = ", ".join(filter(None, [name if len(cast.runs) > 1 else "", told, selected]))
                curves[label] = curve
                if run is cast.main:  # they are the same for all runs
                    beside[label] = known.get(protocol, {})
        thin = " Thin lines: chance, and nearest neighbours on raw pixels, in the same galleries." if known else ""
        return Drawn(figures.cmc_curves(curves, beside), {"names": ", ".join(cast.names), "beside": thin})

    def ranked_lists() -> Drawn:
        found = samples.ranked_lists(cast.main, cast.images, queries=QUERIES, seed=cast.options.seed)
        return Drawn(figures.ranked_lists(*found), {"name": cast.main.folder.name})

    yield Item(
        name="results",
        caption="Retrieval by all runs on these images, in per cent: means over the protocol's trials, with equal weighting and "
        "mirror images; with several trainings, mean ± standard deviation over them; in brackets 95 % intervals over the people of "
        "the test. Chance: a random order, raw pixels: nearest neighbours on grey pixels, both in the same galleries. Recipe: the "
        "preset and what departs from it. One training says little about another of the same recipe.",
        make=main_table,
        runs=tuple(cast.table.get("name", ())),
        needs=(RUN,),
    )
    if cast.runs and not (cast.main.folder / "tables" / "baselines.csv").exists():
        reason = f"03_evaluate has not computed the untrained baselines of {cast.main.folder.name}"
        yield Missing("baselines", reason, commands.evaluate(cast.main.config, cast.main.folder.name))
    else:
        yield Item(
            name="baselines",
            caption="Baselines: chance, nearest neighbours on raw grey pixels, the same network "
            "untrained and, if it was the starting point, the trunk that never saw an infrared image, "
            "in the galleries on which {name} was tested; in per cent, means over trials. The directions have "
            "galleries of different sizes, so chance differs.",
            make=baselines,
            runs=cast.names[:1],
            needs=(RUN,),
        )
    yield Item(
        name="cmc",
        caption="Cumulative matching characteristic of {names}: the share of queries with a correct match up to each rank. Bands "
        "are ranges over trials, where there are several: different galleries, the same training.{beside}",
        make=cmc,
        runs=cast.names,
        needs=(RUN,),
    )
    yield Item(
        name="ranked_lists",
        caption="Queries and the ten gallery images that {name} finds most similar, under the first protocol and its first "
        "gallery; correct matches framed green, wrong ones red and dashed. The queries are drawn at random, so these are typical "
        "searches, not best cases.",
        make=ranked_lists,
        runs=cast.names[:1],
        needs=(CHECKPOINT,),
    )
