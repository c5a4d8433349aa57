"""The explorer without a browser: it offers what exists, shows the chosen query and redraws after each choice."""

import gc
import html
import shutil

import numpy as np
import pytest
from conftest import settle
from foreign import write_foreign

from fsclib import metrics
from fsclib.config import ConfigError
from fsclib.config.specs import DATASETS
from fsclib.data.protocols import query_and_gallery
from fsclib.retrieval.features import similarity
from fsclib.retrieval.search import score
from fsclib.runs import RunError
from fsclib.training.loop import fit
from workbook.explorer import SIMILARITIES, ExplorerOptions, explore, panels, widgets
from workbook.explorer.session import Desk, Search
from workbook.explorer.widgets import Board

TO_VISIBLE = "infrared → visible all"


@pytest.fixture(scope="module")
def run(corpora, tmp_path_factory, tiny):
    """A tested run of FSC-Net on SYSU-MM01's layout, beside one of AGW and an empty folder."""
    home = tmp_path_factory.mktemp("explorer")
    with pytest.MonkeyPatch.context() as patch:
        settle(home, corpora, patch)
        first = fit(tiny(dataset="sysu", epochs=1, name="one"))
        fit(tiny(dataset="sysu", epochs=1, name="two", network="agw", stages=4))
        (first.folder.parent / "three").mkdir()
        yield first


@pytest.fixture(scope="module")
def desk(run):
    return Desk(run)


def test_runs_of_missing_networks_are_left_out_with_the_reason(run, caplog):
    foreign = run.folder.parent / "foreign"
    write_foreign(foreign, run.folder)
    try:
        assert Desk(run).names == ["one", "two"]
    finally:
        shutil.rmtree(foreign)
    (reason,) = caplog.messages
    assert "foreign/config.json" in reason
    assert "network: found 'stripes'" in reason


@pytest.fixture
def watched_board(desk, monkeypatch):
    """A board that has drawn its first query."""
    found = Board(desk)
    found.begin()
    found.draw()
    return found


def pictures(found):
    return {name: bytes(picture.value) for name, picture in found.pictures.items()}


def test_finished_runs_are_offered_and_each_is_opened_once(desk):
    assert desk.names == ["one", "two"]
    assert desk.subject("two") is desk.subject("two")
    assert set(desk.searches("one")) == {TO_VISIBLE, "infrared → visible indoor"}


@pytest.mark.parametrize(("name", "options"), SIMILARITIES.items())
def test_queries_and_their_first_rank_follow_the_protocol(desk, name, options):
    search = Search("one", TO_VISIBLE, 3, name)
    subject, protocol = desk.subject("one"), DATASETS["sysu"].protocols[0]
    records = subject.images.records
    query, gallery = query_and_gallery(records, protocol, 2)
    close = similarity(subject.features.of(query, options[1]), subject.features.of(gallery, options[1]), options[0])
    expected = score(close, records, query, gallery, "sysu")
    found = desk.queries(search)
    assert sorted(found["place"]) == list(np.flatnonzero(expected.valid))
    np.testing.assert_array_equal(found["first"], expected.first_rank[found["place"]])
    shown = records.iloc[query[found["place"]]]
    np.testing.assert_array_equal(found[["person", "camera"]], shown[["identity", "camera"]])
    assert not found.duplicated(["person", "camera", "image"]).any()
    assert found.groupby(["person", "camera"])["image"].max().equals(found.groupby(["person", "camera"]).size())


def test_results_of_a_query_are_sorted_and_follow_the_protocol(desk):
    ranking, records = desk.ranking(Search("one", TO_VISIBLE, 1, next(iter(SIMILARITIES)))), desk.subject("one").images.records
    camera, identity = records["camera"].to_numpy(), records["identity"].to_numpy()
    hides = [place for place, row in enumerate(ranking.query) if camera[row] == 3]
    for place in (hides[0], next(place for place in range(len(ranking.query)) if place not in hides)):
        found, who = ranking.found(place), identity[ranking.query[place]]
        assert (np.diff(found.similarity) <= 0).all()
        np.testing.assert_array_equal(found.right, identity[found.rows] == who)
        seen = ranking.gallery[camera[ranking.gallery] != 2] if place in hides else ranking.gallery
        assert sorted(found.rows) == sorted(seen)
        _, first = np.unique(identity[found.rows], return_index=True)
        distinct = identity[found.rows[np.sort(first)]]
        assert 1 + list(distinct).index(who) == ranking.scores.first_rank[place]
    assert isinstance(ranking.scores, metrics.PerQuery)


def test_a_board_begins_with_the_requested_query(desk):
    asked = desk.queries(Search("one", TO_VISIBLE, 1, next(iter(SIMILARITIES)))).iloc[-1]
    found = Board(desk)
    found.begin(int(asked["person"]), int(asked["camera"]))
    records = desk.subject("one").images.records
    row = records.loc[found.query().row]
    assert (row["identity"], row["camera"], row["modality"]) == (asked["person"], asked["camera"], "infrared")


def test_the_same_seed_begins_with_the_same_query(desk):
    first, second, other = Board(desk, seed=1), Board(desk, seed=1), Board(desk, seed=2)
    for each in (first, second, other):
        each.begin()
    assert first.query().row == second.query().row != other.query().row


@pytest.mark.parametrize(("asked", "message"), [({"person": 10_000}, "person: found 10000"), ({"camera": 1}, "camera: found 1,")])
def test_a_missing_query_is_refused_with_a_list_of_existing_ones(desk, asked, message):
    with pytest.raises(ValueError, match=message) as error:
        Board(desk).begin(**asked)
    some = desk.queries(Search("one", TO_VISIBLE, 1, next(iter(SIMILARITIES))))
    assert ", ".join(map(str, sorted(some[next(iter(asked))].unique()))) in str(error.value)


def test_all_panels_are_drawn_with_their_explanations(watched_board):
    assert all(value.startswith(b"\x89PNG") for value in pictures(watched_board).values())
    assert f"person {watched_board.person.value}, camera {watched_board.camera.value}" in watched_board.status.value
    for name, note in watched_board.notes.items():
        assert html.escape(panels.PANELS[name][1]) in note.value


def test_choosing_a_person_updates_cameras_images_and_pictures(watched_board, desk):
    before, ours = pictures(watched_board), watched_board.person.value
    watched_board.person.value = next(who for who in watched_board.person.options if who != ours)
    query, records = watched_board.query(), desk.subject("one").images.records
    assert records["identity"][query.row] == watched_board.person.value
    own = watched_board.queries[watched_board.queries["person"] == watched_board.person.value]
    assert list(watched_board.camera.options) == sorted(own["camera"].unique())
    assert all(value != before[name] for name, value in pictures(watched_board).items())


def test_another_run_shows_the_same_query_in_new_pictures(watched_board, desk):
    before, row = pictures(watched_board), watched_board.query().row
    watched_board.run.value = "two"
    assert watched_board.query().row == row
    assert watched_board.query().subject is desk.subject("two")
    assert all(value.startswith(b"\x89PNG") and value != before[name] for name, value in pictures(watched_board).items())


def test_another_gallery_or_similarity_changes_the_ranking(watched_board):
    first = watched_board.query().found
    watched_board.gallery.value = 2
    second = watched_board.query().found
    assert sorted(first.rows) != sorted(second.rows)
    watched_board.similarity.value = "mostly neck, no mirror image"
    third = watched_board.query().found
    assert sorted(third.rows) == sorted(second.rows)
    assert not np.allclose(third.similarity, second.similarity)


def test_random_failures_are_failures(watched_board):
    seen = set()
    for _ in range(5):
        watched_board.failure.click()
        query = watched_board.query()
        assert not query.found.right[0]
        seen.add(query.row)
    assert len(seen) > 1


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_collection_stays_enabled_or_disabled(watched_board, collecting):
    (gc.enable if collecting else gc.disable)()
    try:
        watched_board.any.click()
        assert gc.isenabled() is collecting
    finally:
        gc.enable()


def test_the_failure_button_says_if_there_is_no_failure(watched_board):
    watched_board.queries = watched_board.queries.assign(first=1)
    watched_board.failure.click()
    assert "there is no failure" in watched_board.status.value


def test_a_hidden_panel_is_not_drawn(watched_board, monkeypatch):
    watched_board.shown["attention"].value = False
    assert watched_board.pictures["attention"].value == b""
    assert watched_board.pictures["attention"].layout.display == "none"
    monkeypatch.setitem(widgets.PANELS, "attention", (None, ""))  # would fail if it were called
    watched_board.any.click()
    assert "TypeError" not in watched_board.status.value
    assert watched_board.pictures["spectra"].value


def test_a_failing_panel_shows_its_error_and_the_others_are_drawn(watched_board, monkeypatch):
    def refuse(query):
        raise ValueError("a gradient of <nothing>")

    monkeypatch.setitem(widgets.PANELS, "attention", (refuse, "meaning"))
    watched_board.any.click()
    assert "attention: a gradient of &lt;nothing&gt;" in watched_board.notes["attention"].value
    assert watched_board.pictures["attention"].value == b""
    assert watched_board.pictures["spectra"].value


def test_there_is_a_widget_if_not_headless(run, monkeypatch):
    monkeypatch.setenv("FSCLIB_HEADLESS", "0")
    found = explore(run)
    assert type(found).__name__ == "VBox"


def test_the_query_is_shown_without_widgets_if_headless(run, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(widgets, "display", shown.append)
    assert explore(run, seed=4) is None
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("person ")
    assert [line.split(":")[0] for line in lines[1:]] == list(panels.PANELS)
    assert all(figure._repr_png_().startswith(b"\x89PNG") for figure in shown)
    assert len(shown) == len(panels.PANELS)


def test_options_name_a_run_and_a_query(run):
    options = ExplorerOptions(dataset="sysu", name="two", person=3, device="cpu", workers=1)
    assert options.run().folder == run.folder.with_name("two")
    assert options.start() == {"similarity": next(iter(SIMILARITIES)), "person": 3, "camera": "auto", "seed": 1}
    with pytest.raises(ConfigError, match="did you mean 'mostly neck'"):
        ExplorerOptions(similarity="mostly nek")
    with pytest.raises(ConfigError, match=r"name: found '\.\./two', expected the first run to show"):
        ExplorerOptions(name="../two")
    with pytest.raises(ConfigError, match=r"person: found 1000+…, expected a value"):
        ExplorerOptions(person=10**400)
    with pytest.raises(RunError):
        ExplorerOptions(dataset="sysu", name="four").run()
