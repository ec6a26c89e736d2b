"""A form in a running cell, and the wait for its button."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, TypeVar

from dflcolab.errors import ConfigError
from dflcolab.progress import Progress
from dflcolab.runtime.supervise import PAUSE_S, polling
from dflcolab.runtime.where import Where

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Form(Protocol[T_co]):
    """What can be shown and read."""

    box: Any

    def config(self) -> T_co:
        """What stands in it.

        Raises:
            ConfigError: Something in it cannot be; the form shows why.
        """
        ...


async def ask(form: Form[T], *, label: str, progress: Progress, where: Where) -> T:
    """Show a form and wait until its button is pressed and what it holds can be.

    Only where buttons are heard while a cell runs (see `hears_buttons`).

    Args:
        form: The form.
        label: Of the button.
        progress: Carries the wish to stop.
        where: Tells the generation of the kernel.

    Raises:
        Interrupted: The cell's Stop button was pressed instead.
    """
    import ipywidgets as widgets
    from IPython.display import display

    presses: list[object] = []
    button = widgets.Button(
        description=label, button_style="primary", layout=widgets.Layout(width="auto")
    )
    button.add_class("dfl-go")
    button.on_click(presses.append)
    display(widgets.VBox([form.box, button]))
    poll = polling(where)
    while True:
        try:
            if presses:
                presses.clear()
                found = form.config()
                button.disabled = True
                return found
            if poll is not None:
                await poll()
            await asyncio.sleep(PAUSE_S)
        except ConfigError:
            continue
        except (asyncio.CancelledError, KeyboardInterrupt):
            progress.request_stop()
            progress.raise_if_stopped()
