"""Runs pdflatex on a document, if it is installed.

No other program will do: the characters in tables.SIGNS are drawn for pdfTeX, latexmk only wraps it, and tectonic would download
packages.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from fsclib.system.storage import replacing, write_text

ENGINE, OPTIONS = "pdflatex", ("-interaction=nonstopmode", "-no-shell-escape", "-file-line-error")
RUNS, SECONDS, SHOWN = 2, 120, 20  # runs, since the first collects what \ref needs; time limit of each; lines shown of an error
INSTALL = "install TeX Live (Debian: apt install texlive-latex-recommended; conda: conda install -c conda-forge texlive-core)"
ERROR = re.compile(r"^(!|l\.\d+ |[^\s:()]+\.tex:\d+: )")


def typeset(tex: Path) -> str:
    """Makes the PDF beside a LaTeX file; returns a sentence on the outcome, with the error lines if it failed.

    The document and its pictures are read in place; everything else is written into a temporary folder. A failure removes the PDF,
    which would belong to an earlier document, and keeps the log.
    """
    pdf, log = tex.with_suffix(".pdf"), tex.with_suffix(".log")
    if shutil.which(ENGINE) is None:
        pdf.unlink(missing_ok=True)
        return f"{tex.name} was not compiled: {ENGINE} is not installed; {INSTALL}, then run it twice in {tex.parent}"
    with tempfile.TemporaryDirectory() as folder:
        problem = _run([ENGINE, *OPTIONS, f"-output-directory={folder}", tex.name], tex.parent)
        made = Path(folder, log.name)
        text = made.read_text(encoding="utf-8", errors="replace") if made.exists() else ""
        if problem:
            pdf.unlink(missing_ok=True)
            write_text(log, text)
            lines = [line for line in text.splitlines() if ERROR.match(line)][:SHOWN] or text.splitlines()[-SHOWN:]
            return "\n".join([f"{tex.name} was not compiled: {problem}; {log} has all of it", *lines])
        with replacing(pdf) as part:
            shutil.copyfile(Path(folder, pdf.name), part)
    log.unlink(missing_ok=True)
    warnings = [line for line in text.splitlines() if re.match(r"LaTeX Warning: .*(undefined|multiply)|Overfull \\[hv]box", line)]
    pages = re.search(r"\((\d+) pages?", text)
    return "\n".join([f"{pdf.name}: {pages[1] if pages else '?'} pages", *warnings])


def _run(command: list[str], folder: Path) -> str:
    """Runs pdflatex; returns the problem, or "". Log lines are not wrapped, so that an error stays on one line."""
    for _ in range(RUNS):
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                env=os.environ | {"max_print_line": "1000"},
            )
        except subprocess.TimeoutExpired:
            return f"{ENGINE} took more than {SECONDS} s"
        if done.returncode:
            return f"{ENGINE} ended with status {done.returncode}"
    return ""
