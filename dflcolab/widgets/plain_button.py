"""Parts of the plain forms: buttons whose failures are told and not raised, rows, pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from dflcolab.errors import DFLColabError


def plain_button(text: str, clicked: Callable[[], None], *, failed: Callable[[str], None]) -> Any:
    """The button.

    Args:
        text: What stands on it.
        clicked: What it does.
        failed: Takes the sentence of a failure.
    """
    button = ipywidgets.Button(description=text, layout={"width": "auto"})

    def work(_button: Any) -> None:
        try:
            clicked()
        except DFLColabError as error:
            failed(str(error))

    button.on_click(work)
    return button


def plain_bar(controls: Sequence[Any]) -> Any:
    """Controls in a row, in several where the page is narrow."""
    return ipywidgets.HBox(list(controls), layout={"flex_flow": "row wrap"})


def plain_picture() -> Any:
    """A JPEG that keeps its shape beside what is taller."""
    return ipywidgets.Image(format="jpeg", layout={"align_self": "flex-start"})
