"""The controls of the tuner: which frame, which options, and what they are saved for."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from dflcolab.config import to_plain
from dflcolab.errors import DFLColabError
from dflcolab.merging.options import CompositeOptions
from dflcolab.widgets.forms import ConfigForm
from dflcolab.widgets.tuner_desk import FOR_RANGE, TARGETS, TunerDesk
from dflcolab.widgets.tuner_view import TunerView

FIRST = (
    "mode", "mask_mode", "erode_mask_modifier", "blur_mask_modifier", "color_transfer_mode",
    "output_face_scale",
)  # fmt: skip
"""Options that are shown at once; the others are folded away."""


class TunerPanel:
    """Widgets over a desk. They run on ipywidgets 7.7 and 8.

    Args:
        desk: What is looked at.
        view: Shows the two pictures.

    Attributes:
        box: The widget to display.
    """

    def __init__(self, desk: TunerDesk, view: TunerView) -> None:
        self._desk = desk
        self._view = view
        self._is_put = False
        self._form = ConfigForm(
            CompositeOptions, first=FIRST, values=to_plain(desk.options), sliders=True
        )
        self._form.on_change(self._tried)
        self._told = _named(widgets.HTML(), "status")
        self.box = _named(
            widgets.VBox(
                [
                    self._frames_bar(),
                    widgets.HBox(
                        [
                            widgets.VBox(
                                [view.widget, self._told, self._save_bar()], layout=_column("56%")
                            ),
                            widgets.VBox(
                                [self._form.box], layout=_column("43%", max_height="46em")
                            ),
                        ],
                        layout=widgets.Layout(justify_content="space-between"),
                    ),
                ]
            ),
            "tuner",
        )
        self._draw(" ".join(desk.tuning.better))

    def _frames_bar(self) -> Any:
        desk = self._desk
        last = len(desk.numbers)
        self._place = _named(
            widgets.IntSlider(
                value=1, min=1, max=last, continuous_update=False, readout=False, description="Frame",
                layout=widgets.Layout(width="26em"),
            ),
            "place",
        )  # fmt: skip
        self._place.observe(lambda change: self._go(change["new"] - 1), "value")
        self._marks = _named(widgets.Dropdown(options=[("marked frames", -1)]), "marks")
        self._marks.layout.width = "11em"
        self._marks.observe(lambda change: self._go_to_mark(change["new"]), "value")
        close_up = _named(widgets.ToggleButton(description="Close-up"), "close-up")
        close_up.observe(lambda change: self._zoom(change["new"]), "value")
        return _bar(
            [
                self._button("◀", lambda: self._step(-1), "previous"),
                self._place,
                self._button("▶", lambda: self._step(1), "next"),
                self._button("Mark", self._mark, "mark"),
                self._marks,
                close_up,
            ]
        )

    def _save_bar(self) -> Any:
        self._target = _named(widgets.Dropdown(options=TARGETS, description="Save for"), "target")
        self._range = _named(widgets.Text(placeholder="from:to, such as 100:200"), "range")
        self._range.layout.width = "13em"
        self._range.layout.display = "none"
        self._target.observe(lambda change: self._targeted(change["new"]), "value")
        return _bar(
            [
                self._target,
                self._range,
                self._button("Save", self._save, "save"),
                self._button("Reset", self._reset, "reset"),
            ]
        )

    def _button(self, text: str, action: Callable[[], str | None], name: str) -> Any:
        made = _named(widgets.Button(description=text), name)
        made.layout.width = "auto"
        made.on_click(lambda _: self._do(action))
        return made

    def _do(self, action: Callable[[], str | None]) -> None:
        """Do something that a user asked for; a failure is a sentence."""
        if self._is_put:
            return
        try:
            note = action()
        except DFLColabError as error:
            self._tell(str(error), failed=True)
            return
        self._draw(note or "")

    def _tried(self, name: str, value: object) -> None:
        self._do(lambda: self._desk.try_option(name, value))

    def _go(self, place: int) -> None:
        self._do(lambda: self._desk.go(place))

    def _step(self, by: int) -> None:
        self._desk.go(self._desk.place + by)

    def _go_to_mark(self, number: int) -> None:
        if number in self._desk.numbers:
            self._go(self._desk.numbers.index(number))

    def _zoom(self, close_up: bool) -> None:
        self._desk.close_up = close_up
        self._do(lambda: None)

    def _mark(self) -> None:
        desk = self._desk
        desk.mark()
        self._put(
            self._marks,
            "options",
            [("marked frames", -1), *((f"frame {n}", n) for n in desk.marks)],
        )

    def _targeted(self, kind: str) -> None:
        self._range.layout.display = None if kind == FOR_RANGE else "none"

    def _save(self) -> str:
        return self._desk.save(self._target.value, self._range.value)

    def _reset(self) -> None:
        self._desk.reset()

    def _put(self, widget: Any, trait: str, value: object) -> None:
        """Change a widget without hearing of it."""
        self._is_put = True
        try:
            setattr(widget, trait, value)
        finally:
            self._is_put = False

    def _draw(self, note: str = "") -> None:
        """Bring everything in line with the desk."""
        desk = self._desk
        self._put(self._place, "value", desk.place + 1)
        self._put(self._marks, "value", desk.index if desk.index in desk.marks else -1)
        self._form.put(to_plain(desk.options))
        self._tell(f"{note} Working …")
        try:
            shown = desk.shown()
        except DFLColabError as error:
            self._tell(f"{note} {error}", failed=True)
            return
        self._view.show(shown.before, shown.after)
        self._tell(f"{note} {desk.status()} Composed in {shown.seconds:.2f} s.")

    def _tell(self, text: str, *, failed: bool = False) -> None:
        color = "color:#b91c1c" if failed else ""
        self._told.value = f'<div style="line-height:1.4;{color}">{html.escape(text.strip())}</div>'


def _bar(children: list[Any]) -> Any:
    return widgets.HBox(children, layout=widgets.Layout(flex_flow="row wrap"))


def _column(width: str, **values: str) -> Any:
    return widgets.Layout(width=width, overflow="auto", display="block", **values)


def _named(widget: Any, name: str) -> Any:
    widget.add_class(f"dfl-tuner-{name}" if name != "tuner" else "dfl-tuner")
    return widget
