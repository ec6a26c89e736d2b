"""One way to report progress, whatever shows it.

Long work takes a `Progress` and opens a `Task` on it. The same object carries the wish to
stop: whoever owns it (command line, notebook) calls `request_stop`, and the work ends at its
next safe point by calling `raise_if_stopped`. Training also looks for smaller wishes (`Wish`), and
tells what it knows in numbers (`fact`) and pictures, for those who draw them.

Example:
    >>> progress = Progress()
    >>> with progress.task("Counting", total=3, unit="sheep") as task:
    ...     for _ in range(3):
    ...         task.advance()
    >>> task.done
    3
"""

from __future__ import annotations

import enum
import math
import sys
import threading
from types import TracebackType
from typing import Any, TextIO

from dflcolab.errors import Interrupted


class Task:
    """A piece of work with a number of units; silent unless a subclass shows it.

    Args:
        title: What is being done, in a few words.
        total: Number of units, or None when nobody knows.
        unit: Name of a unit in the plural ("frames").
        done: Units that were finished in an earlier run.
    """

    def __init__(self, title: str, total: int | None, unit: str, done: int = 0) -> None:
        self.title = title
        self.total = total
        self.unit = unit
        self.done = done

    def advance(self, n: int = 1, *, note: str = "") -> None:
        """Count `n` more finished units; `note` is shown behind the rate."""
        self.done += n

    def close(self) -> None:
        """End the task; nothing may be advanced afterwards."""

    def __enter__(self) -> Task:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Wish(enum.StrEnum):
    """What somebody who watches may ask of a training that goes on."""

    SAVE = "save"
    PREVIEW = "preview"
    NEXT_PHASE = "next-phase"
    FINISH = "finish"
    """Save, end, and report as usual; a stop ends what is around the training as well."""


class Progress:
    """Silent progress: counts and carries wishes, shows nothing.

    Attributes:
        picture_seconds: Shortest time between two pictures that nobody asked for; infinite where
            nobody looks.
    """

    picture_seconds: float = math.inf

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._wishes: set[Wish] = set()

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        """Open a task; use it as a context manager."""
        return Task(title, total, unit, done)

    def message(self, text: str) -> None:
        """Tell the user one sentence that is not an error."""

    def fact(self, kind: str, **values: object) -> None:
        """Tell a program that draws what happens.

        Args:
            kind: What it is about, such as "losses".
            values: JSON-ready.
        """

    def picture(self, iteration: int, jpeg: bytes) -> None:
        """Show a preview.

        Args:
            iteration: Of the model that painted it.
            jpeg: A JPEG file.
        """

    def wish(self, wish: Wish) -> None:
        """Ask the running training for something. Safe from other threads."""
        self._wishes.add(wish)

    def take(self, wish: Wish) -> bool:
        """True if somebody asked for it since; whoever takes a wish fulfils it."""
        asked = wish in self._wishes
        self._wishes.discard(wish)
        return asked

    def request_stop(self) -> None:
        """Ask the running work to end at its next safe point. Safe from signal handlers."""
        self._stop.set()

    @property
    def stop_requested(self) -> bool:
        """True once somebody asked to stop."""
        return self._stop.is_set()

    def raise_if_stopped(
        self, what: str = "Stopped as asked; run the same command again to go on."
    ) -> None:
        """End the work here if somebody asked for it.

        Raises:
            Interrupted: With `what` as its sentence.
        """
        if self.stop_requested:
            raise Interrupted(what)


class _BarTask(Task):
    """Task drawn by tqdm: bar, rate and time left."""

    def __init__(self, bar: Any, title: str, total: int | None, unit: str, done: int) -> None:
        super().__init__(title, total, unit, done)
        self._bar = bar

    def advance(self, n: int = 1, *, note: str = "") -> None:
        super().advance(n)
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(n)

    def close(self) -> None:
        self._bar.close()


class TerminalProgress(Progress):
    """Progress bars on a text stream, standard error unless told otherwise."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__()
        self._stream = stream or sys.stderr

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        from tqdm import tqdm

        # Without a terminal (CI, a log file) a line every few seconds is enough.
        interval = 0.2 if self._stream.isatty() else 10.0
        bar = tqdm(
            desc=title,
            total=total,
            initial=done,
            unit=f" {unit}",
            file=self._stream,
            mininterval=interval,
            maxinterval=interval,
            dynamic_ncols=True,
        )
        return _BarTask(bar, title, total, unit, done)

    def message(self, text: str) -> None:
        from tqdm import tqdm

        tqdm.write(text, file=self._stream)


class NotebookProgress(Progress):
    """Progress bars as notebook widgets (ipywidgets 7.7 and 8)."""

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        from tqdm.notebook import tqdm

        if total == 0:  # "0/0" below a cell would tell nothing
            return Task(title, total, unit, done)
        bar = tqdm(desc=title, total=total, initial=done, unit=f" {unit}", mininterval=0.5)
        return _BarTask(bar, title, total, unit, done)

    def message(self, text: str) -> None:
        from tqdm.notebook import tqdm

        tqdm.write(text)
