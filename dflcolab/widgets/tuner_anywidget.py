"""The two pictures of the tuner as an anywidget: one over the other, with a slider between them."""

from __future__ import annotations

from typing import Any

import anywidget

from dflcolab.widgets.page_files import page_text


class BeforeAfter(anywidget.AnyWidget):
    """A frame before and after.

    Pictures go to the page as messages, so that none is saved with the notebook.
    """

    _esm = page_text("tuner.js")
    _css = page_text("tuner.css")

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[str, bytes] = {}
        self.on_msg(self._heard)

    @property
    def widget(self) -> Any:
        """The widget to display: itself."""
        return self

    def show(self, before: bytes, after: bytes) -> None:
        """Show two JPEGs; one that is shown already is not sent again."""
        given = {"before": before, "after": after}
        fresh = {name: data for name, data in given.items() if self._shown.get(name) != data}
        self._shown = given
        self._give(fresh)

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, dict) and content.get("do") == "hello":
            self._give(self._shown)

    def _give(self, pictures: dict[str, bytes]) -> None:
        if pictures:
            self.send({"do": "show", "parts": list(pictures)}, list(pictures.values()))
