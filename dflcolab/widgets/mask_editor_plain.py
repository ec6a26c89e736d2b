"""The mask editor without anywidget: a picture with the outlines on it, and their points as text."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import ipywidgets as widgets
import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import DFLColabError, FormatError
from dflcolab.faces.face_record import Polygon
from dflcolab.widgets.mask_editor_desk import FILTERS, MaskDesk
from dflcolab.widgets.mask_editor_overlays import OVERLAYS
from dflcolab.widgets.mask_editor_page import from_page

_SIDE = 768  # pixels of the shown picture, at least
_MARGIN = 34  # around it, for the ruler
_TICKS = 8
_COLORS = {True: (94, 197, 34), False: (68, 68, 239), None: (248, 189, 56)}  # BGR
_KINDS = {"include": True, "exclude": False}


def plain_editor(desk: MaskDesk) -> widgets.VBox:
    """Widgets that run on any ipywidgets; each change is saved at once, as in the page's editor."""
    return _PlainEditor(desk).box


def outlines_to_text(polygons: Sequence[Polygon]) -> str:
    """One line an outline: `include: x,y x,y …`. Reading it gives the same outlines to the last bit."""

    def number(value: np.float32) -> str:
        return np.format_float_positional(value, unique=True, trim="-")

    lines = []
    for polygon in polygons:
        points = " ".join(f"{number(x)},{number(y)}" for x, y in polygon.points)
        lines.append(f"{'include' if polygon.include else 'exclude'}: {points}")
    return "\n".join(lines)


def outlines_from_text(text: str, present: Sequence[Polygon] = ()) -> tuple[Polygon, ...]:
    """The outlines of a text like that of `outlines_to_text`.

    Args:
        text: What was typed.
        present: As for `from_page`.

    Raises:
        FormatError: A line is none, or not of this form.
    """
    outlines: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        kind, colon, rest = line.partition(":")
        if not line.strip():
            continue
        if kind.strip() not in _KINDS or not colon:
            raise FormatError(f"Line {number} begins with neither include: nor exclude:; add that.")
        try:
            points = [[float(x), float(y)] for x, y in (pair.split(",") for pair in rest.split())]
        except ValueError as error:
            raise FormatError(
                f"Line {number} has something that is no point; write points as x,y x,y x,y."
            ) from error
        outlines.append({"include": _KINDS[kind.strip()], "points": points})
    return from_page(outlines, present)


def drawn_face(desk: MaskDesk) -> Image:
    """The face with outlines, overlay and a ruler in its pixels, `[H, W, 3]`, uint8, BGR."""
    picture = desk.face.decode()
    zoom = max(1, round(_SIDE / max(picture.shape[:2])))
    large = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)

    def points(polygon: Polygon) -> Any:
        return [np.round((polygon.points + 0.5) * zoom).astype(np.int32)]

    for polygon in desk.overlay.polygons:
        cv2.polylines(large, points(polygon), True, _COLORS[None], 1, cv2.LINE_AA)
    for polygon in desk.polygons:
        cv2.polylines(large, points(polygon), True, _COLORS[polygon.include], 2, cv2.LINE_AA)
        for x, y in points(polygon)[0]:
            cv2.circle(large, (int(x), int(y)), 3, _COLORS[polygon.include], -1, cv2.LINE_AA)
    return _with_ruler(np.asarray(large, np.uint8), zoom)


def _with_ruler(picture: Image, zoom: int) -> Image:
    height, width = picture.shape[:2]
    sides = (_MARGIN, 0, _MARGIN, 0)
    framed = cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=(40, 40, 40))
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.4, (220, 220, 220), 1, cv2.LINE_AA)
    for part in range(_TICKS):
        x, y = part * width // _TICKS, part * height // _TICKS
        cv2.putText(framed, str(x // zoom), (_MARGIN + x, _MARGIN - 10), *font)
        cv2.line(framed, (_MARGIN + x, _MARGIN - 6), (_MARGIN + x, _MARGIN), font[2], 1)
        cv2.putText(framed, str(y // zoom), (2, _MARGIN + y + 4), *font)
        cv2.line(framed, (_MARGIN - 6, _MARGIN + y), (_MARGIN, _MARGIN + y), font[2], 1)
    return np.asarray(framed, np.uint8)


class _PlainEditor:
    """Widgets over a desk."""

    def __init__(self, desk: MaskDesk) -> None:
        self._desk = desk
        self._picture = widgets.Image(format="jpeg")
        self._text = widgets.Textarea(layout=widgets.Layout(width="100%", height="8em"))
        self._shown = ""
        self._told = widgets.HTML()
        self._filter = self._chooser("Faces", FILTERS, desk.choose, lambda: desk.filter)
        self._overlay = self._chooser("Overlay", OVERLAYS, desk.lay_over, lambda: desk.overlay.kind)
        self._accept = self._button("Accept guess", desk.accept)
        rows = (
            [
                self._button("Previous", lambda: desk.step(-1)),
                self._button("Next", lambda: desk.step(1)),
                self._filter,
                self._overlay,
            ],
            [
                self._button("Save the points", self._save, saves=False),
                self._button("Undo", desk.undo, saves=False),
                self._button("Redo", desk.redo, saves=False),
                self._button("First guess", desk.first_guess),
                self._button("Refine", desk.refine),
                self._button("Copy from before", lambda: desk.copy(-1)),
                self._button("Copy from after", lambda: desk.copy(1)),
                self._accept,
            ],
        )
        bars = [widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap")) for row in rows]
        self.box = widgets.VBox([*bars, self._told, self._picture, self._text])
        self.box.add_class("dfl-masks-plain")
        self._show("")

    def _button(
        self, text: str, action: Callable[[], str], *, saves: bool = True
    ) -> widgets.Button:
        made = widgets.Button(description=text)
        made.on_click(lambda _: self._do(action, saves=saves))
        return made

    def _chooser(
        self,
        title: str,
        choices: Sequence[str],
        action: Callable[[Any], str],
        present: Callable[[], str],
    ) -> widgets.Dropdown:
        made = widgets.Dropdown(description=title, options=choices)

        def chosen(change: Mapping[str, Any]) -> None:
            if change["new"] != present():
                self._do(lambda: action(change["new"]))
                made.value = present()  # as before, where the wish was refused

        made.observe(chosen, names="value")
        return made

    def _do(self, action: Callable[[], str], *, saves: bool = True) -> None:
        """Do something that may bring other outlines; typed ones are saved before."""
        try:
            if saves and self._text.value != self._shown:
                self._save()
            note = action()
        except DFLColabError as error:
            self._tell(str(error))
            return
        self._show(note)

    def _save(self) -> str:
        desk = self._desk
        return desk.draw(outlines_from_text(self._text.value, desk.polygons)) or "Saved."

    def _show(self, note: str) -> None:
        desk = self._desk
        encoded = cv2.imencode(".jpg", drawn_face(desk), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        self._picture.value = encoded.tobytes()
        self._text.value = self._shown = outlines_to_text(desk.polygons)
        self._accept.disabled = desk.guess is None
        self._tell(note)

    def _tell(self, note: str) -> None:
        desk = self._desk
        place = f"{desk.known.name}, {desk.at + 1} of {len(desk.files.faces)}"
        counts = f"{desk.labelled} with outlines"
        self._told.value = f"<b>{html.escape(place)}</b>; {counts}. {html.escape(note)}"
