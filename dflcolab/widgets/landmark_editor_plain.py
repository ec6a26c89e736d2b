"""The landmark editor without anywidget: the face as a picture, its 68 points as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import ipywidgets
import numpy as np

from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.widgets.landmark_editor_desk import LandmarkDesk, Shown
from dflcolab.widgets.page_progress import PageProgress
from dflcolab.widgets.plain_button import plain_bar, plain_button, plain_picture

_FONT = cv2.FONT_HERSHEY_SIMPLEX


class PlainLandmarkEditor(ipywidgets.VBox):
    """The controls and what they do.

    Args:
        desk: The faces.
        changed: Called after face files were changed.
    """

    def __init__(self, desk: LandmarkDesk, *, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.add_class("dfl-landmarks-plain")
        self._desk = desk
        self._changed = changed
        self._filling = False
        self._progress = PageProgress(self._say)
        self.name = ipywidgets.Dropdown(options=desk.names, description="Face")
        self.picture = plain_picture()
        self.points = ipywidgets.Textarea(layout={"width": "16em", "height": "520px"})
        self.status = ipywidgets.Label()
        self.name.observe(lambda _change: self._chosen(), names="value")
        self.between = self._button("Fill the frames between", self._fill_between)
        buttons = [
            self._button("Previous", lambda: self._go(-1)),
            self._button("Next", lambda: self._go(1)),
            self._button("Show points", lambda: self._draw("Not saved.", keep=True)),
            self._button("Save", self._save),
            self.between,
            self._button("Undo save", self._undo),
        ]
        self.children = (
            plain_bar([self.name, *buttons]),
            self.status,
            ipywidgets.HBox([self.picture, self.points]),
        )
        self._draw("One line per point: x y, in pixels of the frame.")

    def _button(self, text: str, clicked: Callable[[], None]) -> Any:
        return plain_button(text, clicked, failed=self._say)

    def _say(self, text: str) -> None:
        self.status.value = text

    def _chosen(self) -> None:
        if not self._filling:
            self._draw("")

    def _go(self, by: int) -> None:
        place = self._desk.names.index(str(self.name.value)) + by
        self.name.value = self._desk.names[min(max(0, place), len(self._desk.names) - 1)]

    def _save(self) -> None:
        self._desk.save(self.name.value, self._typed())
        self._after("Saved: the face was cut out anew; the earlier file is in the trash.")

    def _fill_between(self) -> None:
        n = self._desk.fill_between(self.name.value, progress=self._progress)
        self._after(f"Faces set between the two: {n}; look through them.")

    def _undo(self) -> None:
        self._after(f"Faces taken back: {self._desk.undo()}.")

    def _after(self, text: str) -> None:
        """Show what a change has left; filling frames makes new faces, and taking back removes them."""
        names = self._desk.names
        if not names:
            raise FacesetError("No face is left to edit; run the editor's cell again.")
        kept = self.name.value if self.name.value in names else names[0]
        self._filling = True
        self.name.options = names
        self.name.value = kept
        self._filling = False
        self._draw(text)
        self._changed()

    def _typed(self) -> list[list[float]]:
        try:
            return [
                [float(word) for word in line.split()] for line in self.points.value.splitlines()
            ]
        except ValueError:
            raise FacesetError("A line is not two numbers; write x y in every line.") from None

    def _draw(self, text: str, *, keep: bool = False) -> None:
        """Show the chosen face with its stored points, or (`keep`) with those in the text."""
        try:
            shown = self._desk.show(self.name.value)
            points = self._typed() if keep else shown.face.points.tolist()
            self.picture.value = _with_points(shown, points)
        except DFLColabError as error:
            self._say(str(error))
            return
        self.between.disabled = shown.before is None
        if not keep:
            self.points.value = "\n".join(f"{x:.2f} {y:.2f}" for x, y in points)
        self._say(text)


def _with_points(shown: Shown, points: list[list[float]]) -> bytes:
    """The picture with numbered points, as a JPEG."""
    if any(len(point) != 2 for point in points):
        raise FacesetError("A line is not two numbers; write x y in every line.")
    picture: Any = cv2.imdecode(np.frombuffer(shown.jpeg, np.uint8), cv2.IMREAD_COLOR)
    for number, (x, y) in enumerate(points, 1):
        at = (
            round((x - shown.left + 0.5) * shown.scale),
            round((y - shown.top + 0.5) * shown.scale),
        )
        cv2.circle(picture, at, 2, (0, 255, 0), -1, cv2.LINE_AA)
        label = (at[0] + 3, at[1] - 2)
        for color, thickness in (((0, 0, 0), 2), ((255, 255, 255), 1)):
            cv2.putText(picture, str(number), label, _FONT, 0.3, color, thickness, cv2.LINE_AA)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
