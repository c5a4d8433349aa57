"""What all figures share: colours, sizes, texts, and a Figure that Jupyter shows. Colours are those of Okabe and Ito, which
colour-blind readers can tell apart."""

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
WIDTH = 7.0  # inches: a page's text width
TEXT, SMALL = 8, 7  # points
MARGIN = 0.02  # inches around a figure
PRINT = {
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "savefig.pad_inches": MARGIN,  # around what bbox_inches="tight" leaves: with the usual 0.1 a figure is wider than the text
}


class Picture(Figure):
    """A Figure that Jupyter can show without pyplot, whose list of open figures would keep each one alive."""

    def savefig(self, *words: Any, **options: Any) -> None:
        with matplotlib.rc_context(PRINT):
            super().savefig(*words, **options)

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=140, bbox_inches="tight")
        return content.getvalue()

    def screen(self) -> bytes:
        """The same as a PNG for a widget: a third of the time, since it is packed loosely and not cut to what is drawn."""
        content, (width, height) = io.BytesIO(), self.get_size_inches()
        around = Bbox.from_extents(-MARGIN, -MARGIN, width + MARGIN, height + MARGIN)  # a frame at the edge is whole
        self.savefig(content, format="png", dpi=140, bbox_inches=around, pil_kwargs={"compress_level": 1})
        return content.getvalue()


def plain(text: str) -> str:
    """Text in which a dollar sign is one: what stands between two of them matplotlib takes for a formula, or fails over."""
    return text.replace("$", r"\$")


def labelled(axis: Axes, **texts: str) -> None:
    """Title and labels of an axis, in the sizes of a printed page."""
    axis.set(**{name: plain(text) for name, text in texts.items()})
    for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
        text.set_fontsize(TEXT)
    axis.tick_params(which="both", labelsize=SMALL)


def decades(axis: Axis) -> None:
    """Plain numbers along a logarithmic axis whose curves are drawn: exponents would be smaller than print allows."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1,) if math.log10(high / low) > 1.5 else (1, 2, 5), numticks=20))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
