"""Counts of trials and their outcomes: each group of trials writes a file, and this program prints them all as a table.

make test-faults                      # runs the long form of the tests, which takes about an hour
python tests/faults/tally.py          # prints the table of the last run
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

LONG = os.environ.get("FSCLIB_FAULTS") == "long"  # make test-faults; otherwise the short form, part of make test
FOLDER = Path(__file__).parents[2] / "results" / "faults"


def keep(topic: str, group: str, outcomes: Mapping[str, int]) -> None:
    """Stores the outcomes of a group of trials for the table, in the long form only. outcomes: words → number of trials."""
    if LONG:
        FOLDER.mkdir(parents=True, exist_ok=True)
        content = {"topic": topic, "group": group, "outcomes": dict(outcomes)}
        (FOLDER / f"{topic}-{group}.json".replace(" ", "-")).write_text(json.dumps(content, indent=1) + "\n")


def table(folder: Path = FOLDER) -> str:
    """All groups as a Markdown table, one row per group."""
    rows = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    lines = ["| what | trials | outcomes |", "|---|---|---|"]
    for row in rows:
        told = ", ".join(f"{number} {words}" for words, number in row["outcomes"].items())
        lines.append(f"| {row['topic']}: {row['group']} | {sum(row['outcomes'].values())} | {told} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(*map(Path, sys.argv[1:])))
