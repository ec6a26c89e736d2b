"""The face gallery as an anywidget: JavaScript in the page, answers from the kernel."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import anywidget

from dflcolab.widgets.gallery_answers import Answers, Buffers, Content, Correct
from dflcolab.widgets.gallery_desk import GalleryDesk

_SCRIPTS = ("gallery_grid.js", "gallery_bar.js", "gallery.js")
"""Put together to one module: a widget's module can import nothing from its own package."""


def _text(name: str) -> str:
    return (files("dflcolab.widgets") / name).read_text(encoding="utf-8")


class FaceGallery(anywidget.AnyWidget):
    """Thousands of faces in a grid that draws only what one sees.

    Args:
        desk: The faces.
        correct: See `Answers`.
    """

    _esm = "\n".join(map(_text, _SCRIPTS))
    _css = _text("gallery.css")

    def __init__(self, desk: GalleryDesk, *, correct: Correct | None = None) -> None:
        super().__init__()
        self._answers = Answers(desk, self._say, correct=correct)
        self.on_msg(self._heard)

    def reload(self) -> None:
        """List the faces anew, after somebody else has changed them."""
        self._answers.answer({"do": "list"})

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        self._answers.answer(content)

    def _say(self, content: Content, buffers: Buffers) -> None:
        self.send(content, buffers)
