"""Renders executed notebooks as web pages that need neither Jupyter nor a network, with an index of their contents and states.

From a shell: python -m workbook.html_report results/demo/notebooks

    FOLDER/*.ipynb → FOLDER/html/*.html, and FOLDER/index.html, which links to them

A page runs no scripts, loads nothing and never redirects, whatever its notebook contains: such content is left out (`inert`), and
the page's content security policy forbids the rest.

A notebook is complete if every code cell has run and none left an error. A killed kernel leaves no error, and papermill marks its
cells as completed; but the cell in which it died has no reply, and the cells after it have no execution count.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import jinja2
import nbformat
import traitlets.config
from markupsafe import Markup, escape
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from fsclib.system.disk_space import make_folder
from fsclib.system.errors import FsclibError
from fsclib.system.reading import read_text
from fsclib.system.storage import write_text
from workbook.inert import inert

POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="'
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'\">"
    '<meta http-equiv="x-dns-prefetch-control" content="off">'  # no DNS look-ups for links before a click
)
# nbconvert's page without the scripts it would load for formulas, diagrams and widgets, which show as text or pictures instead
TEMPLATE = "{% extends 'index.html.j2' %}" + "".join(
    f"{{% block {name} %}}{content}{{% endblock %}}"
    for name, content in {
        "html_head_js": POLICY, "jupyter_widgets": "", "html_head_js_mathjax": "", "html_head_js_mermaidjs": "",
        "footer": "</html>", "any_cell scoped": "{% filter inert %}{{ super() }}{% endfilter %}",
    }.items()
)  # fmt: skip
LARGEST = 1 << 29  # bytes of a notebook; one with five hundred pictures has a tenth of that
PICTURES, LARGEST_PICTURE = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"), 1 << 25  # pictures that prose may show; bytes
OPENED = 1000  # brackets, escapes or comments in one piece of Markdown: the time to render it grows with the square of their number
SLOW = f"*Not shown: more than {OPENED:,} brackets, backslashes or comments would take minutes to render.*"
LONGEST = 1e9  # largest credible duration of a notebook, seconds
SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain"]  # in order of preference
INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{{ policy | safe }}
<title>{{ folder }}</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: 0.4em 1em 0.4em 0; border-bottom: 1px solid #ccc; }
.time { white-space: nowrap; text-align: right; }
.failed { color: #a00; font-weight: bold; }
</style>
</head>
<body>
<h1>{{ folder }}</h1>
<p>{{ pages | length }} notebook{{ "s" * (pages | length > 1) }}, {{ incomplete or "none" }} of them failed or not complete</p>
<table>
<tr><th>notebook</th><th>what it does</th><th class="time">time</th><th>state</th></tr>
{%- for page in pages %}
<tr><td>
  {%- if page.notebook %}<a href="html/{{ page.file.stem | link }}.html">{{ page.title }}</a>{% else %}{{ page.title }}{% endif -%}
  <br><small>{{ page.file.name }}</small></td>
  {#- the file's name tells apart the cells of a sweep, which share one title -#}
  <td>{{ page.sentence | code }}</td><td class="time">{{ page.seconds | duration }}</td>
  {%- if page.problem %}<td class="failed">{{ page.problem }}</td>{% else %}<td>complete</td>{% endif %}</tr>
{%- endfor %}
</table>
</body>
</html>
"""


class ReportError(FsclibError, ValueError):
    """A folder without notebooks to report on."""


@dataclass(frozen=True)
class Page:
    """The index entry of a notebook."""

    file: Path
    title: str
    sentence: str  # the first after the title: what the notebook does or asks
    seconds: float | None  # papermill's duration; None without papermill, or if it did not end
    problem: str  # empty if the notebook is complete
    notebook: NotebookNode | None  # None if the file cannot be read


def write(folder: Path) -> Path:
    """Renders every notebook of a folder; returns the index page. Pages of the same name are replaced.

    A notebook that failed, was cut short or cannot be read is listed with the reason; the others are still rendered.
    Errors: ReportError if the folder holds no notebook; LinkError if its folder html/ is a link.
    """
    pages = [page(file) for file in sorted(folder.glob("*.ipynb"))]
    if not pages:
        raise ReportError(f"{folder}: found no notebook, expected executed ones; `make demo` leaves some in results/demo/notebooks")
    settings = traitlets.config.Config(NbConvertBase={"display_data_priority": SHOWN})
    exporter = HTMLExporter(raw_template=TEMPLATE, embed_images=True, config=settings)
    exporter.register_filter("inert", inert)
    make_folder(folder / "html", within=folder)
    with tempfile.TemporaryDirectory() as pictures:
        _copy_pictures(folder, pages, Path(pictures))
        pages = [_rendered(each, exporter, pictures) for each in pages]
    write_text(folder / "index.html", index(folder.resolve().name, pages), errors="replace")
    return folder / "index.html"


def _copy_pictures(folder: Path, pages: Sequence[Page], to: Path) -> None:
    """Copies the pictures that prose names: nbconvert itself would follow a link to any file, and block on a pipe."""
    cells = (cell for page in pages if page.notebook for cell in page.notebook.cells)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for place, _, names in os.walk(folder):
        for file in (Path(place, name) for name in names if name in prose and Path(name).suffix.lower() in PICTURES):
            copy = to / file.relative_to(folder)
            with contextlib.suppress(OSError):  # the page then lacks this picture
                if not file.is_symlink() and file.is_file() and file.stat().st_size <= LARGEST_PICTURE:
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, copy)


def _rendered(page: Page, exporter: HTMLExporter, pictures: str) -> Page:
    """Writes the page of a notebook; a failure becomes the page's problem. pictures: folder of the pictures in prose."""
    if page.notebook is None:
        return page
    for cell in page.notebook.cells:
        _without_slow_markdown(cell)
    folder = page.file.parent
    where = {"metadata": {"name": page.title, "path": pictures}}
    try:
        html, _ = exporter.from_notebook_node(page.notebook, resources=where)
    except Exception as error:  # nbconvert trusts a notebook's metadata, so it may raise anything
        return replace(page, notebook=None, problem=f"cannot be shown: {_first_line(str(error))}")
    write_text(folder / "html" / f"{page.file.stem}.html", html, errors="replace")
    return page


def _without_slow_markdown(cell: NotebookNode) -> None:
    """Replaces Markdown that would take minutes to render by a sentence that says so."""
    if cell.cell_type == "markdown" and _is_slow(cell.source):
        cell.source = SLOW
    for output in cell.get("outputs", []):
        if _is_slow("".join(output.get("data", {}).get("text/markdown", ""))):
            output["data"]["text/markdown"] = SLOW


def _is_slow(markdown: str) -> bool:
    return any(markdown.count(sign) > OPENED for sign in ("[", "\\", "<!--"))


def page(file: Path) -> Page:
    """Reads a notebook for the index."""
    try:
        notebook = nbformat.reads(read_text(file, LARGEST), as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises nearly anything for a file that is not a notebook
        return Page(file, file.stem, "", None, f"cannot be read: {_first_line(str(error))}", None)
    found = [re.search(r"^# (.+)\n?([\s\S]*)", cell.source, re.M) for cell in notebook.cells if cell.cell_type == "markdown"]
    title, text = next((match.groups() for match in found if match), (file.stem, ""))
    sentence = re.match(r"[\s\S]*?[.?!](?=\s|$)|", text.strip())[0]
    told = notebook.metadata.get("papermill")
    seconds = told.get("duration") if isinstance(told, dict) else None
    seconds = seconds if isinstance(seconds, (int, float)) and 0 <= seconds < LONGEST else None
    return Page(file, title.strip(), " ".join(sentence.split()), seconds, problem(notebook), notebook)


def problem(notebook: NotebookNode) -> str:
    """Why a notebook is not complete: its first error, or how many cells have run. Empty if it is complete."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for output in (output for cell in code for output in cell.outputs):
        if output.output_type == "error":
            return f"failed: {output.ename}: {_first_line(output.evalue)}"
    done = sum(map(_has_run, code))
    return "" if done == len(code) else f"not complete: {done} of {len(code)} cells have run"


def _has_run(cell: NotebookNode) -> bool:
    times = cell.metadata.get("execution", {})  # written by papermill, not by JupyterLab
    return cell.execution_count is not None and (not isinstance(times, dict) or not times or "shell.execute_reply" in times)


def index(name: str, pages: Sequence[Page]) -> str:
    """The index page of a folder with this name, as HTML."""
    environment = jinja2.Environment(autoescape=True, keep_trailing_newline=True)
    environment.filters |= {"code": _code, "duration": duration, "link": lambda stem: quote(os.fsencode(stem))}
    incomplete = sum(bool(each.problem) for each in pages)
    return environment.from_string(INDEX).render(policy=POLICY, folder=name, pages=pages, incomplete=incomplete)


def duration(seconds: float | None) -> str:
    """ "42 s", "6 min 26 s", "2 h 5 min"; a dash for None."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _code(text: str) -> Markup:
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def main(words: Sequence[str]) -> None:
    """Renders a folder and prints the path of its index."""
    if len(words) != 1:
        sys.exit("usage: python -m workbook.html_report FOLDER")
    print(f"index: {write(Path(words[0]))}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ReportError, OSError) as error:
        sys.exit(str(error))
