"""Whether the networks of a sweep will be comparable: they must share augmentation and budget (fsclib.analysis.comparability)."""

from collections.abc import Collection, Sequence

import pandas as pd

from fsclib.analysis.comparability import EQUAL
from fsclib.analysis.switches import NETWORK, contrasts
from fsclib.runs import config_of
from workbook.sweep.grid import Cell


def unequal(cells: Sequence[Cell], allow: Collection[str] = ()) -> list[str]:
    """A sentence for each comparison of networks that notebook 06 would refuse. allow: fields that may differ."""
    found = []
    for dataset in dict.fromkeys(cell.config.dataset for cell in cells):
        rows = [cell.config.recipe() | {"name": cell.name, "finished": True} for cell in cells if cell.config.dataset == dataset]
        for contrast in contrasts(pd.DataFrame(rows)):
            configs = [config_of(row) for row in contrast.rows.to_dict("records")]
            values = {name: dict.fromkeys(str(getattr(config, name)) for config in configs) for name in EQUAL if name not in allow}
            differing = [f"{name} {' and '.join(known)}" for name, known in values.items() if len(known) > 1]
            if contrast.switch == NETWORK and differing and any(config.epochs for config in configs):
                fix = "set them in fixed, or name them in allow of notebook 06, which otherwise refuses to compare these networks"
                found.append(f"{NETWORK}: found networks on {dataset} with {', '.join(differing)}; {fix}")
    return list(dict.fromkeys(found))
