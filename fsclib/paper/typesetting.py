"""pdflatex on a document, where it is installed.

No other program: what tables.SIGNS draws is meant for pdfTeX, latexmk calls it anyway, and tectonic would fetch packages over the
network.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from fsclib.files import replacing

ENGINE, OPTIONS = "pdflatex", ("-interaction=nonstopmode", "-no-shell-escape", "-file-line-error")
RUNS, SECONDS, SHOWN = 2, 120, 20  # runs, since the first collects what \ref needs; the limit of one; lines of an error
INSTALL = "install TeX Live (Debian: apt install texlive-latex-recommended; conda: conda install -c conda-forge texlive-core)"
ERROR = re.compile(r"^(!|l\.\d+ |[^\s:()]+\.tex:\d+: )")


def typeset(tex: Path) -> str:
    """Makes the PDF of a LaTeX file beside it; returns a sentence on how that went, with the error lines where it failed.

    The document and its pictures are read in their own folder, all else is written into a temporary one. A failure removes the PDF,
    which would be an earlier document's, and leaves the log.
    """
    pdf, log = tex.with_suffix(".pdf"), tex.with_suffix(".log")
    if shutil.which(ENGINE) is None:
        pdf.unlink(missing_ok=True)
        return f"{tex.name} was not compiled: {ENGINE} is not installed; {INSTALL}, then run it twice in {tex.parent}"
    with tempfile.TemporaryDirectory() as folder:
        problem = _run([ENGINE, *OPTIONS, f"-output-directory={folder}", tex.name], tex.parent)
        made = Path(folder, log.name)
        text = made.read_text(errors="replace") if made.exists() else ""
        if problem:
            pdf.unlink(missing_ok=True)
            log.write_text(text)
            lines = [line for line in text.splitlines() if ERROR.match(line)][:SHOWN] or text.splitlines()[-SHOWN:]
            return "\n".join([f"{tex.name} was not compiled: {problem}; {log} has all of it", *lines])
        with replacing(pdf) as part:
            shutil.copyfile(Path(folder, pdf.name), part)
    log.unlink(missing_ok=True)
    warnings = [line for line in text.splitlines() if re.match(r"LaTeX Warning: .*(undefined|multiply)|Overfull \\[hv]box", line)]
    pages = re.search(r"\((\d+) pages?", text)
    return "\n".join([f"{pdf.name}: {pages[1] if pages else '?'} pages", *warnings])


def _run(command: list[str], folder: Path) -> str:
    """What went wrong, or nothing. Lines of the log are not broken, so that an error stands on one."""
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
