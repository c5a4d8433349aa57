"""Measures a case or a set of curves and returns the record as plain values."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from benchmarks.arithmetic import flops
from benchmarks.case import FSCLIB, PLAIN, SIDES, Setting, Work
from benchmarks.cases import CASES
from benchmarks.peak import peak_megabytes
from benchmarks.scaling import SCALINGS, Scaling, memory
from benchmarks.sizes import Repeats
from benchmarks.timing import alternate, spread, waiting


def case(name: str, setting: Setting, peaks: Mapping[str, float]) -> dict[str, Any]:
    """Measures both sides of a case: seconds, megabytes, images or queries per second, share of the matrix peak; and the speedup.

    peaks: FLOP/s of the machine by precision. For both sides, the share is based on the operations that fsclib needs.
    """
    chosen = CASES[name]
    inputs = chosen.inputs(setting)
    share, items = chosen.share(setting, inputs), chosen.items(setting, inputs)
    record: dict[str, Any] = {"title": chosen.title, "size": chosen.size(setting, inputs)}
    works = {side: chosen.work(side, setting, inputs) for side in SIDES}
    operations = flops(works[FSCLIB]) if chosen.precision else 0
    seconds = alternate(works, setting.repeats, waiting(chosen.where(setting)))
    del works, inputs
    _release()
    seconds[PLAIN] = [value / share for value in seconds[PLAIN]]
    record["speedup"] = asdict(spread([plain / fast for plain, fast in zip(*seconds.values(), strict=True)]))
    if share < 1:
        record["plain_share"] = share
    if operations:
        record["flops"] = operations
    for side in SIDES:
        took = spread(seconds[side])
        megabytes = peak_megabytes(name, side, setting) / (share if side == PLAIN else 1)
        record[side] = {"seconds": asdict(took), "megabytes": megabytes, "per_second": items / took.median}
        if operations:
            record[side]["share_of_peak"] = operations / took.median / peaks[chosen.precision]
    return record


def curves(name: str, setting: Setting, repeats: Repeats) -> dict[str, Any]:
    """Measures curves over a growing quantity: each curve's value at each point, in its unit, and why points were skipped."""
    scaling = SCALINGS[name]
    record: dict[str, Any] = {"title": scaling.title, "x": scaling.x, "unit": scaling.unit}
    record |= {"curves": {curve: {} for curve in scaling.curves}, "skipped": {}}
    for x, sizes in scaling.sizes(setting.sizes).items():
        there = replace(setting, sizes=sizes)
        if (needed := scaling.needed(there)) > memory() / 2:
            record["skipped"][str(x)] = f"takes {needed / 1e9:.0f} GB of memory"
            continue
        found, too_large = _point(scaling, there, repeats)
        for curve, values in found.items():
            record["curves"][curve][str(x)] = asdict(spread(values))
        if too_large:
            record["skipped"][str(x)] = f"takes more memory than the GPU has ({', '.join(too_large)})"
        _release()
    return record


def _point(scaling: Scaling, setting: Setting, repeats: Repeats) -> tuple[dict[str, list[float]], list[str]]:
    """Repeated measurements of each curve in its unit; and the curves that do not fit into the GPU's memory."""
    inputs = {make: make(setting) for make in {chosen.inputs for chosen, _ in scaling.curves.values()}}  # once each: some are large
    works: dict[str, Work] = {}
    items, too_large = {}, []
    for curve, (chosen, side) in scaling.curves.items():
        given = inputs[chosen.inputs]
        items[curve] = chosen.items(setting, given)
        try:
            work = chosen.work(side, setting, given)
            work()
            works[curve] = work
        except torch.OutOfMemoryError:
            too_large.append(curve)
            _release()
    seconds = alternate(works, repeats, waiting(setting.device))
    return {curve: _in_unit(scaling.unit, items[curve], values) for curve, values in seconds.items()}, too_large


def _in_unit(unit: str, items: int, seconds: Sequence[float]) -> list[float]:
    if unit == "images/s":
        return [items / value for value in seconds]
    return [1000 * value / items for value in seconds]


def _release() -> None:
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
