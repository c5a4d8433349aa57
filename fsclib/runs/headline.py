"""The main results of a run, for reading."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fsclib.metrics.differences import FIGURES
from fsclib.metrics.estimates import FEWEST, over_people, text

TEST_SELECTED = "on the test images"
UNITS = "in per cent, means over trials [95 % intervals over people]; raw pixels and chance: rank-1 / mAP"
REFERENCES = ("raw pixels", "chance")  # methods of the table "references" that stand beside the figures


def headline(metrics: Mapping[str, Any], people: pd.DataFrame | None, references: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per protocol, in per cent: figures as means over trials, those of FIGURES with a 95 % interval over people as text.

    metrics: the content of metrics.json. people, references: the run's tables of identities and of REFERENCES; None for a run of an
    older version, without intervals or without columns of REFERENCES, "rank-1 / mAP" in the same galleries. If the tested epoch was
    chosen on the test images, a column says so.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, value in metrics.items():
        protocol, _, figure = name.rpartition(".")
        if protocol:
            rows.setdefault(protocol, {"protocol": protocol.replace(".", " ")})[figure] = round(value, 2)
    for found in over_people([people]).to_dict("records") if people is not None and len(people) else ():
        row = rows.get(_protocol(found), {})
        for name in FIGURES.keys() & row.keys():
            row[name] = text(row[name], found[f"{name}_low"], found[f"{name}_high"], ".2f", bounds=".1f")
            row["people"] = found["people"] if found["people"] >= FEWEST else f"{found['people']}, too few for an interval"
    for found in references.to_dict("records") if references is not None else ():
        if found["method"] in REFERENCES:
            rows.get(_protocol(found), {})[found["method"]] = f"{found['rank1']:.1f} / {found['map']:.1f}"
    selected = {"selected": TEST_SELECTED} if metrics.get("test_selected") is True else {}
    return pd.DataFrame([row | selected for row in rows.values()])


def _protocol(row: Mapping[str, Any]) -> str:
    return ".".join(filter(None, (row["mode"], row["direction"])))
