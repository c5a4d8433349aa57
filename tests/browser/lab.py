"""JupyterLab on the loopback interface, with a token, and a notebook as its page shows it in a browser."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = {  # no prompt about news; all cells in the page, not only visible ones
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
START, CELLS, TRIES = 90, 240, 5  # seconds for the server to answer and for all cells to run; menu clicks
ERRORS = '[data-mime-type="application/vnd.jupyter.error"]'
BROKEN_WIDGETS = ("Error displaying widget", "Error creating widget", "Model not found", "Loading widget...")


@contextmanager
def running(home: Path, notebooks: Path) -> Iterator[str]:
    """Runs JupyterLab in a folder of notebooks, with FSCLIB_HOME=`home`; yields its address, with {} for a notebook's name."""
    own = home / "jupyter"
    for name, values in SETTINGS.items():
        file = own / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    token = secrets.token_hex(16)  # passed in the environment, which process lists do not show
    parts = {
        "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }  # fmt: skip
    folders = {name: str(own / part) for name, part in parts.items()}
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "FSCLIB_HEADLESS")}  # not headless
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(
            command,
            cwd=notebooks,
            stdout=log,
            stderr=log,
            env=kept | folders | {"FSCLIB_HOME": str(home), "JUPYTER_TOKEN": token, "OMP_NUM_THREADS": "1"},
        )
        try:
            yield f"{_address(server, own / 'runtime', home / 'lab.log')}lab/tree/{{}}?token={token}&reset"
        finally:
            server.terminate()  # it shuts down its kernels
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            found = json.loads(file.read_text())
            if found["port"]:
                return f"http://127.0.0.1:{found['port']}{found['base_url']}"
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start in {START} s:\n{log.read_text()[-3000:]}")


class Notebook:
    """A notebook in a page. widths: the successive widths of its progress bars, in per cent."""

    def __init__(self, page, address: str, name: str):
        self.page, self.widths, self.problems = page, [], []
        page.on("pageerror", lambda error: self.problems.append(f"in the page: {error}"))
        page.add_locator_handler(page.locator("dialog.jp-Dialog"), lambda dialog: dialog.locator(".jp-mod-accept").click())
        page.goto(address.format(name), timeout=1000 * START)
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=1000 * START)

    def run_all(self) -> None:
        """Runs all cells from the menu, and watches the page until each has its number; fails if one has an error."""
        cells = self._waiting()
        for _ in range(TRIES):  # a menu that has just opened may take a click for the end of the one that opened it
            self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
            item = self.page.get_by_role("menuitem", name="Run All Cells", exact=True)
            item.hover()
            self.page.wait_for_timeout(500)
            item.click()
            self.page.wait_for_timeout(2000)
            if self._waiting() < cells or self.page.locator(".jp-InputPrompt", has_text="*").count():
                break
        else:
            raise AssertionError(f"the menu did not start the cells in {TRIES} tries")
        end = time.monotonic() + CELLS
        while self._waiting():
            assert time.monotonic() < end, f"{self._waiting()} cells have not run in {CELLS} s"
            self._look_at_bars()
            self.check()
            time.sleep(0.2)
        self.check()

    def settle(self) -> None:
        """Waits until the kernel is idle again after a change of a widget, and checks."""
        self.page.wait_for_timeout(1000)
        self.page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=1000 * START)
        self.check()

    def check(self) -> None:
        """Fails with the errors that cells, widgets and the page show."""
        errors = self.page.locator(ERRORS).all_inner_texts()
        text = self.page.locator(".jp-OutputArea").all_inner_texts() if not self._waiting() else []
        broken = [sign for sign in BROKEN_WIDGETS if any(sign in part for part in text)]
        problems = [*errors, *broken, *self.problems]
        assert not problems, "\n".join(problems)

    def _waiting(self) -> int:
        prompts = self.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        assert prompts
        return sum(not any(sign.isdigit() for sign in text) for text in prompts)

    def _look_at_bars(self) -> None:
        bars = self.page.evaluate("[...document.querySelectorAll('.widget-hprogress .progress-bar')].map(bar => bar.style.width)")
        for width in bars:
            if width.endswith("%") and (not self.widths or self.widths[-1] != float(width[:-1])):
                self.widths.append(float(width[:-1]))
