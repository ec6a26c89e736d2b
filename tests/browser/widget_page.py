"""A widget's JavaScript in a page without a kernel, with its Python side or with a recording double."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

PAGE = '<!doctype html><meta charset="utf-8"><body style="margin:8px"><div id="widget"></div>'
FAKE_MODEL = Path(__file__).parent / "fake_model.js"
_OWN = ("_esm", "_css", "_anywidget_id", "_dom_classes", "tabbable", "tooltip", "layout")


@dataclass
class Message:
    """What went over `model.send`: JSON content and binary buffers."""

    content: Any
    buffers: list[bytes] = field(default_factory=list)


class WidgetPage:
    """A drawn widget.

    Attributes:
        page: Playwright's page.
        sent: Messages that the JavaScript sent, oldest first.
        saved: Traits that the JavaScript saved, one dictionary per `save_changes`.
        told: Messages that the Python side of a real widget sent, oldest first.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sent: list[Message] = []
        self.saved: list[dict[str, Any]] = []
        self.told: list[Message] = []
        self._widget: Any = None
        self._answers: list[Message] = []
        self._changes: dict[str, Any] = {}

    def draw(self, esm: str, css: str, state: Mapping[str, Any]) -> None:
        """Render a module with a model of these traits."""
        self.page.expose_function("tellPython", self._told)
        self.page.set_content(PAGE)
        self.page.add_script_tag(content=FAKE_MODEL.read_text(encoding="utf-8"))
        traits = {name: _packed(value) for name, value in state.items()}
        self.page.evaluate("([esm, css, state]) => drawWidget(esm, css, state)", [esm, css, traits])

    def draw_widget(self, widget: Any) -> None:
        """Render an anywidget object; its own Python side answers, as in a kernel."""
        self._widget = widget
        names = [name for name in widget.keys if not name.startswith("_") and name not in _OWN]
        widget.observe(self._changed, names=names)
        widget.send = self._collect
        state = {name: getattr(widget, name) for name in names}
        self.draw(str(widget._esm), str(widget._css), state)

    def receive(self, content: Any, buffers: Sequence[bytes] = ()) -> None:
        """Give the JavaScript a message from Python."""
        self._give({"messages": [_message(Message(content, list(buffers)))]})

    def set(self, name: str, value: Any) -> None:
        """Change a trait from Python."""
        self._give({"state": {name: _packed(value)}})

    def update(self) -> None:
        """Give the JavaScript what the Python side changed or sent by itself since the last answer."""
        self._give(self._answer())

    def get(self, name: str) -> Any:
        """A trait as the JavaScript has it (no bytes)."""
        return self.page.evaluate("(name) => window.model.get(name)", name)

    def _give(self, answer: dict[str, Any]) -> None:
        self.page.evaluate("(answer) => window.model.receive(answer)", answer)

    def _told(self, told: dict[str, Any]) -> dict[str, Any]:
        if "state" in told:
            state = {name: _unpacked(value) for name, value in told["state"].items()}
            self.saved.append(state)
            if self._widget is not None:
                self._widget.set_state(state)
        else:
            message = Message(told["content"], [_unpacked(part) for part in told["buffers"]])
            self.sent.append(message)
            if self._widget is not None:
                self._widget._handle_custom_msg(message.content, message.buffers)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        messages, self._answers = self._answers, []
        changes, self._changes = self._changes, {}
        return {"state": changes, "messages": [_message(one) for one in messages]}

    def _changed(self, change: Any) -> None:
        self._changes[change["name"]] = _packed(change["new"])

    def _collect(self, content: Any, buffers: Sequence[Any] | None = None) -> None:
        message = Message(content, [bytes(part) for part in buffers or ()])
        self.told.append(message)
        self._answers.append(message)


def _message(message: Message) -> dict[str, Any]:
    return {"content": message.content, "buffers": [_packed(part) for part in message.buffers]}


def _packed(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(value).decode()}
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict) and list(value) == ["base64"]:
        return base64.b64decode(value["base64"])
    return value
