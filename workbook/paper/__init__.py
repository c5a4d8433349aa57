"""A paper's figures and tables from finished runs, and a LaTeX document that holds them all: notebook 09.

    options     the parameters
    selection   which runs the paper is about, which its tables hold, and what is missing
    commands    the commands that make what is missing
    items       a figure or table: its name, its caption, what it needs and the function that makes it
    sections/   one module per section, with its items: corpus training retrieval ablation literature spectrum attention embedding
                provenance; manifest lists all sections and finds, before any work, what can be made and what cannot
    press       makes and writes the items, and records which runs each file comes from
    document    the LaTeX file         typesetting     pdflatex on it

Sections call the same functions as the other notebooks, so both make the same figures.
"""

from workbook.paper.options import PaperOptions
from workbook.paper.press import Paper, make
from workbook.paper.sections.manifest import Plan, plan
from workbook.paper.typesetting import typeset

__all__ = ["Paper", "PaperOptions", "Plan", "make", "plan", "typeset"]
