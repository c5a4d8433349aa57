"""Shared style of all figures: colours, sizes, labels, and a Figure that Jupyter shows. The colours are those of Okabe and Ito,
which colour-blind readers can distinguish."""

import io
import math
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

COLOURS = {"visible": "#0072B2", "infrared": "#D55E00"}
RIGHT, WRONG = "#009E73", "#D55E00"
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":")  # the first for seven curves, then the next
WIDTH = 7.0  # inches: the text width of a page
TEXT, SMALL = 8, 7  # points
MARGIN = 0.02  # inches around a figure
PRINT: dict[Any, float] = {
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "savefig.pad_inches": MARGIN,  # for bbox_inches="tight": with the default 0.1 a figure would be wider than the text
}


class Picture(Figure):
    """A Figure that Jupyter shows without pyplot, which would keep each open figure alive."""

    def savefig(self, *words: Any, **options: Any) -> None:
        with matplotlib.rc_context(PRINT):
            super().savefig(*words, **options)

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=140, bbox_inches="tight")
        return content.getvalue()

    def screen(self) -> bytes:
        """A PNG for a widget, in a third of the time: with low compression and not cropped to its content."""
        content, (width, height) = io.BytesIO(), self.get_size_inches()
        around = Bbox.from_extents(-MARGIN, -MARGIN, width + MARGIN, height + MARGIN)  # keeps frames at the edge complete
        self.savefig(content, format="png", dpi=140, bbox_inches=around, pil_kwargs={"compress_level": 1})
        return content.getvalue()


def plain(text: str) -> str:
    """Escapes dollar signs: matplotlib would parse text between two of them as a formula, or fail."""
    return text.replace("$", r"\$")


def labelled(axis: Axes, **texts: str) -> None:
    """Sets title and labels of an axis, in sizes for a printed page."""
    axis.set(**{name: plain(text) for name, text in texts.items()})
    for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
        text.set_fontsize(TEXT)
    axis.tick_params(which="both", labelsize=SMALL)


def decades(axis: Axis) -> None:
    """Puts plain numbers on a logarithmic axis, after its curves are drawn: exponents would be too small to print."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if math.log10(high / low) > 1.5 else (1, 2, 5), numticks=20))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
