"""Report pages of a hostile notebook in a browser: nothing is requested, and the browser stays on the page."""

import shutil
import socket
import threading

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from workbook import html_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test-browser")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt install chromium)")
ACTIVE = (
    '<meta http-equiv="refresh" content="0;url={0}"><link rel="preconnect" href="{0}"><link rel="prefetch" href="{0}">'
    '<img src="{0}"><iframe src="{0}"></iframe><object data="{0}"></object><video src="{0}" poster="{0}" autoplay></video>'
    "<script>location='{0}'</script><svg><image href='{0}'/></svg><div style='background: url({0})'>x</div>"
)


@pytest.fixture
def listener():
    """An address on this machine, and the connections made to it."""
    made, server = [], socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            made.append(connection)
            connection.close()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/x", made
    server.close()


def opened(file) -> str:
    """The browser's address two seconds after it opened a file."""
    with playwright.sync_playwright() as found:
        chromium = found.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        page = chromium.new_page()
        page.goto(file.as_uri())
        page.wait_for_timeout(2000)
        address = page.url
        chromium.close()
    return address


def test_a_page_requests_nothing_and_does_not_navigate(tmp_path, listener):
    address, made = listener
    active = ACTIVE.format(address)
    output = new_output("display_data", {"text/html": active, "text/plain": "x"})
    cells = [new_markdown_cell(f"# T\n\n{active}"), new_code_cell("1", execution_count=1, outputs=[output])]
    nbformat.write(new_notebook(cells=cells), tmp_path / "one.ipynb")
    html_report.write(tmp_path)
    page = tmp_path / "html/one.html"
    assert opened(page) == page.as_uri()
    assert made == []


def test_the_policy_alone_does_not_stop_a_refresh(tmp_path, listener):
    address, made = listener
    (tmp_path / "x.html").write_text(f"{html_report.POLICY}<meta http-equiv='refresh' content='0;url={address}'>")
    opened(tmp_path / "x.html")
    assert made
