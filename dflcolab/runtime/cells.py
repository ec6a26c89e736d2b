"""What makes a method fit for a notebook cell: outside values, a safe Stop button, short failures."""

from __future__ import annotations

import functools
import inspect
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from dflcolab.errors import DFLColabError
from dflcolab.progress import NotebookProgress, Progress
from dflcolab.runtime.show import StoppedCellError, show_failure


class HasCells(Protocol):
    """What the decorator needs of the object whose method it decorates."""

    values: dict[str, Any]
    progress: Progress


S = TypeVar("S", bound=HasCells)
P = ParamSpec("P")


def cell(method: Callable[Concatenate[S, P], None]) -> Callable[Concatenate[S, P], None]:
    """Decorate a method that a cell calls.

    Parameters named in `values` get that value. The cell's own Stop button asks for a safe stop. A
    failure is shown as one red sentence and ends the cell, and with it "Run all".
    """
    names = set(inspect.signature(method).parameters)

    @functools.wraps(method)
    def wrapped(self: S, *args: P.args, **kwargs: P.kwargs) -> None:
        kwargs.update({name: value for name, value in self.values.items() if name in names})
        self.progress = NotebookProgress()  # without the wish to stop of an earlier cell
        try:
            with _stop_button(self.progress):
                method(self, *args, **kwargs)
        except DFLColabError as error:
            show_failure(error)
            raise StoppedCellError(str(error)) from None

    return wrapped


@contextmanager
def _stop_button(progress: Progress) -> Iterator[None]:
    """While a verb runs, the first interrupt asks for a safe stop, the second stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        if progress.stop_requested:
            raise KeyboardInterrupt
        progress.request_stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
