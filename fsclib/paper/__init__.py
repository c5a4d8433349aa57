"""A paper's figures and tables from finished runs, and a LaTeX document that holds them all: notebook 09.

    options     the parameters
    cast        which runs the paper is about, which its tables hold, and what is missing
    commands    the commands that make what is missing
    items       a figure or table: its name, its caption, what it needs and the function that makes it
    corpus training retrieval ablation literature spectrum attention embedding provenance      the items of a section each
    manifest    all sections; what can be made and what cannot, before any work
    press       makes, writes, and says of each file which runs it comes from
    document    the LaTeX file         typesetting     pdflatex on it

Sections call the functions that the other notebooks call, so that a figure here is the figure there.
"""

from fsclib.paper.manifest import Plan, plan
from fsclib.paper.options import PaperOptions
from fsclib.paper.press import Paper, make
from fsclib.paper.typesetting import typeset

__all__ = ["Paper", "PaperOptions", "Plan", "make", "plan", "typeset"]
