"""The main results of a run, for reading."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fsclib.metrics.differences import FIGURES
from fsclib.metrics.estimates import over_people

TEST_SELECTED = "on the test images"


def headline(metrics: Mapping[str, Any], people: pd.DataFrame | None) -> pd.DataFrame:
    """One row per protocol, in per cent: figures as means over trials, those of FIGURES with a 95 % interval over people as text.

    metrics: the content of metrics.json; people: the run's table of identities, None for a run without one, whose figures have no
    intervals. If the tested epoch was chosen on the test images, a column says so.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, value in metrics.items():
        protocol, _, figure = name.rpartition(".")
        if protocol:
            rows.setdefault(protocol, {"protocol": protocol.replace(".", " ")})[figure] = round(value, 2)
    if people is not None and len(people):
        for found in over_people([people]).to_dict("records"):
            row = rows.get(".".join(filter(None, (found["mode"], found["direction"]))), {})
            for name in FIGURES.keys() & row.keys():
                row[name] = f"{row[name]:.2f} [{found[f'{name}_low']:.1f}, {found[f'{name}_high']:.1f}]"
                row["people"] = found["people"]
    selected = {"selected": TEST_SELECTED} if metrics.get("test_selected") is True else {}
    return pd.DataFrame([row | selected for row in rows.values()])
