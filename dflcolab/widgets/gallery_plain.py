"""The face gallery without anywidget: a page of faces as one picture, and a list of their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import ipywidgets
import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import FacesetError
from dflcolab.faceset.config import SortKind
from dflcolab.runtime.show import contact_sheet, small_jpeg
from dflcolab.widgets.gallery_answers import Correct
from dflcolab.widgets.gallery_desk import FACES, TRASH, GalleryDesk
from dflcolab.widgets.gallery_groups import EVERYTHING, Groups
from dflcolab.widgets.gallery_pictures import Picture
from dflcolab.widgets.page_progress import PageProgress
from dflcolab.widgets.plain_button import plain_bar, plain_button, plain_picture

PER_PAGE = 40
_COLUMNS = 8


class PlainGallery(ipywidgets.VBox):
    """The controls and what they do.

    Args:
        desk: The faces.
        correct: Opens an editor of landmarks for faces of these names; None where there is none.
    """

    def __init__(self, desk: GalleryDesk, *, correct: Correct | None = None) -> None:
        super().__init__()
        self.add_class("dfl-gallery-plain")
        self._desk = desk
        self._groups = Groups()
        self._page = 0
        self._filling = False
        self._progress = PageProgress(self._say)
        self.where = ipywidgets.Dropdown(options=[FACES, TRASH], description="Look at")
        self.only = ipywidgets.Dropdown(options=[("everything", EVERYTHING)], description="only")
        self.kind = ipywidgets.Dropdown(options=list(SortKind), description="Sort by")
        self.sheet, self.face, self.frame = (plain_picture() for _ in range(3))
        self.names = ipywidgets.SelectMultiple(rows=18, layout={"width": "28em"})
        self.status = ipywidgets.Label()
        self.status.add_class("dfl-gallery-status")
        for beside, name in ((self.face, "face"), (self.frame, "frame")):
            beside.add_class(f"dfl-gallery-{name}")
            beside.layout.display = "none"
        self.caption = ipywidgets.Label()
        for choice in (self.where, self.only):
            choice.observe(lambda _change: self._turn(-self._page), names="value")
        self.move = self._button("Delete", self._move)
        look = [
            self.where,
            self.only,
            self._button("Find people", self._find_people),
            self._button("Check faces", self._check),
            self._button("Previous", lambda: self._turn(-1)),
            self._button("Next", lambda: self._turn(1)),
        ]
        work = [
            self.kind,
            self._button("Sort", self._sort),
            self.move,
            self._button("Undo", self._undo),
            self._button("Compare with frame", self._look),
        ]
        if correct is not None:
            work.append(self._button("Correct landmarks", lambda: self._correct(correct)))
        self.children = (
            plain_bar(look),
            plain_bar(work),
            self.status,
            ipywidgets.HBox([self.sheet, self.names]),
            ipywidgets.HBox([self.face, self.frame]),
            self.caption,
        )
        self._draw("")

    def reload(self) -> None:
        """List the faces anew, after somebody else has changed them."""
        self._desk.reload()
        self._draw("")

    # ---- what the buttons do --------------------------------------------------------------------

    def _button(self, text: str, clicked: Callable[[], None]) -> Any:
        return plain_button(text, clicked, failed=self._draw)

    def _turn(self, by: int) -> None:
        if not self._filling:
            self._page += by
            self._draw("")

    def _find_people(self) -> None:
        people = self._desk.people(progress=self._progress)
        self._desk.reload()  # its names are those that were read just now
        self._groups.learn_people(people, self._desk.faces)
        self._draw(f"People found: {len(people)}; choose one in “only”.")

    def _check(self) -> None:
        doubtful = self._desk.doubtful(progress=self._progress)
        self._desk.reload()
        self._groups.learn_doubts(doubtful, self._desk.faces)
        self._draw(f"Doubtful faces: {len(doubtful)}; choose a reason in “only”.")

    def _sort(self) -> None:
        self._draw(self._desk.sort(str(self.kind.value), progress=self._progress))

    def _move(self) -> None:
        names = self._selected()
        if self.where.value == TRASH:
            self._draw(f"{len(self._desk.restore(names))} brought back.")
        else:
            self._draw(f"{self._desk.delete(names)} moved to the trash.")

    def _undo(self) -> None:
        names = self._desk.undo()
        self._draw(f"{len(names)} brought back." if names else "There is nothing to undo.")

    def _look(self) -> None:
        look = self._desk.look(str(self.where.value), self._selected()[0])
        for shown, jpeg in ((self.face, look.face), (self.frame, look.debug)):
            shown.value = jpeg
            shown.layout.display = None if jpeg else "none"
        self.caption.value = look.text

    def _correct(self, correct: Correct) -> None:
        if self.where.value == TRASH:
            raise FacesetError("These faces lie in the trash; bring them back first.")
        correct(sorted(self._selected()), self._progress)
        self._draw("Move the points below the gallery, then Save there.")

    def _selected(self) -> list[str]:
        names = list(self.names.value)
        if not names:
            raise FacesetError("No face is selected; choose some in the list first.")
        return names

    # ---- what is shown --------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self.status.value = text

    def _draw(self, text: str) -> None:
        """Show the page; `text` says what was done."""
        where = str(self.where.value)
        pictures = self._desk.pictures(where).items
        self._offer_groups(pictures)
        items = self._groups.only(pictures, str(self.only.value))
        n_pages = max(1, -(-len(items) // PER_PAGE))
        self._page = min(max(0, self._page), n_pages - 1)
        shown = items[self._page * PER_PAGE :][:PER_PAGE]
        self.names.options = [
            (self._label(place, one), one.name) for place, one in enumerate(shown, 1)
        ]
        self.move.description = "Bring back" if where == TRASH else "Delete"
        jpegs = self._desk.thumbnails(where, [one.name for one in shown])
        sheet = contact_sheet(
            (_numbered(jpeg, place) for place, jpeg in enumerate(jpegs, 1)),
            columns=_COLUMNS,
            width=96,
        )
        self.sheet.value = b"" if sheet is None else small_jpeg(sheet)
        self._say(
            f"{text} {len(items)} {where}, page {self._page + 1} of {n_pages}. Select names with "
            "Ctrl or Shift.".strip()
        )

    def _label(self, place: int, picture: Picture) -> str:
        why = self._groups.why(picture)
        return f"{place}: {picture.name}" + (f" · {why}" if why else "")

    def _offer_groups(self, pictures: tuple[Picture, ...]) -> None:
        """Fill the choice "only", keeping what is chosen if it is still there."""
        counted = self._groups.counted(pictures)
        options = [("everything", EVERYTHING), *((f"{name} ({n})", name) for name, n in counted)]
        kept = self.only.value if self.only.value in dict(counted) else EVERYTHING
        self._filling = True
        self.only.options = options
        self.only.value = kept
        self._filling = False


def _numbered(jpeg: bytes, number: int) -> Image:
    """A thumbnail with its number in the list; gray where there is no picture."""
    data = np.frombuffer(jpeg, np.uint8)
    found: Any = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    picture = np.full((96, 96, 3), 128, np.uint8) if found is None else found
    for color, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, str(number), (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, thickness)
    return picture
