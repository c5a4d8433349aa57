"""Decides whether runs may share a table: they must agree in everything except the switch that the table studies.

They need the same recipe except for the switch, the seed and RegDB's trial; the same data, precision, torch, revision of the code
and of its extensions; and tests under the same protocols. Differences in device or package versions are noted. Networks have their
own presets: if the switch is the network, a field that both sides take from their presets may differ, and is noted; a field in
which either side departs from its preset (Config.departures) may not. Augmentation and budget may never differ: in this field the
former is worth more than most networks. If the switch is the augmentation, what it is a preset for may differ.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from fsclib.config import Config
from fsclib.config.presets import AUGMENTED
from fsclib.config.schema import difference
from fsclib.config.specs import Protocol
from fsclib.runs import Run

FACTS = ("data_hash", "precision", "torch", "revision", "extensions", "weights")  # of a run's environment, which must agree
NOTED = ("device", "packages")  # and which may differ
REPLICATE = ("seed", "trial")
BUDGET = ("epochs", "small_epochs", "identities", "images", "height", "width")
EQUAL = (*AUGMENTED, *BUDGET)  # of networks that are compared
LABEL = "augmentation"  # names fields that are compared themselves; equal ones may have different names
FIX = "give all rows the same augmentation and budget, or name what may differ in allow"


def unlike(group: Sequence[Run], reference: Sequence[Run], switch: str, allow: Sequence[str]) -> tuple[list[str], list[str]]:
    """Why the runs of a row are not comparable with the reference, and differences that are tolerated: two lists of sentences.

    Each run is compared with the reference run of the same seed and trial, or else with the first; of the two values in a
    sentence, the second is the reference's. allow: recipe fields and FACTS that may differ.
    """
    partners = {key(run): run for run in reference}
    reasons: dict[str, list[str]] = {}
    noted: dict[str, None] = {}
    for run in group:
        other = partners.get(key(run), reference[0])
        same_split, same_network = run.config.trial == other.config.trial, run.config.network == other.config.network
        mine, theirs = (_facts(r, same_split, same_network) for r in (run, other))
        names = {name for name in mine if mine[name] != theirs[name]} - {switch, LABEL, *REPLICATE}
        tolerated = names & {*allow, *NOTED}
        own = run.config.departures().keys() | other.config.departures().keys()
        if switch == "network":
            tolerated |= names & run.config.recipe().keys() - own - {"scale", *EQUAL}  # no network has its own scale
        elif switch == "augmentation":
            tolerated |= names & {*AUGMENTED} - own
        found, ignored = (
            difference({n: mine[n] for n in chosen}, {n: theirs[n] for n in chosen}) for chosen in (names - tolerated, tolerated)
        )
        noted |= dict.fromkeys(ignored)
        found += [FIX] * (switch == "network" and bool({*EQUAL} & names - tolerated))
        if sum(key(twin) == key(run) for twin in group) > 1:
            found.append(f"{replicate(run)} more than once, expected one run of it")
        if not all((r.folder / "tables" / "identities.csv").exists() for r in (run, other)):
            found.append("no table of identities, which earlier versions did not write: test the run again with 03_evaluate")
        else:
            tested, expected = (set(protocol_of(r.read_table("identities"))) for r in (run, other))
            further = {name_of(protocol) for protocol in run.config.spec.further}  # compared only where all runs were tested
            one_sided = sorted((tested ^ expected) - further)
            found += [f"protocol {name} was tested for only one of the two" for name in one_sided]
        for line in found:
            reasons.setdefault(line, []).append(run.folder.name)
    return [f"{line} ({', '.join(names)})" for line, names in reasons.items()], list(noted)


def unpaired(group: Sequence[Run], reference: Sequence[Run], allow: Sequence[str]) -> list[str]:
    """Seeds and trials that only one side has, as sentences; those named in `allow` may differ if others are shared."""
    own, expected = ({key(run) for run in side} for side in (group, reference))
    if own == expected:
        return []
    values = {name: [sorted({pair[place] for pair in side}) for side in (own, expected)] for place, name in enumerate(REPLICATE)}
    differ = [name for name in REPLICATE if values[name][0] != values[name][1]] or REPLICATE
    found = ["{}: found {}, expected {} as in the baseline".format(name, *values[name]) for name in differ if name not in allow]
    return found or ["no seed and trial in common"] * (not own & expected)


def key(run: Run) -> tuple[int, int]:
    """The seed and trial, by which runs are paired."""
    return run.config.seed, run.config.trial


def conditions(configs: Iterable[Config]) -> str:
    """The augmentation and the budget that all rows share, in words; "" if they differ, or if nothing is trained."""
    config, *others = configs
    if not config.epochs or any(getattr(config, name) != getattr(other, name) for other in others for name in EQUAL):
        return ""
    small = f", {config.small_epochs} of them on smaller images" if config.small_epochs else ""
    batch = f"{config.identities} people × {config.images} images × 2 modalities"
    altered = [f"{name} {value}" for name, value in config.departures().items() if name in AUGMENTED]
    augmentation = " with ".join(filter(None, [f"{config.augmentation} augmentation", ", ".join(altered)]))
    return f"{augmentation}; {config.epochs} epochs{small}, {batch} a step, {config.height}×{config.width} pixels"


def protocol_of(rows: pd.DataFrame) -> pd.Series:
    """The protocol of each row of a table of a run, as in metrics.json: "paper.ir2vis"."""
    return (rows["mode"] + "." + rows["direction"]).str.lstrip(".")


def name_of(protocol: Protocol) -> str:
    """A protocol, as in metrics.json."""
    return ".".join(filter(None, (protocol.mode, protocol.direction)))


def replicate(run: Run) -> str:
    """Seed and trial in words; a trial is mentioned if each has a model of its own."""
    return f"seed {run.config.seed}" + (f", trial {run.config.trial}" if run.config.spec.splits > 1 else "")


def _facts(run: Run, same_split: bool, same_network: bool) -> dict[str, Any]:
    """Everything in which runs may differ: the recipe, FACTS and NOTED.

    Splits of RegDB share their pixels but not their labels; two networks may each start from their own weights shipped with fsclib.
    """
    packages = dict(run.environment.get("packages", {}))
    environment = run.environment | {"torch": packages.pop("torch", None), "packages": packages}
    facts = {name: environment.get(name) for name in (*FACTS, *NOTED)}
    if run.config.batch == "per-process":  # otherwise the number of processes only affects rounding and dropout
        facts["processes"] = environment.get("processes", 1)
    recipe = run.config.recipe()
    if not same_network and recipe["init"] == f"people/{run.config.network}":
        recipe["init"], facts["weights"] = "people/ and the network's name", None
    return recipe | facts | ({} if same_split else {"data_hash": environment.get("pixels_hash")})
