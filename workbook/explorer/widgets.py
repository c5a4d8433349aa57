"""The explorer's widgets: the choices, and the panels that are redrawn after each of them."""

import gc
import html
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import display

from fsclib.config.strict import AUTO
from fsclib.runs import Run
from fsclib.system.progress import watched
from workbook.explorer.panels import PANELS, Query, summary
from workbook.explorer.session import SIMILARITIES, Desk, Search

USUAL = next(iter(SIMILARITIES))


def explore(
    run: Run, *, similarity: str = USUAL, person: int | str = AUTO, camera: int | str = AUTO, seed: int = 1
) -> widgets.Widget | None:
    """Opens the explorer on a tested run and its neighbours, at a query of this person and camera or at a random one.

    Without an interactive front end, shows the panels of that query instead and returns None.
    Errors: ValueError for a person or camera without a query; those of evaluation.run_images and run_features.
    """
    board = Board(Desk(run), similarity, seed)
    board.begin(person, camera)
    if watched():
        board.draw()
        return board.box
    print(summary(board.query()))
    for name, (panel, meaning) in PANELS.items():
        print(f"{name}: {meaning}")
        display(panel(board.query()))
    return None


class Board:
    """The widgets and their state. box: the widget to show. Each choice offers what the choices before it leave."""

    def __init__(self, desk: Desk, similarity: str = USUAL, seed: int = 1):
        self.desk, self.random, self.queries = desk, np.random.default_rng(seed), pd.DataFrame()
        self.run, self.search, self.gallery, self.similarity = map(_dropdown, ("run", "search", "gallery", "similarity"))
        self.person, self.camera, self.image = map(_dropdown, ("person", "camera", "image"))
        self.any = _button("random query", "a query drawn at random")
        self.failure = _button("random failure", "a query whose most similar image shows another person")
        self.status = widgets.HTML()
        self.shown = {name: widgets.Checkbox(True, description=name, indent=False, layout=_narrow()) for name in PANELS}
        self.notes = {name: widgets.HTML() for name in PANELS}
        self.pictures = {name: widgets.Image(layout=widgets.Layout(max_width="100%", align_self="flex-start")) for name in PANELS}
        choices = (self.run, self.search, self.gallery, self.similarity, self.person, self.camera, self.image)
        grid = widgets.GridBox(choices, layout=widgets.Layout(grid_template_columns="repeat(auto-fill, 310px)"))
        buttons = widgets.HBox([self.any, self.failure, *self.shown.values()])
        panels = (part for name in PANELS for part in (self.notes[name], self.pictures[name]))
        self.box = widgets.VBox([grid, buttons, self.status, *panels])
        self._quiet = False
        _offer(self.run, desk.names)
        _offer(self.similarity, SIMILARITIES, similarity)
        self._connect()

    def begin(self, person: int | str = AUTO, camera: int | str = AUTO) -> None:
        """Fills all choices and selects a query of this person and camera. Errors: ValueError if there is none."""
        self._quiet = True
        self._offer_searches()
        kept = self.queries
        for column, value in (("person", person), ("camera", camera)):
            there = sorted(kept[column].unique().tolist())
            if value != AUTO and value not in there:
                raise ValueError(f"{column}: found {value}, expected one with queries: {', '.join(map(str, there))}")
            kept = kept if value == AUTO else kept[kept[column] == value]
        self._take(kept)
        self._quiet = False

    def query(self) -> Query:
        """The query that the widgets select."""
        asked = self.queries[["person", "camera", "image"]] == [self.person.value, self.camera.value, self.image.value]
        place = int(self.queries["place"][asked.all(axis=1)].iloc[0])
        return Query(self.desk.subject(self.run.value), self.desk.ranking(self._search()), place)

    def draw(self) -> None:
        """Draws the ticked panels; an error in one is shown in its place."""
        query = self.query()
        self.status.value = html.escape(summary(query))
        for name, (panel, meaning) in PANELS.items():
            picture, note, wanted = self.pictures[name], self.notes[name], self.shown[name].value
            note.value = f"<b>{name}</b>: {html.escape(meaning)}" if wanted else ""
            try:
                picture.value = panel(query).screen() if wanted else b""
            except ValueError as error:
                picture.value, note.value = b"", _red(f"{name}: {error}")
            picture.layout.display = None if picture.value else "none"

    def _connect(self) -> None:
        offers = {
            self.run: self._offer_searches,
            self.search: self._offer_galleries,
            self.gallery: self._offer_people,
            self.similarity: self._offer_people,
            self.person: self._offer_cameras,
            self.camera: self._offer_images,
        }
        for widget in (*offers, self.image, *self.shown.values()):
            widget.observe(lambda change: self._changed(offers.get(change["owner"], _nothing)), "value")
        self.any.on_click(lambda button: self._changed(lambda: self._take(self.queries)))
        self.failure.on_click(lambda button: self._changed(lambda: self._take(self.queries[self.queries["first"] > 1])))

    def _changed(self, follow: Callable[[], None]) -> None:
        """Updates what depends on a choice, then the panels. Errors, which ipywidgets would hide in a log, are shown above them."""
        if self._quiet:  # this change was caused by another one
            return
        self._quiet = True
        collecting = gc.isenabled()  # a host may have switched it off
        gc.disable()  # a collection also walks torch and pandas, and takes half as long as all panels
        try:
            follow()
            self.draw()
        except Exception as error:
            self.status.value = _red(f"{type(error).__name__}: {error}")
        finally:
            self._quiet = False
            if collecting:
                gc.enable()

    def _search(self) -> Search:
        return Search(self.run.value, self.search.value, self.gallery.value, self.similarity.value)

    def _offer_searches(self) -> None:
        _offer(self.search, self.desk.searches(self.run.value))
        self._offer_galleries()

    def _offer_galleries(self) -> None:
        _offer(self.gallery, range(1, 1 + self.desk.searches(self.run.value)[self.search.value].trials))
        self._offer_people()

    def _offer_people(self) -> None:
        self.queries = self.desk.queries(self._search())
        _offer(self.person, self.queries["person"].unique().tolist())
        self._offer_cameras()

    def _offer_cameras(self) -> None:
        _offer(self.camera, self._own(person=self.person)["camera"].unique().tolist())
        self._offer_images()

    def _offer_images(self) -> None:
        _offer(self.image, self._own(person=self.person, camera=self.camera)["image"].tolist())

    def _own(self, **chosen: widgets.Dropdown) -> pd.DataFrame:
        return self.queries[np.logical_and.reduce([self.queries[name] == widget.value for name, widget in chosen.items()])]

    def _take(self, queries: pd.DataFrame) -> None:
        """Selects one of the queries at random."""
        if queries.empty:
            raise LookupError("there is no failure: every query finds its own person first")
        row = queries.iloc[self.random.integers(len(queries))]
        self.person.value = int(row["person"])
        self._offer_cameras()
        self.camera.value = int(row["camera"])
        self._offer_images()
        self.image.value = int(row["image"])


def _button(text: str, meaning: str) -> widgets.Button:
    return widgets.Button(description=text, tooltip=meaning, layout=_narrow())


def _narrow() -> widgets.Layout:
    """As wide as the text."""
    return widgets.Layout(width="auto", margin="2px 12px 2px 2px")


def _dropdown(name: str) -> widgets.Dropdown:
    return widgets.Dropdown(description=name)


def _offer(dropdown: widgets.Dropdown, options: Iterable[Any], value: Any = None) -> None:
    """Sets new options; keeps the present choice if it is still offered."""
    options, value = list(options), dropdown.value if value is None else value
    dropdown.options = options
    dropdown.value = value if value in options else options[0]


def _nothing() -> None:
    """Nothing depends on the last choice."""


def _red(text: str) -> str:
    return f'<span style="color: #b00020">{html.escape(text)}</span>'
