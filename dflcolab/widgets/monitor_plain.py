"""The training monitor where there are no widgets: a line, the curves and the newest preview."""

from __future__ import annotations

import time
from typing import Any

from dflcolab.runtime.job import Job, Snapshot
from dflcolab.widgets import monitor_texts as texts
from dflcolab.widgets.monitor_previews import Previews
from dflcolab.workspace.workspace import Workspace

_PAUSE_S = 2.0


class PlainMonitor:
    """Draws a job through two outputs that are replaced, never added to.

    Args:
        job: The job.
        workspace: Where its previews are.
    """

    def __init__(self, job: Job, workspace: Workspace) -> None:
        self._previews = Previews(workspace.history_dir / job.name, job.files.picture)
        self._outputs: list[Any] = []
        self._text = ""
        self._picture = -1
        self._due = 0.0

    def update(self, snapshot: Snapshot) -> None:
        """Draw what is new, every other second."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _PAUSE_S
            self.close(snapshot)

    def close(self, snapshot: Snapshot) -> None:
        """Draw what is new."""
        from IPython.display import HTML, Image, display

        if not self._outputs:
            self._outputs = [display(HTML(""), display_id=True) for _ in range(2)]
        now = time.time()
        lines = [
            texts.title(snapshot),
            texts.status(snapshot, now),
            texts.verdict(snapshot),
            texts.saved(snapshot, now),
            texts.messages(snapshot),
        ]
        text = "<br>".join(filter(None, lines))
        if text != self._text:
            self._text = text
            self._put(0, HTML(text))
        event = snapshot.latest.get("picture")
        if event is not None and event["n"] != self._picture:
            self._picture = int(event["n"])
            self._previews.look(int(event["iteration"]))
            data, _ = self._previews.show(len(self._previews) - 1)
            if data:
                self._put(1, Image(data=data, format="jpeg"))

    def _put(self, place: int, shown: object) -> None:
        """Show it in the place of what was there; outside of a kernel there is no page."""
        if self._outputs[place] is not None:
            self._outputs[place].update(shown)
