"""The two pictures of the tuner without anywidget: side by side."""

from __future__ import annotations

from typing import Any, Protocol

import ipywidgets as widgets


class TunerView(Protocol):
    """Shows a frame before and after."""

    @property
    def widget(self) -> Any:
        """The widget to display."""
        ...

    def show(self, before: bytes, after: bytes) -> None:
        """Show two JPEGs."""
        ...


class PlainView:
    """Two pictures that are replaced in place."""

    def __init__(self) -> None:
        layout = {"width": "49%", "object_fit": "contain"}
        self._pictures = [widgets.Image(format="jpeg", layout=layout) for _ in range(2)]
        self.widget = widgets.HBox(self._pictures)
        self.widget.add_class("dfl-tuner-plain")

    def show(self, before: bytes, after: bytes) -> None:
        """Show two JPEGs."""
        for picture, data in zip(self._pictures, (before, after), strict=True):
            picture.value = data
