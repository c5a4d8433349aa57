"""Hostile names and texts appear as plain text in LaTeX, web pages, figures and widgets."""

import html
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tally import keep

from fsclib import figures
from fsclib.analysis import samples
from fsclib.data.records import Problem
from fsclib.figures import tables
from fsclib.figures.style import plain
from fsclib.runs.reports import Report
from workbook import html_report
from workbook.explorer import widgets
from workbook.paper.document import PREAMBLE

WORDS = [
    "a_b", "a$b", "$x$", "$\\frac$", "100 %", "a & b", "#1", "{", "}", "}{", "\\end{document}", "\\input{/etc/passwd}",
    "\\immediate\\write18{touch marker}", "^^5cinput", "~/x", "a^b", "[x]", "*", "<script>alert(1)</script>", '" onload="alert(1)',
    "' onclick='alert(1)", "&lt;script&gt;", "<!-- x", "]]>", "javascript:alert(1)", "a\nb", "a\n\nb", "%\n\\par", "\\", "\\\\",
    "``", "a|b",
]  # fmt: skip


class Tags(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.tags, self.written = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.written += data

    def active(self) -> list:
        """Elements that would run code: scripts, frames, plug-ins, event handlers and javascript: addresses."""
        return [
            (tag, attrs)
            for tag, attrs in self.tags
            if tag in ("script", "iframe", "object", "embed") or any(name.startswith("on") for name in attrs)
            or any(str(value).strip().lower().startswith("javascript:") for value in attrs.values())
        ]  # fmt: skip


def strange() -> pd.DataFrame:
    return pd.DataFrame({"name": WORDS, **{f"{number} {word}": number for number, word in enumerate(WORDS[:4])}})


def written(tmp_path) -> dict[str, str]:
    """LaTeX of a table of hostile names, as save_table and as tables.latex write it."""
    Report(tmp_path).save_table(strange(), "plain")
    caption = " ".join(" ".join(word.split()) for word in WORDS)
    return {"plain": (tmp_path / "tables/plain.tex").read_text(), "own": tables.latex(strange(), caption=caption, label="tab:x")}


def test_latex_of_hostile_names_is_text(tmp_path):
    for name, text in written(tmp_path).items():
        assert re.findall(r"\\(input|write|immediate|frac|par|end\{document)", text) == [], name
        body = text.split("\\midrule")[1].split("\\bottomrule")[0]
        rows = [line for line in body.split("\\\\\n") if line.strip()]
        assert len(rows) == len(WORDS), name
        assert all(len(re.findall(r"(?<!\\)&", row)) == 4 for row in rows), name
        assert all(row.strip() for row in body.strip("\n").split("\n")), name  # an empty line would end a paragraph


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_of_hostile_names_compiles(tmp_path):
    texts = written(tmp_path)
    marker = tmp_path / "marker"
    for name, text in texts.items():
        (tmp_path / f"{name}.tex").write_text(f"{PREAMBLE}\\begin{{document}}{text}\\end{{document}}")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", f"{name}.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout[-2000:]
    assert not marker.exists()


def test_figures_show_hostile_names_literally():
    curve, picture, number = np.linspace(10, 100, 20), np.zeros((8, 6, 3), np.uint8), len(WORDS)
    point, dollars = {"value": 0.5, "low": 0.4, "high": 0.6}, [word for word in WORDS if "$" in word]
    gaps = pd.DataFrame([{"run": word, "figure": figure} | point for word in dollars for figure in ("gap", "own", "people")])
    mixing = pd.concat([gaps.assign(figure=f, modality=m) for f in ("observed", "chance") for m in ("visible", "infrared")])
    drawn = [
        figures.cmc_curves(dict.fromkeys(dollars, curve)),
        figures.sample_sheet([[picture] * number], ["x"], WORDS, WORDS),
        figures.ranked_lists([picture], [[picture] * number], [[True] * number], ["x"], captions=[WORDS]),
        figures.modality_gap(gaps, mixing.drop_duplicates(["run", "figure", "modality"])),
    ]
    for figure in drawn:
        assert figure.screen()[:4] == b"\x89PNG"
        shown = {text.get_text(): text for text in figure.findobj(Text)}
        assert len(dollars) == 3
        assert all(plain(word) in shown for word in dollars)
        assert not any(shown[plain(word)]._preprocess_math(plain(word))[1] for word in dollars)  # parsed as a formula


def test_pages_of_hostile_notebooks_run_and_fetch_nothing(tmp_path):
    hostile = "<meta http-equiv=refresh content='0;url=http://127.0.0.1:1/'><link rel=preconnect href='http://127.0.0.1:1/'>"
    hostile += "<img src=x onerror='alert(1)'><a href='javascript:alert(1)'><script>alert(1)</script>"
    outputs = [
        new_output("display_data", {"text/html": hostile, "text/plain": "x"}),
        new_output("display_data", {"image/svg+xml": "<svg onload='alert(1)'><script>alert(1)</script></svg>"}),
        new_output("display_data", {"text/markdown": hostile}),
        new_output("stream", name="stdout", text=hostile),
        new_output("error", ename=hostile, evalue=hostile, traceback=[hostile]),
    ]
    for number, word in enumerate(WORDS):
        cells = [new_markdown_cell(f"# {word}\n\n{word} is it. {hostile}"), new_code_cell(word, execution_count=1, outputs=outputs)]
        strange = {"papermill": {"duration": word}} | {"papermill": [word], "title": word} if number % 2 else {"title": word}
        name = f"{number}{word}".replace("/", "_").replace("\0", "")
        nbformat.write(new_notebook(cells=cells, metadata=strange), tmp_path / f"{name}.ipynb")
    (tmp_path / "not-utf8-\udcff.ipynb").write_text("{}")
    index = html_report.write(tmp_path).read_text()
    found = Tags(index)
    assert found.active() == []
    links = [attrs["href"] for tag, attrs in found.tags if tag == "a"]
    assert all(re.fullmatch(r"html/[\w.%~-]+\.html", link) for link in links)
    pages = sorted((tmp_path / "html").glob("*.html"))
    assert len(links) == len(pages) == len(WORDS)
    for text in (index, *(page.read_text() for page in pages)):
        tags = Tags(text).tags
        assert not [tag for tag in Tags(text).active() if tag[0] != "h1"]  # whose id may be such a word
        assert not [attrs for tag, attrs in tags if tag in ("link", "base") or attrs.get("http-equiv") == "refresh"]
        place = next(place for place, (_, attrs) in enumerate(tags) if attrs.get("http-equiv") == "Content-Security-Policy")
        assert {tag for tag, _ in tags[:place]} <= {"html", "head", "meta", "title"}
        rules = dict(rule.split(maxsplit=1) for rule in tags[place][1]["content"].split("; "))
        assert rules.pop("default-src") == "'none'"
        assert rules.keys() == {"style-src", "img-src", "font-src", "base-uri", "form-action"}  # scripts and frames: none
        assert rules["img-src"] == rules["font-src"] == "data:"
    keep("hostile files", "names in web pages", Counter({"shown as text": len(pages)}))


def test_notebooks_show_hostile_names_as_text():
    problems = [Problem(f"{word}.jpg", 3, word, word, word) for word in WORDS]
    found = Tags(samples.problem_table(problems)._repr_html_())
    assert {tag for tag, _ in found.tags} <= {"div", "style", "table", "thead", "tr", "th", "tbody", "td"}
    assert found.active() == []
    assert "<script>alert(1)</script>" in found.written


@pytest.mark.parametrize("word", WORDS)
def test_widgets_show_hostile_names_as_text(word):
    found = Tags(widgets._red(f"ValueError: {word}"))
    assert [tag for tag, _ in found.tags] == ["span"]
    assert html.unescape(word) in found.written or word in found.written
