"""What makes a method fit for a notebook cell: outside values, a safe Stop button, short failures."""

from __future__ import annotations

import functools
import inspect
import math
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, get_type_hints

from dflcolab.cli.safely import IN_A_NOTEBOOK, failures_as_sentences
from dflcolab.errors import ConfigError, DFLColabError
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

    Parameters named in `values` get that value; values of a wrong kind are refused by their name. The
    cell's own Stop button asks for a safe stop. A failure is shown as one red sentence and ends the cell,
    and with it "Run all".
    """

    @functools.wraps(method)
    def wrapped(self: S, *args: P.args, **kwargs: P.kwargs) -> None:
        kwargs.update(_values_from_outside(self, method))
        self.progress = NotebookProgress()  # without the wish to stop of an earlier cell
        with _failures_shown(), stop_button(self.progress):
            method(self, *args, **_fitting(method, kwargs))

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
            await method(self, *args, **_fitting(method, kwargs))

    return wrapped


def _values_from_outside(owner: HasCells, method: Callable[..., object]) -> dict[str, Any]:
    """Those values that are parameters of the method."""
    names = set(inspect.signature(method).parameters)
    return {name: value for name, value in owner.values.items() if name in names}


_WANTED = {
    str: "a text in quotes",
    bool: "True or False",
    int: "a whole number, 0 or more",
    float: "a number, 0 or more",
}


def _fitting(method: Callable[..., object], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the method takes them: outside of Colab a form is text that anybody edits."""
    kinds = get_type_hints(method)
    return {name: _value(name, kinds.get(name), value) for name, value in values.items()}


def _value(name: str, kind: Any, value: Any) -> Any:
    if kind not in _WANTED or (kind in (str, bool) and isinstance(value, kind)):
        return value
    if kind is str and type(value) in (int, float):  # the iteration of a state, a person's number
        return str(value)
    if kind in (int, float) and type(value) in (int, float, str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if 0 <= number < math.inf and (kind is float or number.is_integer()):
            return kind(number)
    raise ConfigError(f"{name} = {value!r} is not {_WANTED[kind]}; correct it in this cell's form.")


def one_of(name: str, value: str, choices: Iterable[str]) -> str:
    """The value, if it is in the list of its field.

    Raises:
        ConfigError: It is not.
    """
    known = tuple(choices)
    if value not in known:
        raise ConfigError(
            f"{name} = {value!r} is not in its list; choose one of {', '.join(known)}."
        )
    return value


@contextmanager
def _failures_shown() -> Iterator[None]:
    """A failure becomes one red sentence, and ends the cell."""
    try:
        with failures_as_sentences(look=IN_A_NOTEBOOK):
            yield
    except StoppedCellError:  # of a cell that this one has run
        raise
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
