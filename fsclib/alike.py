"""When runs may stand in one table: they are alike in everything but the switch that the table is about.

Alike means the same recipe but for the switch, the seed and RegDB's trial, and the same data, precision, torch, revision of the
code and of its extensions, and tested under the same protocols. Another device or another version of a package is noted. Networks
come with presets of their own: where the switch is the network, a field that both sides have from their presets may differ, and is
noted; one in which either side departs from its preset (Config.departures) may not.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fsclib.config import difference
from fsclib.runs import Run

FACTS = ("data_hash", "precision", "torch", "revision", "extensions", "weights")  # of a run's environment, which have to agree
NOTED = ("device", "packages")  # and which need not
REPLICATE = ("seed", "trial")


def unlike(group: Sequence[Run], reference: Sequence[Run], switch: str, allow: Sequence[str]) -> tuple[list[str], list[str]]:
    """Why the runs of a row may not stand beside those of the reference, and differences that are no reason: sentences.

    A run is held to the reference's of the same seed and trial, or else to the first: "there" is the run, "here" the reference.
    allow: recipe fields and FACTS that may differ.
    """
    partners = {key(run): run for run in reference}
    reasons: dict[str, list[str]] = {}
    noted: dict[str, None] = {}
    for run in group:
        other = partners.get(key(run), reference[0])
        same_split, same_network = run.config.trial == other.config.trial, run.config.network == other.config.network
        mine, theirs = (_facts(r, same_split, same_network) for r in (run, other))
        names = {name for name in mine if mine[name] != theirs[name]} - {switch, *REPLICATE}
        tolerated = names & {*allow, *NOTED}
        if switch == "network":
            own = run.config.departures().keys() | other.config.departures().keys()
            tolerated |= names & run.config.recipe().keys() - own - {"scale"}  # no network has a scale of its own
        found, ignored = (
            difference({n: mine[n] for n in chosen}, {n: theirs[n] for n in chosen}) for chosen in (names - tolerated, tolerated)
        )
        noted |= dict.fromkeys(ignored)
        if sum(key(twin) == key(run) for twin in group) > 1:
            found.append(f"{replicate(run)} more than once, expected one run of it")
        if not all((r.folder / "tables" / "identities.csv").exists() for r in (run, other)):
            found.append("no table of identities, which an earlier version did not write: test it again with 03_evaluate")
        else:
            tested, expected = (set(protocol_of(r.read_table("identities"))) for r in (run, other))
            found += [f"protocol {name} was tested on one side only" for name in sorted(tested ^ expected)]
        for line in found:
            reasons.setdefault(line, []).append(run.folder.name)
    return [f"{line} ({', '.join(names)})" for line, names in reasons.items()], list(noted)


def unpaired(group: Sequence[Run], reference: Sequence[Run], allow: Sequence[str]) -> list[str]:
    """Seeds and trials that only one side has, unless `allow` names them and others are common: sentences."""
    there, here = ({key(run) for run in side} for side in (group, reference))
    if there == here:
        return []
    values = {name: [sorted({pair[place] for pair in side}) for side in (there, here)] for place, name in enumerate(REPLICATE)}
    differ = [name for name in REPLICATE if values[name][0] != values[name][1]] or REPLICATE
    found = ["{}: {} there, {} here".format(name, *values[name]) for name in differ if name not in allow]
    return found or ["no seed and trial in common"] * (not there & here)


def key(run: Run) -> tuple[int, int]:
    """What pairs a run with another's: seed and trial."""
    return run.config.seed, run.config.trial


def protocol_of(rows: pd.DataFrame) -> pd.Series:
    """The protocol of each row of a table of a run, as metrics.json has it: "paper.ir2vis"."""
    return (rows["mode"] + "." + rows["direction"]).str.lstrip(".")


def replicate(run: Run) -> str:
    """The same in words; only RegDB's models have a trial of their own."""
    return f"seed {run.config.seed}" + (f", trial {run.config.trial}" if run.config.dataset == "regdb" else "")


def _facts(run: Run, same_split: bool, same_network: bool) -> dict[str, Any]:
    """Everything in which runs may differ: the recipe and FACTS.

    Splits of RegDB have the same pixels and other labels; of two networks each may start from its own weights of ours.
    """
    packages = dict(run.environment.get("packages", {}))
    environment = run.environment | {"torch": packages.pop("torch", None), "packages": packages}
    facts = {name: environment.get(name) for name in (*FACTS, *NOTED)}
    if run.config.batch == "per-rank":  # else their number makes no difference beyond rounding and dropout
        facts["ranks"] = environment.get("ranks", 1)
    recipe = run.config.recipe()
    if not same_network and recipe["pretrained"] == f"people/{run.config.network}":
        recipe["pretrained"], facts["weights"] = "people/ and the network's name", None
    return recipe | facts | ({} if same_split else {"data_hash": environment.get("pixels_hash")})
