"""The landmark editor as an anywidget: JavaScript in the page, answers from the kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget

from dflcolab.widgets.landmark_editor_answers import Answers
from dflcolab.widgets.landmark_editor_desk import LandmarkDesk
from dflcolab.widgets.page_files import page_text
from dflcolab.widgets.page_requests import Buffers, Content

_SCRIPTS = ("page_parts.js", "landmark_editor_points.js", "landmark_editor.js")


class LandmarkEditor(anywidget.AnyWidget):
    """A face in its frame, with 68 points to be moved by mouse, finger or keys.

    Args:
        desk: The faces.
        changed: Called after face files were changed.
    """

    _esm = page_text(*_SCRIPTS)
    _css = page_text("landmark_editor.css")

    def __init__(self, desk: LandmarkDesk, *, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._answers = Answers(desk, self._say, changed=changed)
        self.on_msg(self._heard)

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        self._answers.answer(content)

    def _say(self, content: Content, buffers: Buffers) -> None:
        self.send(content, buffers)
