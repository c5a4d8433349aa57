"""The notebooks in JupyterLab in a browser: progress bars move, figures appear, widgets react.

FSCLIB_SCREENSHOTS names a folder for a screenshot of each notebook; `make test-browser` sets it.
"""

import os
import shutil
from pathlib import Path

import pytest
from lab import Notebook, running
from papermill.iorw import load_notebook_node, write_ipynb
from papermill.parameterize import parameterize_notebook

from fsclib.config import Config
from fsclib.config.specs import DATASETS
from fsclib.retrieval import evaluation
from fsclib.training.loop import fit
from synthpeople.generate import write_corpus

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test-browser")

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt install chromium)")
QUIET = [  # no background activity, and no need of a GPU, a screen or a network
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
DATASET, NAME = "llcm", "browser"
SMALL = {
    "dataset": DATASET, "name": NAME, "scale": "tiny", "stages": 3, "height": 96, "width": 48, "identities": 2, "images": 2,
    "epochs": 3, "decay": "2", "validate_every": 2, "workers": 1, "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("lab")
    write_corpus(home / "data" / DATASETS[DATASET].folder, DATASET, 12, 3, images=2, height=96, width=48, workers=1, progress=False)
    return home


@pytest.fixture(scope="module")
def address(home):
    """The address of JupyterLab with notebooks 02_train and explore, whose small parameters papermill has set."""
    folder = home / "notebooks"
    folder.mkdir()
    for name, given in (("02_train", SMALL), ("explore", {"dataset": DATASET, "name": NAME, "device": "cpu", "workers": 1})):
        notebook = parameterize_notebook(load_notebook_node(str(NOTEBOOKS / f"{name}.ipynb")), given)
        write_ipynb(notebook, str(folder / f"{name}.ipynb"))
    with running(home, folder) as found:
        yield found


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with playwright.sync_playwright() as found:
        chromium = found.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, request):
    found = browser.new_page(viewport={"width": 1280, "height": 900})
    yield found
    if request.node.session.testsfailed:
        picture_of(found, "lab_failed")
    found.close()


@pytest.fixture(scope="module")
def tested(home):
    """Evaluates the run of the first test as 03_evaluate does, training it first if necessary."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FSCLIB_HOME", str(home))
        patch.setenv("FSCLIB_HEADLESS", "1")
        evaluation.evaluate_run(fit(Config(**SMALL)))


def picture_of(page, name):
    if folder := os.environ.get("FSCLIB_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_training_moves_a_bar_and_draws_a_figure(page, address, home):
    notebook = Notebook(page, address, "02_train.ipynb")
    notebook.run_all()
    assert len(set(notebook.widths)) > 2, "no progress bar was seen to move"
    figure = page.locator('.jp-OutputArea-output [src^="data:image/png"], .jp-RenderedImage img').last
    assert figure.evaluate("image => image.naturalWidth") > 300
    assert (home / "results" / DATASET / NAME / "log.csv").exists()
    figure.scroll_into_view_if_needed()
    picture_of(page, "lab_train")


def test_the_explorer_follows_its_widgets(page, address, tested):
    notebook = Notebook(page, address, "explore.ipynb")
    notebook.run_all()
    pictures = page.locator("img.widget-image")
    playwright.expect(pictures).to_have_count(3)
    assert all(pictures.nth(n).evaluate("image => image.naturalWidth") > 300 for n in range(3))

    person = page.locator(".widget-dropdown", has_text="person").locator("select")
    people = person.locator("option").all_inner_texts()
    chosen = next(who for who in people if who != person.input_value())
    before = [pictures.nth(n).get_attribute("src") for n in range(3)]
    person.select_option(label=chosen)
    status = page.get_by_text(f"person {chosen}, camera")
    status.wait_for()
    for n, source in enumerate(before):
        playwright.expect(pictures.nth(n)).not_to_have_attribute("src", source, timeout=30_000)
    notebook.settle()

    page.locator(".widget-checkbox", has_text="spectra").locator("input").uncheck()
    playwright.expect(pictures.nth(2)).to_be_hidden()
    page.locator(".widget-checkbox", has_text="spectra").locator("input").check()
    playwright.expect(pictures.nth(2)).to_be_visible()
    page.get_by_role("button", name="random query").click()
    notebook.settle()
    page.locator(".widget-dropdown").first.scroll_into_view_if_needed()
    picture_of(page, "lab_explore")
