"""Compares fsclib with a plain transcription of the method: python benchmarks/run.py [--device cpu|cuda] [--only NAME …]

Updates results/benchmarks/<machine>.json after each case and at the end draws it, as PDF and PNG beside it. New measurements
replace old ones of the same name; the rest is kept. The corpus and its cache take 5.5 GB in the system's folder for temporary files
(set TMPDIR for another). Measure while nothing else runs.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import hardware, measure, results, words
from benchmarks.case import FSCLIB, PLAIN, Setting
from benchmarks.cases import CASES
from benchmarks.figure import draw
from benchmarks.scaling import SCALINGS
from benchmarks.sizes import CURVE, GPU, ONCE, PROCESSOR, QUICK, Repeats
from fsclib.system import paths


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line. Exits with status 2 and one line for an unknown name or a missing device."""
    parser = argparse.ArgumentParser(description="Compares fsclib with a plain transcription of the method.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    names = [*CASES, *SCALINGS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="small sizes, measured once: only checks that everything runs")
    parser.add_argument("--out", type=Path, help="file of results; by default results/benchmarks/<machine>.json")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch sees no GPU here")
    machine = hardware.name_of(options.device)
    default = f"{hardware.slug(machine)}{'-quick' * options.quick}.json"
    try:
        _run(options, machine, options.out or paths.results_dir() / "benchmarks" / default)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


def _run(options: argparse.Namespace, machine: str, file: Path) -> None:
    start = time.monotonic()
    results.read(file, machine)  # fails before anything is measured
    sizes = QUICK if options.quick else GPU if options.device == "cuda" else PROCESSOR
    repeats, curve = (ONCE, ONCE) if options.quick else (Repeats(), CURVE)
    environment = hardware.environment(options.device, sizes.multiplied)
    peaks = environment["matrix_peak"]
    print(f"{machine}, {environment['threads']} threads: " + ", ".join(f"{p} {v / 1e9:,.0f} GFLOP/s" for p, v in peaks.items()))
    with TemporaryDirectory(prefix="fsclib-benchmarks-") as scratch:
        setting = Setting(options.device, sizes, repeats, Path(scratch))
        for name in options.only:
            if name in CASES:
                kind, record = "cases", measure.case(name, setting, peaks)
            else:
                kind, record = "curves", measure.curves(name, setting, curve)
            kept = results.keep(file, machine, options.device, kind, name, record | {"environment": environment})
            print(f"{name}: {_summary(record)}", flush=True)
    for drawn in draw(kept, file):
        print(f"wrote {drawn}")
    print(f"wrote {file}, {time.monotonic() - start:.0f} s")


def _summary(record: dict[str, Any]) -> str:
    """A record as one line."""
    if "speedup" not in record:
        points = {curve: {x: f"{value['median']:.3g}" for x, value in found.items()} for curve, found in record["curves"].items()}
        lines = [f"{curve} " + ", ".join(f"{x}: {y}" for x, y in found.items()) for curve, found in points.items()]
        return f"{record['unit']} by {record['x']}; " + "; ".join(lines + [f"{x} {why}" for x, why in record["skipped"].items()])
    plain, fsclib, speed = record[PLAIN], record[FSCLIB], record["speedup"]
    took = " → ".join(words.seconds(side["seconds"]["median"]) for side in (plain, fsclib))
    held = " → ".join(words.megabytes(side["megabytes"]) for side in (plain, fsclib))
    text = f"{record['size']}: {took}, {speed['median']:.2f}× ({speed['low']:.2f} to {speed['high']:.2f}), {held}"
    text += f", {fsclib['per_second']:,.3g} a second"
    if "share_of_peak" in fsclib:
        text += f", {100 * fsclib['share_of_peak']:.0f} % of the matrix peak"
    return text


if __name__ == "__main__":
    main()
