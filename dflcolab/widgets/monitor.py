"""The training monitor: a job in a notebook page, with buttons, curves and previews.

Runs on ipywidgets 7.7 and 8. While the cell runs, buttons and slider only leave a note, and `update`,
which the cell calls, does the work: nothing else may change widgets on Colab. No output is appended,
so a long training does not make the notebook grow.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from dflcolab.engine.loss_history import losses_name
from dflcolab.progress import Wish
from dflcolab.runtime.job import Job, Snapshot
from dflcolab.widgets import monitor_texts as texts
from dflcolab.widgets.monitor_curves import Curves
from dflcolab.widgets.monitor_previews import Previews
from dflcolab.workspace.workspace import Workspace

_CURVES_S = 5.0
_SHARE_OF_CURVES = 0.02
_ANSWER_S = 15.0
_WIDE = "100%"


class TrainMonitor:
    """Draws a training job and passes wishes on.

    The classes `dfl-…` of its parts are for tests and for own styles.

    Args:
        job: The job.
        workspace: Where its model and previews are.
        buttons: False where clicks do not arrive while a cell runs.

    Attributes:
        box: The widget to display.
    """

    def __init__(self, job: Job, workspace: Workspace, *, buttons: bool = True) -> None:
        self._job = job
        self._asked: dict[Wish, float] = {}
        self._unsent: list[Wish] = []
        self._chosen: int | None = None
        self._shown: tuple[int, int | None] = (-1, None)
        self._curves_due = 0.0
        self._ended = False
        pretraining = job.verb == "pretrain"
        model_dir = workspace.model_dir(job.name)
        history_dir = workspace.history_dir / job.name
        losses = model_dir / losses_name(pretraining=pretraining)
        self._curves = Curves(model_dir, losses, pretraining=pretraining)
        self._previews = Previews(
            history_dir / "pretraining" if pretraining else history_dir, job.files.picture
        )
        self._texts = {
            name: _styled(widgets.HTML(), name)
            for name in ("title", "status", "verdict", "saved", "note", "curves-box", "messages")
        }
        self._bar = _styled(widgets.IntProgress(layout=_layout(width=_WIDE, display="none")), "bar")
        self._buttons = {
            Wish.SAVE: _button("Save", "save", self._noting(Wish.SAVE)),
            Wish.PREVIEW: _button("Preview", "preview-now", self._noting(Wish.PREVIEW)),
            Wish.NEXT_PHASE: _button("Next phase", "next-phase", self._noting(Wish.NEXT_PHASE)),
            Wish.FINISH: _button("Stop and save", "stop", self._noting(Wish.FINISH)),
        }
        self._picture = _styled(
            widgets.Image(
                format="jpeg",
                # In its own size, unless that is wider than the page.
                layout=_layout(max_width=_WIDE, align_self="flex-start", display="none"),
            ),
            "preview",
        )
        self._slider = _styled(
            widgets.IntSlider(min=0, max=0, readout=False, layout=_layout(display="none")),
            "history",
        )
        self._slider.observe(self._moved, "value")
        self._caption = _styled(widgets.Label(), "caption")
        row = widgets.HBox(list(self._buttons.values()), layout=_layout(flex_flow="row wrap"))
        self.box = _styled(
            widgets.VBox(
                [
                    self._texts["title"],
                    self._bar,
                    self._texts["status"],
                    self._texts["verdict"],
                    self._texts["saved"],
                    row if buttons else widgets.HTML(_NO_BUTTONS),
                    self._texts["note"],
                    self._texts["curves-box"],
                    self._picture,
                    widgets.HBox([self._slider, self._caption]),
                    self._texts["messages"],
                ]
            ),
            "monitor",
        )

    def update(self, snapshot: Snapshot) -> None:
        """Draw what is new, and do what was asked for meanwhile."""
        for wish in self._taken():
            self._pass_on(wish, snapshot)
        self._draw_texts(snapshot)
        self._draw_previews(snapshot)
        if time.monotonic() >= self._curves_due:
            self._draw_curves()

    def close(self, snapshot: Snapshot) -> None:
        """Draw for the last time. The previews can still be leafed through."""
        self._asked.clear()
        self._draw_texts(snapshot)
        self._draw_previews(snapshot)
        self._draw_curves()
        self._ended = True
        for button in self._buttons.values():
            button.disabled = True

    # ---- what the page says ---------------------------------------------------------------------

    def _noting(self, wish: Wish) -> Callable[[Any], None]:
        def note(_: Any) -> None:
            self._unsent.append(wish)

        return note

    def _moved(self, change: Any) -> None:
        self._chosen = None if change["new"] >= self._slider.max else int(change["new"])
        if self._ended:  # no cell draws any more, and clicks are heard as usual
            self._draw_picture()

    def _taken(self) -> list[Wish]:
        taken, self._unsent = self._unsent, []
        return taken

    def _pass_on(self, wish: Wish, snapshot: Snapshot) -> None:
        if wish is Wish.FINISH and not texts.is_training(snapshot):
            self._job.request_stop()  # there is nothing to finish yet
            return
        self._job.wish(wish)
        self._asked[wish] = time.time()

    # ---- what it draws --------------------------------------------------------------------------

    def _draw_texts(self, snapshot: Snapshot) -> None:
        now = time.time()
        found = {
            "title": texts.title(snapshot),
            "status": texts.status(snapshot, now),
            "verdict": texts.verdict(snapshot),
            "saved": texts.saved(snapshot, now),
            "note": self._note(snapshot, now),
            "messages": texts.messages(snapshot),
        }
        for name, text in found.items():
            _set(self._texts[name], value=text)
        done = texts.progress(snapshot)
        if done is not None:
            _set(self._bar, max=done[1], value=done[0])
        _show(self._bar, done is not None)
        following = texts.next_phase(snapshot)
        label = f"Next phase: {following}" if following else "Next phase"
        _set(self._buttons[Wish.NEXT_PHASE], description=label, disabled=following is None)
        _set(self._buttons[Wish.FINISH], disabled=snapshot.stopping)

    def _note(self, snapshot: Snapshot, now: float) -> str:
        """What was asked for and has not been answered."""
        for wish, at in list(self._asked.items()):
            answer = snapshot.latest.get(texts.ANSWERED_BY.get(wish, ""))
            late = wish in texts.ANSWERED_BY and now - at > _ANSWER_S
            if late or (answer is not None and answer["at"] > at):
                del self._asked[wish]
        return " ".join(texts.ASKED[wish] for wish in self._asked)

    def _draw_curves(self) -> None:
        began = time.monotonic()
        drawing = self._curves.drawing()
        if drawing is not None:
            _set(self._texts["curves-box"], value=drawing)
        now = time.monotonic()
        self._curves_due = now + max(_CURVES_S, (now - began) / _SHARE_OF_CURVES)

    def _draw_previews(self, snapshot: Snapshot) -> None:
        event = snapshot.latest.get("picture")
        seen = (-1 if event is None else int(event["n"]), self._chosen)
        if seen == self._shown:
            return
        if seen[0] != self._shown[0]:
            self._previews.look(None if event is None else int(event["iteration"]))
        self._shown = seen
        last = max(0, len(self._previews) - 1)
        follows = self._chosen is None
        _set(self._slider, max=last)
        if follows:
            _set(self._slider, value=last)
            self._chosen = None
        _show(self._slider, last > 0)
        self._draw_picture()

    def _draw_picture(self) -> None:
        if not len(self._previews):
            return
        place = len(self._previews) - 1 if self._chosen is None else self._chosen
        data, caption = self._previews.show(place)
        if data:
            _set(self._picture, value=data)
            _show(self._picture, True)
        _set(self._caption, value=caption)


_NO_BUTTONS = "<i>The Stop button of this cell saves and ends.</i>"


def _layout(**traits: str) -> widgets.Layout:
    return widgets.Layout(**traits)


def _styled(widget: Any, name: str) -> Any:
    widget.add_class(f"dfl-{name}")
    return widget


def _button(label: str, name: str, pressed: Callable[[Any], None]) -> Any:
    button = _styled(widgets.Button(description=label, layout=_layout(width="auto")), name)
    button.on_click(pressed)
    return button


def _set(widget: Any, **traits: object) -> None:
    """Set what differs: nothing travels to the page for the rest."""
    for name, value in traits.items():
        if getattr(widget, name) != value:
            setattr(widget, name, value)


def _show(widget: Any, shown: bool) -> None:
    _set(widget.layout, display=None if shown else "none")
