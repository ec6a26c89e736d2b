"""A button of the plain forms, whose failures are told and not raised."""

from __future__ import annotations

from collections.abc import Callable
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
    button = ipywidgets.Button(description=text)

    def work(_button: Any) -> None:
        try:
            clicked()
        except DFLColabError as error:
            failed(str(error))

    button.on_click(work)
    return button
