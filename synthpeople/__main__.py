"""The command line: python -m synthpeople --layout llcm --out FOLDER."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from synthpeople.corpus import CHOICES, IDENTITIES, IMAGES
from synthpeople.difficulty import LEVELS
from synthpeople.generate import write_corpus
from synthpeople.plans import PLANS


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a corpus. Exits with status 2 and a one-line message if it cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m synthpeople", description="Write a corpus of synthetic people.")
    parser.add_argument("--layout", required=True, help=f"one of {', '.join(PLANS)}")
    parser.add_argument("--out", required=True, type=Path, help="folder of the corpus")
    parser.add_argument("--identities", type=int, help=f"number of people (default: {IDENTITIES})")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help=f"per identity, camera and modality (default: {IMAGES}; RegDB: always 10)")
    parser.add_argument("--test-images", type=int, help="--images for test identities (default: same as --images)")
    parser.add_argument("--train-share", type=float, help="share of training identities (default: as in the original)")
    parser.add_argument("--full", action="store_true", help="as many people and images as in the original")
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=72)
    parser.add_argument("--difficulty", default="standard", help=f"one of {', '.join(LEVELS)} (default: standard)")
    parser.add_argument("--worlds", type=int, default=1, help="groups of people with their own places and cameras (default: 1)")
    parser.add_argument("--infrared", default="near", help=f"one of {', '.join(CHOICES['infrared'])} (default: near)")
    parser.add_argument("--masks", action="store_true", help="also write masks/: what each pixel of an image shows")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: one per core, fewer for small corpora)")
    options = vars(parser.parse_args(arguments))
    try:
        write_corpus(**options)
    except (ValueError, OSError, RuntimeError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
