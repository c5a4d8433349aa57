"""Runs of a network that is not installed."""

import json
from pathlib import Path


def write_foreign(folder: Path, like: Path, **environment: object) -> None:
    """Writes the config.json of the run in `like` into `folder`, with the network "stripes" and these changes of environment."""
    content = json.loads((like / "config.json").read_text())
    content["config"]["network"] = "stripes"  # of a package that is not installed
    content["environment"] |= environment
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))
