"""The face gallery as an anywidget: JavaScript in the page, answers from the kernel."""

from __future__ import annotations

from typing import Any

import anywidget

from dflcolab.widgets.gallery_answers import Answers, Correct
from dflcolab.widgets.gallery_desk import GalleryDesk
from dflcolab.widgets.page_files import page_text
from dflcolab.widgets.page_requests import Buffers, Content

_SCRIPTS = ("page_parts.js", "gallery_grid.js", "gallery_bar.js", "gallery.js")


class FaceGallery(anywidget.AnyWidget):
    """Thousands of faces in a grid that draws only what one sees.

    Args:
        desk: The faces.
        correct: See `Answers`.
    """

    _esm = page_text(*_SCRIPTS)
    _css = page_text("gallery.css")

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
