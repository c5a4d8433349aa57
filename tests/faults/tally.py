"""How many trials, and counts of what became of them: each group of trials leaves a file, and this program prints the table.

make test-faults                      # as many trials as the issue of robustness asks for, minutes to an hour
python tests/faults/tally.py          # the table of the last one
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

LONG = os.environ.get("FSCLIB_FAULTS") == "long"  # make test-faults; otherwise the short form, a part of make test
FOLDER = Path(__file__).parents[2] / "results" / "faults"


def keep(topic: str, group: str, outcomes: Mapping[str, int]) -> None:
    """What became of a group of trials, for the table. `outcomes`: in words → how many trials; kept of the long form alone."""
    if LONG:
        FOLDER.mkdir(parents=True, exist_ok=True)
        content = {"topic": topic, "group": group, "outcomes": dict(outcomes)}
        (FOLDER / f"{topic}-{group}.json".replace(" ", "-")).write_text(json.dumps(content, indent=1) + "\n")


def table(folder: Path = FOLDER) -> str:
    """All groups as a Markdown table, a row each."""
    rows = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    lines = ["| what | trials | outcomes |", "|---|---|---|"]
    for row in rows:
        told = ", ".join(f"{number} {words}" for words, number in row["outcomes"].items())
        lines.append(f"| {row['topic']}: {row['group']} | {sum(row['outcomes'].values())} | {told} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(*map(Path, sys.argv[1:])))
