"""Prints what trainings contribute to docs/why-your-number-differs.md, from the runs of sweeps/causes.yaml.

    fsclib sweep causes --workers 2
    python tools/causes.py

Each row against the first, infrared → visible, paired by person and seed.
"""

from collections.abc import Sequence

import pandas as pd

from fsclib import runs
from fsclib.metrics.differences import FIGURES, paired_difference
from workbook import sweep
from workbook.sweep.configured import Cell


def tested(cells: Sequence[Cell], figure: str) -> pd.DataFrame:
    """A figure of finished runs in the form that paired_difference takes; each seed is a replicate."""
    tables = [(cell.config, runs.load(cell.config.dataset, cell.name).read_table("identities")) for cell in cells]
    found = pd.concat([table.assign(replicate=config.seed) for config, table in tables])
    return found[found["direction"] == "ir2vis"].rename(columns={figure: "figure"})


def main() -> None:
    rows: dict[str, list[Cell]] = {}
    for cell in sweep.read("causes", check=False).cells:
        rows.setdefault(cell.name.rpartition("-seed")[0], []).append(cell)
    for figure in ("rank1", "map"):
        first, *others = rows.values()
        baseline = tested(first, figure)
        means = (baseline["share"] * baseline["figure"]).groupby(baseline["replicate"]).sum()
        print(f"{FIGURES[figure]}: {next(iter(rows))} {means.mean():.1f} ({', '.join(f'{mean:.2f}' for mean in means)})")
        for name, cells in zip(list(rows)[1:], others, strict=True):
            found = paired_difference(tested(cells, figure), baseline)
            low, high = found.interval
            print(f"  {name}: {found.mean:+.1f} ({low:+.1f} to {high:+.1f}), p {found.p:.3f}")


if __name__ == "__main__":
    main()
