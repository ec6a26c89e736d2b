"""The workspace panel: what is in the workspace, how far it is copied, and which others there are.

Plain widgets of ipywidgets 7.7 and 8. Everything is drawn from the cell that shows the panel, or from a
click after it has ended.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, Protocol

import ipywidgets

from dflcolab.errors import DFLColabError
from dflcolab.progress import Progress
from dflcolab.runtime.workspace_look import WorkspaceLook
from dflcolab.widgets.page_progress import PageProgress
from dflcolab.widgets.plain_button import plain_button

_COPIED, _NOT_COPIED = "#15803d", "#b45309"


class Desk(Protocol):
    """What the panel needs (see `runtime.workspace_desk`)."""

    def look(self, progress: Progress) -> WorkspaceLook:
        """The open workspace as it is now."""
        ...

    def choices(self) -> list[tuple[str, str]]:
        """Lines and names of the workspaces that could be opened."""
        ...

    def open(self, name: str, progress: Progress) -> str:
        """Open one of them."""
        ...

    def copy(self, progress: Progress) -> str:
        """Copy what is new."""
        ...


class WorkspacePanel:
    """Draws a workspace.

    The classes `dfl-…` of its parts are for tests and for own styles.

    Args:
        desk: Looks and acts.
        progress: Of the running cell, for the first look.

    Attributes:
        box: The widget to display.
    """

    def __init__(self, desk: Desk, progress: Progress) -> None:
        self._desk = desk
        self.table = _classed(ipywidgets.HTML(), "workspace-table")
        self.status = _classed(ipywidgets.HTML(), "workspace-status")
        self.names = _classed(
            ipywidgets.Dropdown(layout=ipywidgets.Layout(width="auto", max_width="60em")),
            "workspace-names",
        )
        self.look_again = self._button("Look again", "workspace-look", self._look_again)
        self.copy = self._button("Copy now", "workspace-copy", self._copy)
        self.open = self._button("Open", "workspace-open", self._open)
        self.box: Any = _classed(
            ipywidgets.VBox(
                [
                    self.table,
                    ipywidgets.HBox([self.look_again, self.copy]),
                    ipywidgets.HTML("Workspaces that can be opened instead:"),
                    ipywidgets.HBox([self.names, self.open]),
                    self.status,
                ]
            ),
            "workspace",
        )
        self._draw("", progress)

    def _button(self, text: str, name: str, clicked: Callable[[], None]) -> Any:
        return _classed(plain_button(text, clicked, failed=self._say), name)

    def _look_again(self) -> None:
        self._draw("", PageProgress(self._say))

    def _copy(self) -> None:
        said = self._desk.copy(PageProgress(self._say))
        self._draw(said, PageProgress(self._say))

    def _open(self) -> None:
        name = str(self.names.value or "")
        if name:
            said = self._desk.open(name, PageProgress(self._say))
            self._draw(said, PageProgress(self._say))

    def _draw(self, said: str, progress: Progress) -> None:
        look = self._desk.look(progress)
        self.table.value = _table(look)
        try:
            choices = self._desk.choices()
        except DFLColabError as error:
            choices, said = [], f"{said}\n{error}".strip()
        chosen = self.names.value
        self.names.options = choices
        names = [name for _, name in choices]
        if names:
            self.names.value = chosen if chosen in names else names[0]
        self._say(said)

    def _say(self, text: str) -> None:
        self.status.value = "<br>".join(html.escape(line) for line in text.splitlines())


def _table(look: WorkspaceLook) -> str:
    rows = "".join(
        f'<tr><td style="padding-right:1em;vertical-align:top;white-space:nowrap"><b>{html.escape(name)}</b></td>'
        f"<td>{html.escape(said)}</td></tr>"
        for name, said in look.rows
    )
    color = _COPIED if look.is_copied else _NOT_COPIED
    return f'<table style="border-left:3px solid {color};padding-left:.6em">{rows}</table>'


def _classed(widget: Any, name: str) -> Any:
    widget.add_class(f"dfl-{name}")
    return widget
