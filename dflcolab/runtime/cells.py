"""What makes a method fit for a notebook cell: outside values, a safe Stop button, short failures."""

from __future__ import annotations

import functools
import inspect
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
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

    @functools.wraps(method)
    def wrapped(self: S, *args: P.args, **kwargs: P.kwargs) -> None:
        kwargs.update(_values_from_outside(self, method))
        self.progress = NotebookProgress()  # without the wish to stop of an earlier cell
        with _failures_shown(), stop_button(self.progress):
            method(self, *args, **kwargs)

    return wrapped


AsyncCell = Callable[Concatenate[S, P], Coroutine[Any, Any, None]]


def awaited_cell(method: AsyncCell[S, P]) -> AsyncCell[S, P]:
    """The same for a method that a cell awaits, since a job runs meanwhile.

    The Stop button is the job's then (see `supervise`); what the method does besides has
    `stop_button` around it.
    """

    @functools.wraps(method)
    async def wrapped(self: S, *args: P.args, **kwargs: P.kwargs) -> None:
        kwargs.update(_values_from_outside(self, method))
        self.progress = NotebookProgress()
        with _failures_shown():
            await method(self, *args, **kwargs)

    return wrapped


def _values_from_outside(owner: HasCells, method: Callable[..., object]) -> dict[str, Any]:
    """Those values that are parameters of the method."""
    names = set(inspect.signature(method).parameters)
    return {name: value for name, value in owner.values.items() if name in names}


@contextmanager
def _failures_shown() -> Iterator[None]:
    """A failure becomes one red sentence, and ends the cell."""
    try:
        yield
    except DFLColabError as error:
        show_failure(error)
        raise StoppedCellError(str(error)) from None


@contextmanager
def stop_button(progress: Progress) -> Iterator[None]:
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
