"""The face gallery without anywidget: a page of faces as one picture, and a list of their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import ipywidgets
import numpy as np

from dflcolab.arrays import Image
from dflcolab.runtime.show import contact_sheet, small_jpeg
from dflcolab.widgets.gallery_desk import FACES, TRASH, GalleryDesk
from dflcolab.widgets.plain_button import plain_button

PER_PAGE = 40
_COLUMNS = 8


class PlainGallery:
    """The controls and what they do.

    Args:
        desk: The faces.

    Attributes:
        box: The widget to show.
    """

    def __init__(self, desk: GalleryDesk) -> None:
        self._desk = desk
        self._page = 0
        self.where = ipywidgets.Dropdown(options=[FACES, TRASH], description="Look at")
        self.sheet = ipywidgets.Image(format="jpeg")
        self.names = ipywidgets.SelectMultiple(rows=18, layout={"width": "22em"})
        self.status = ipywidgets.Label()
        self.status.add_class("dfl-gallery-status")
        self.where.observe(lambda _change: self._turn(-self._page), names="value")
        self.move = self._button("Delete", self._move)
        buttons = [
            self._button("Previous", lambda: self._turn(-1)),
            self._button("Next", lambda: self._turn(1)),
            self.move,
            self._button("Undo", self._undo),
        ]
        self.box = ipywidgets.VBox(
            [
                ipywidgets.HBox([self.where, *buttons]),
                self.status,
                ipywidgets.HBox([self.sheet, self.names]),
            ]
        )
        self._draw("")

    def _button(self, text: str, clicked: Callable[[], None]) -> Any:
        return plain_button(text, clicked, failed=self._draw)

    def _turn(self, by: int) -> None:
        self._page += by
        self._draw("")

    def _move(self) -> None:
        names = list(self.names.value)
        if self.where.value == TRASH:
            self._draw(f"{len(self._desk.restore(names))} brought back.")
        else:
            self._draw(f"{self._desk.delete(names)} moved to the trash.")

    def _undo(self) -> None:
        self._draw(f"{len(self._desk.undo())} brought back.")

    def _draw(self, text: str) -> None:
        """Show the page; `text` says what was done."""
        where = str(self.where.value)
        items = self._desk.pictures(where).items
        n_pages = max(1, -(-len(items) // PER_PAGE))
        self._page = min(max(0, self._page), n_pages - 1)
        names = [one.name for one in items[self._page * PER_PAGE :][:PER_PAGE]]
        self.names.options = [(f"{place}: {name}", name) for place, name in enumerate(names, 1)]
        self.move.description = "Bring back" if where == TRASH else "Delete"
        sheet = contact_sheet(
            (
                _numbered(jpeg, place)
                for place, jpeg in enumerate(self._desk.thumbnails(where, names), 1)
            ),
            columns=_COLUMNS,
            width=96,
        )
        self.sheet.value = b"" if sheet is None else small_jpeg(sheet)
        self.status.value = (
            f"{text} {len(items)} {where}, page {self._page + 1} of {n_pages}. Select names with "
            "Ctrl or Shift."
        ).strip()


def plain_gallery(desk: GalleryDesk) -> Any:
    """The widget."""
    return PlainGallery(desk).box


def _numbered(jpeg: bytes, number: int) -> Image:
    """A thumbnail with its number in the list; gray where there is no picture."""
    data = np.frombuffer(jpeg, np.uint8)
    found: Any = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    picture = np.full((96, 96, 3), 128, np.uint8) if found is None else found
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, str(number), (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, thickness)
    return picture
