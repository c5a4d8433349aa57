"""Sheets of labelled images: samples and ranked lists."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from fsclib.figures.style import COLOURS, RIGHT, SMALL, WIDTH, WRONG, Picture, plain

BELOW = 0.14  # inches for a line of text under images
CELL, TALL = 1.0, 1.5  # inches: largest width and height of a drawn image
EMPTY = "#f0f0f0"  # where a sheet has no image


def sample_sheet(
    pictures: Sequence[Sequence[np.ndarray | None]], rows: Sequence[str], columns: Sequence[str], groups: Sequence[str] = ()
) -> Figure:
    """Images (H, W, 3) uint8 in labelled rows and columns; None leaves a place empty and pale.

    `groups` names the group of each column, above the column's name; a name repeated in neighbouring columns is written once.
    """
    figure, grid = empty_sheet(next(p for line in pictures for p in line if p is not None).shape, rows, columns, groups)
    for line, axes in zip(pictures, grid, strict=True):
        for picture, axis in zip(line, axes, strict=True):
            put(axis, picture)
            axis.set_facecolor(EMPTY)
    return figure


def ranked_lists(
    queries: Sequence[np.ndarray],
    found: Sequence[Sequence[np.ndarray]],
    right: Sequence[Sequence[bool | None]],
    names: Sequence[str],
    matches: Sequence[np.ndarray] = (),
    captions: Sequence[Sequence[str]] = (),
) -> Figure:
    """One row per query: the query, then its first gallery images; correct ones framed green, wrong ones red and dashed.

    right: whether each is correct; empty if nobody knows, and then there are no frames. matches: the image that each query should
    have found, in a last column. captions: a text under each gallery image.
    """
    ranks = range(1, 1 + max(len(line) for line in found))
    columns = ["query", *map(str, ranks), *["match"] * bool(matches)]
    figure, grid = empty_sheet(queries[0].shape, names, columns, below=BELOW * bool(captions))
    for texts, axes in zip(captions, grid, strict=False):
        for text, axis in zip(texts, axes[1:], strict=False):
            axis.set_xlabel(plain(text), fontsize=SMALL - 1, labelpad=3)
    for axis, picture in zip(grid[:, -1], matches, strict=False):
        put(axis, picture)
    for query, line, truths, axes in zip(queries, found, right or [[None] * len(line) for line in found], grid, strict=True):
        put(axes[0], query)
        for axis, picture, true in zip(axes[1:], line, truths, strict=False):
            put(axis, picture)
            if true is None:
                continue
            style: dict[str, Any] = {"edgecolor": RIGHT if true else WRONG, "linestyle": "-" if true else (0, (3, 1.5))}
            axis.add_patch(Rectangle((0, 0), 1, 1, transform=axis.transAxes, fill=False, linewidth=2, clip_on=False, **style))
    return figure


def empty_sheet(
    shape: tuple[int, ...],
    rows: Sequence[str],
    columns: Sequence[str],
    groups: Sequence[str] = (),
    below: float = 0.0,
    foot: float = 0.0,
) -> tuple[Figure, np.ndarray]:
    """A figure with empty places for images of this shape, labelled at the top and left, and its axes (rows, columns).

    below, foot: inches for text under each row of images, and under all of them.
    """
    groups = groups or [""] * len(columns)
    names = list(zip(groups, columns, strict=True))
    new = [_starts(groups), _starts(names)]
    gap = 0.04 if any(groups) else 0.08  # inches; frames of ranked lists need room
    gaps = np.where(new[1], gap, 0.02)  # before each column
    gaps[new[0]] = 0.14 if any(groups) else gap
    left, head = 0.12 + 0.13 * max(1 + name.count("\n") for name in rows), 0.18 + 0.19 * any(groups)
    width = min(CELL, TALL * shape[1] / shape[0], (WIDTH - left - gaps[1:].sum()) / len(columns))
    height = width * shape[0] / shape[1]
    starts = left + np.cumsum(gaps) - gaps[0] + width * np.arange(len(columns))
    step = height + gap + below
    page = np.array([starts[-1] + width + 0.02, head + len(rows) * step + foot])
    figure = Picture((float(page[0]), float(page[1])))
    places = [[(x, page[1] - head - height - row * step) for x in starts] for row in range(len(rows))]
    grid = np.array([[figure.add_axes((*(corner / page), *((width, height) / page))) for corner in line] for line in places])
    for axis in grid.flat:
        put(axis, None)
    for axis, name in zip(grid[:, 0], rows, strict=True):
        axis.set_ylabel(plain(name), fontsize=_fitting(rows, height), labelpad=2)
    runs = [(first, last, starts[last] + width - starts[first]) for first, last in _runs(new[1])]
    size = min(_fitting([columns[first]], span) for first, _, span in runs)
    for first, _, span in runs:
        grid[0, first].set_title(plain(columns[first]), fontsize=size, pad=3, x=span / width / 2)
    for first, last in _runs(new[0]) if any(groups) else ():
        ends, line = np.array([starts[first], starts[last] + width]) / page[0], 1 - 0.17 / page[1]
        figure.add_artist(Line2D(ends, [line, line], color=COLOURS.get(groups[first], "black"), linewidth=1.5))
        size = _fitting([groups[first]], (ends[1] - ends[0]) * page[0])
        figure.text(ends.mean(), line + 0.03 / page[1], plain(groups[first]), fontsize=size, ha="center", va="bottom")
    return figure, grid


def _starts(names: Sequence) -> list[bool]:
    """Whether each name differs from the one before it."""
    return [not number or names[number - 1] != name for number, name in enumerate(names)]


def _runs(starts: Sequence[bool]) -> list[tuple[int, int]]:
    """First and last position of each run."""
    first = np.flatnonzero(starts)
    return list(zip(first, [*first[1:] - 1, len(starts) - 1], strict=True))


def _fitting(texts: Sequence[str], inches: float) -> float:
    """Font size in points at which each line fits into `inches`; a letter is about 0.65 times as wide as high."""
    longest = max(len(line) for text in texts for line in text.split("\n"))
    return min(SMALL, inches * 72 / (0.65 * max(1, longest)))


def put(axis: Axes, picture: np.ndarray | None) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    if picture is not None:
        axis.imshow(picture, interpolation="antialiased")
