"""The mask editor as an anywidget: JavaScript in the page, answers from the kernel."""

from __future__ import annotations

from typing import Any

import anywidget

from dflcolab.widgets.mask_editor_answers import Answers, given_up
from dflcolab.widgets.mask_editor_desk import MaskDesk
from dflcolab.widgets.page_files import page_text

_SCRIPTS = (
    "page_parts.js",
    "mask_editor_shapes.js",
    "mask_editor_picture.js",
    "mask_editor_page.js",
    "mask_editor_gestures.js",
    "mask_editor.js",
)


class MaskEditor(anywidget.AnyWidget):
    """A face with its outlines, to be drawn by mouse, pen, finger or keys.

    Args:
        desk: The faces.
    """

    _esm = page_text(*_SCRIPTS)
    _css = page_text("mask_editor.css")

    def __init__(self, desk: MaskDesk) -> None:
        super().__init__()
        self._answers = Answers(desk)
        self.on_msg(self._heard)

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        try:
            answer = self._answers.answer(content)
        except BaseException as error:  # also the notebook's Stop button
            self.send(given_up(content, error))  # else the page would wait forever
            raise
        self.send(*answer)
