"""Problems of the cells of a sweep that are valid individually: conflicts with each other, with results/ and with the data."""

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

from fsclib import runs
from fsclib.config import Config
from fsclib.config.names import LONGEST, NAME
from fsclib.data.records import DatasetError
from fsclib.models.networks import NETWORKS, FSCNet
from fsclib.runs import RunError
from fsclib.training import preparation
from workbook import demo
from workbook.sweep.configured import Cell

PAIRED = ("cpm_weight", "cpm_margin", "orthogonality_weight", "ramp_from", "ramp_steps")  # have no effect on a single view


def of(sweep: str, cells: Sequence[Cell], refused: bool, check: bool = True) -> list[str]:
    """Every problem, reported once however many cells have it.

    refused: the sweep will not run in any case; check: also check existing runs and the data sets.
    """
    found = [*_names(sweep, cells), *_twins(cells)]
    if check:
        found += _existing(sweep, cells)
        found += _data(cells, refused or bool(found))
    return found


def admissible(name: str) -> bool:
    """Whether Config accepts the name of a run."""
    return bool(NAME.fullmatch(name))


def meaning(config: Config) -> dict[str, object]:
    """The recipe without ineffective fields: equal for two configurations that train the same network in the same way."""
    recipe = config.recipe() | {"precision": config.precision}
    recipe["decay"] = [epoch for epoch in config.decay if epoch < config.epochs]
    recipe["warmup"] = max(1, config.warmup)  # a warm-up of one epoch has the full learning rate
    recipe["validate_every"] = min(config.validate_every, config.epochs)  # the last epoch is always validated
    if config.network == "fsc" and not config.modules:
        recipe["network"] = "deen"  # FSC-Net without its modules
    if config.network == "twostream" and config.loss == "bdtr":
        recipe["network"] = "bdtr"
    without_weights = config.loss in ("agw", "bdtr", "identity")  # these losses take neither margins nor factors
    network = NETWORKS[config.network]
    single = network.views == 1 and not issubclass(network, FSCNet)
    idle = {
        "validate_every": config.select_on == "last",
        "ramp_from": config.cpm_weight == config.orthogonality_weight == 0,
        "ramp_steps": config.cpm_weight == config.orthogonality_weight == 0,
        "temperature": config.infonce_weight == 0,
        "momentum": config.optimizer == "adamw",
        "erase_min": config.erase == 0,
        "erase_max": config.erase == 0,
        "cpm_margin": config.cpm_weight == 0,
        "orthogonality_weight": config.branches == 1,
        "metric_on": config.loss == "identity",
        "augmentation": True,  # the name of a preset, whose fields are compared
        **dict.fromkeys(PAIRED if without_weights or single else (), True),
        **({"triplet_margin": True} if without_weights else {}),
    }
    return {name: value for name, value in recipe.items() if not idle.get(name)}


def _names(sweep: str, cells: Sequence[Cell]) -> Iterator[str]:
    if not admissible(sweep):
        yield f"the file's name: found {sweep!r}, expected letters, digits, dots, dashes and underscores, no dot or dash first"
    elif long := [cell.name for cell in cells if not admissible(cell.name)]:
        example = max(long, key=len)
        yield (
            f"names: {len(long)} runs would have more than {LONGEST} characters, {example!r} has {len(example)}; "
            "give the file a shorter name, or move what does not vary into fixed"
        )


def _twins(cells: Sequence[Cell]) -> Iterator[str]:
    """Pairs of rows, which are the same pairs for every seed."""
    rows = [cell for cell in cells if cell.parameters["seed"] == cells[0].parameters["seed"]]
    by_name: dict[str, Cell] = {}
    by_meaning: dict[str, Cell] = {}
    for row in rows:
        meant = json.dumps(meaning(row.config), sort_keys=True)
        twin = by_meaning.setdefault(meant, row)
        namesake = by_name.setdefault(row.name, row)
        if twin is not row:
            yield f"{twin.name} and {row.name} mean the same run; leave one of them out"
        elif namesake is not row:
            yield f"{row.name}: two different cells would have this name; choose values that differ in letters and digits"


def _existing(sweep: str, cells: Sequence[Cell]) -> Iterator[str]:
    for folder in sorted({cell.folder for cell in cells}):
        if (folder / "config.json").exists():
            yield f"{folder} is a run, and the sweep would write its notebooks there; give the file another name than {sweep!r}"
    conflicts: dict[str, list[str]] = {}
    for cell in cells:
        if problem := _conflict(cell):
            conflicts.setdefault(problem.replace(str(cell.run_folder), "", 1), []).append(str(cell.run_folder))
    for problem, folders in conflicts.items():
        others = f" (and {len(folders) - 1} other runs of this sweep)" if len(folders) > 1 else ""
        yield f"{folders[0]}{others}{problem}"


def _conflict(cell: Cell) -> str:
    """Why the run cannot use its folder; "" if it can."""
    try:
        runs.check(cell.config)
    except RunError as error:
        return str(error)
    return ""


def _data(cells: Iterable[Cell], refused: bool) -> Iterator[str]:
    """What training would refuse, checked once per group of equivalent cells; finished cells are skipped."""
    asked = {_seen_by_the_check(cell.config): cell for cell in cells if not (cell.run_folder / "metrics.json").exists()}
    for cell in asked.values():
        if refused and cell.config.dataset == "demo":  # drawing it takes a minute and would be wasted
            continue
        config = replace(cell.config, resume=False) if _conflict(cell) else cell.config  # conflicts are listed already
        demo.ensure(config.dataset, config.data_root)
        try:
            preparation.check(config)
        except (DatasetError, RunError, ValueError, OSError) as error:
            yield str(error)


def _seen_by_the_check(config: Config) -> tuple[Hashable, ...]:
    chosen_by = (config.select_on, config.seed if config.select_on == "holdout" else None)
    weights = (config.init, config.backbone, config.attributes_weight > 0, config if config.parent else None)
    return (config.dataset, config.data_root, config.trial, config.identities, config.images, weights, *chosen_by)
