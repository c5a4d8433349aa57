"""Finds the switches by which the runs of a sweep can be compared, each with runs in which nothing else varies.

A switch is a field of the recipe that varies within a network; if several vary, each is compared at every combination of the
others. Fields that only follow their presets, as that of an augmentation, are no switches. The network is a switch too: each takes
part with its presets in all fields that vary within it, and with every augmentation and scale of the sweep in a comparison of its
own.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fsclib.analysis.comparability import REPLICATE
from fsclib.config.schema import RECIPE
from fsclib.runs import config_of, finished

NETWORK = "network"
SWITCHES = [name for name in RECIPE if name not in (NETWORK, *REPLICATE)]
CHOOSING = ("augmentation", "scale")  # the presets of other fields


@dataclass(frozen=True, eq=False)
class Contrast:
    """Rows of runs.table() that differ in a switch; `context`: the values of the other fields that vary in the sweep."""

    switch: str
    context: Mapping[str, Any]
    rows: pd.DataFrame

    @property
    def title(self) -> str:
        """ "modules", or "modules with branches 1"; letters, digits, dots and spaces."""
        values = (f"{name} {'.'.join(map(str, v)) or 'none' if isinstance(v, tuple) else v}" for name, v in self.context.items())
        return " with ".join(filter(None, [self.switch, " and ".join(values)]))

    def values(self) -> list[Any]:
        """The values of the switch, those of the presets first."""
        configs = [config_of(row) for row in self.rows.to_dict("records")]
        ordered = sorted(configs, key=lambda config: self.switch in config.departures())
        return list(dict.fromkeys(getattr(config, self.switch) for config in ordered))


def contrasts(table: pd.DataFrame) -> list[Contrast]:
    """Every comparison possible among the finished rows of runs.table(), all of one data set."""
    rows = finished(table)
    configs = {name: config_of(row) for name, row in zip(rows.get("name", ()), rows.to_dict("records"), strict=True)}
    networks: dict[str, list[str]] = {}
    for name, config in configs.items():
        networks.setdefault(config.network, []).append(name)
    departures = {name: config.departures().keys() for name, config in configs.items()}
    varied = {
        network: [
            switch
            for switch in SWITCHES
            if len({getattr(configs[name], switch) for name in names}) > 1
            and (switch in CHOOSING or any(switch in departures[name] for name in names))
        ]
        for network, names in networks.items()
    }
    found: dict[tuple[str, tuple], list[str]] = {}
    for network, names in networks.items():
        for switch in varied[network]:
            for name in names:
                context = tuple((other, getattr(configs[name], other)) for other in varied[network] if other != switch)
                found.setdefault((switch, ((NETWORK, network), *context)), []).append(name)
    chosen = [name for name in CHOOSING if any(name in fields for fields in varied.values())]
    for network, names in networks.items():
        for name in (name for name in names if not departures[name] & {*varied[network]}.difference(CHOOSING)):
            context = tuple((other, getattr(configs[name], other)) for other in chosen)
            found.setdefault((NETWORK, context), []).append(name)
    kept = {key: names for key, names in found.items() if len({getattr(configs[name], key[0]) for name in names}) > 1}
    # the network is named only where several have this comparison
    others = {key: tuple(pair for pair in key[1] if pair[0] != NETWORK) for key in kept}
    networks_of = Counter((key[0], others[key]) for key in kept)
    return [
        Contrast(key[0], dict(key[1] if networks_of[key[0], others[key]] > 1 else others[key]), rows[rows["name"].isin(names)])
        for key, names in kept.items()
    ]
