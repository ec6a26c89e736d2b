"""Forms made of the options of a verb: help, ranges and choices come from its config class.

What matters first is shown, the rest is folded away. Runs on ipywidgets 7.7 and 8; headers of folded
parts are buttons, since accordions lose their titles on Colab.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import ipywidgets as widgets

from dflcolab.config import Config, OptionInfo, describe, from_mapping, to_plain, value_type
from dflcolab.errors import ConfigError

C = TypeVar("C", bound=Config)

UNSET = "(as it is)"
"""A choice that leaves an option without a value."""

_UNBOUNDED = 1e12
_FIELD_WIDTH = "22em"
_NAME_WIDTH = "13em"


class ConfigForm(Generic[C]):
    """A form for one config class.

    Args:
        config_class: Whose options are shown.
        first: Names of the options that are shown at once, in this order; without it, all that are
            not marked as advanced.
        values: What to begin with instead of the defaults.
        left_out: Names of options that the form does not show; they keep their value.
        sliders: Show numbers that have both limits as sliders.

    Attributes:
        box: The widget to display.
    """

    def __init__(
        self,
        config_class: type[C],
        *,
        first: Sequence[str] = (),
        values: Mapping[str, object] | None = None,
        left_out: Collection[str] = (),
        sliders: bool = False,
    ) -> None:
        self._class = config_class
        self._values = dict(values or {})
        infos = {info.name: info for info in describe(config_class) if info.name not in left_out}
        shown = list(first) or [name for name, info in infos.items() if not info.advanced]
        self._fields = {
            name: _Field(info, self._values.get(name, info.default), sliders=sliders)
            for name, info in infos.items()
        }
        self._is_put = False
        self._problem = _classed(widgets.HTML(), "form-problem")
        rest = [field.row for name, field in self._fields.items() if name not in shown]
        self.box = _classed(
            widgets.VBox(
                [
                    *(self._fields[name].row for name in shown),
                    *([folded("More options", rest)] if rest else []),
                    self._problem,
                ]
            ),
            "form",
        )

    @property
    def values(self) -> dict[str, object]:
        """By name, what differs from the defaults, and everything that has none."""
        found = dict(self._values)
        for name, field in self._fields.items():
            value = field.value
            if field.info.required or value != field.default:
                found[name] = value
            else:
                found.pop(name, None)
        return found

    def on_change(self, changed: Callable[[str, object], None]) -> None:
        """Tell somebody the name and the new value of each option that the user changes."""
        for name, field in self._fields.items():

            def told(_change: object, name: str = name, field: _Field = field) -> None:
                if not self._is_put:
                    changed(name, field.value)

            field.widget.observe(told, "value")

    def put(self, values: Mapping[str, object]) -> None:
        """Show other values, as if the form had begun with them."""
        self._is_put = True
        try:
            for name in self._fields.keys() & values.keys():
                self._fields[name].put(values[name])
        finally:
            self._is_put = False

    def config(self) -> C:
        """The options as they stand in the form.

        Raises:
            ConfigError: One is out of range or missing; the form shows the sentence too.
        """
        self._problem.value = ""
        try:
            return from_mapping(self._class, self.values)
        except ConfigError as error:
            text = html.escape(str(error))
            self._problem.value = f'<span style="color:#b91c1c">{text}</span>'
            raise


def folded(title: str, children: Sequence[Any]) -> Any:
    """Widgets below a button that shows and hides them; hidden at first."""
    body = widgets.VBox(list(children), layout=widgets.Layout(display="none"))
    button = _classed(
        widgets.ToggleButton(
            value=False, description=f"{title} …", layout=widgets.Layout(width="auto")
        ),
        "more",
    )

    def toggled(change: Any) -> None:
        body.layout.display = None if change["new"] else "none"

    button.observe(toggled, "value")
    return widgets.VBox([button, body])


class _Field:
    """One option: its name, its widget, and its help below."""

    def __init__(self, info: OptionInfo, value: object, *, sliders: bool = False) -> None:
        self.info = info
        self._sliders = sliders
        self._kind, self._several, self._optional = value_type(info)
        self.widget = _classed(self._widget(value), f"option-{info.name}")
        self.default = self._default()
        label = widgets.HTML(
            f"<b>{html.escape(info.name.rstrip('_'))}</b>",
            layout=widgets.Layout(width=_NAME_WIDTH, flex="0 0 auto"),
        )
        text = widgets.HTML(
            f'<div style="line-height:1.3;font-size:.9em;opacity:.8">{_help(info)}</div>',
            layout=widgets.Layout(max_width="60em"),
        )
        self.row = widgets.VBox([widgets.HBox([label, self.widget]), text])

    @property
    def value(self) -> object:
        """As a config class takes it; texts are converted there."""
        value: Any = self.widget.value
        if self._is_choice:
            return None if value == UNSET else value
        if isinstance(value, str):
            if self._several:
                parts = value.split(self._separator)
                return tuple(part.strip() for part in parts if part.strip())
            if not value.strip() and self._optional:
                return None
            return value.strip()
        return value

    def _default(self) -> object:
        """The default in the form that `value` has; None where there is none."""
        if self.info.required:
            return None
        present = self.widget.value
        self.put(self.info.default)
        default = self.value
        self.widget.value = present
        return default

    def put(self, value: object) -> None:
        """Show a value."""
        self.widget.value = self._shown(value)

    def _shown(self, value: object) -> Any:
        """A value as the widget holds it."""
        plain = to_plain(value)
        if self._is_choice:
            return UNSET if plain is None else plain
        if self._several:
            return (self._separator or " ").join(map(str, plain or ()))
        if self._kind is bool:
            return bool(plain)
        if self._is_number:
            return (self.info.low or 0) if plain is None else plain
        return "" if plain is None else str(plain)

    @property
    def _is_choice(self) -> bool:
        return self.info.choices is not None and not self._several

    @property
    def _is_number(self) -> bool:
        return self._kind in (int, float) and not self._optional and not self._several

    @property
    def _separator(self) -> str | None:
        """Between several values: paths may hold spaces. None: any white space."""
        return ";" if self._kind is Path else None

    def _widget(self, value: object) -> Any:
        """The widget for this kind of value."""
        layout = widgets.Layout(width=_FIELD_WIDTH, min_width="9em", flex="0 1 auto")
        info = self.info
        if self._is_choice:
            options = [*([UNSET] if self._optional else []), *map(to_plain, info.choices or ())]
            return widgets.Dropdown(options=options, value=self._shown(value), layout=layout)
        if self._kind is bool and not self._several:
            return widgets.Checkbox(value=self._shown(value), indent=False, layout=layout)
        if self._is_number and self._sliders and None not in (info.low, info.high):
            return self._slider(value, layout)
        if self._is_number:
            bounded = widgets.BoundedIntText if self._kind is int else widgets.BoundedFloatText
            low = -_UNBOUNDED if info.low is None else info.low
            high = _UNBOUNDED if info.high is None else info.high
            number = self._kind
            return bounded(
                value=self._shown(value), min=number(low), max=number(high), layout=layout
            )
        return widgets.Text(
            value=self._shown(value), placeholder=self._placeholder(), layout=layout
        )

    def _slider(self, value: object, layout: Any) -> Any:
        """Between the limits; it tells a new value when it is let go."""
        limits: dict[str, Any] = {"min": self.info.low, "max": self.info.high}
        if self._kind is float:
            limits["step"] = (limits["max"] - limits["min"]) / 100
        kind = widgets.IntSlider if self._kind is int else widgets.FloatSlider
        return kind(value=self._shown(value), continuous_update=False, layout=layout, **limits)

    def _placeholder(self) -> str:
        """What an empty field means, or how to write several values."""
        if self._several:
            return f"several, separated by {self._separator or 'spaces'}"
        if self._kind is Path:
            return "path"
        return "empty: without" if self._optional else ""


def _help(info: OptionInfo) -> str:
    """The option's documentation and its range."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(info.help))
    if info.choices is None and (info.low is not None or info.high is not None):
        low = "" if info.low is None else f"from {info.low:g} "
        high = "" if info.high is None else f"to {info.high:g}"
        text += f" <i>({f'{low}{high}'.strip()})</i>"
    return text


def _classed(widget: Any, name: str) -> Any:
    widget.add_class(f"dfl-{name}")
    return widget
