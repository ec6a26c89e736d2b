"""What a user would have read during a test: every refusal that was raised, every note that was given."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dflcolab.errors import DFLColabError
from dflcolab.progress import Progress

_notes: list[str] = []


def said(text: str) -> None:
    """Count `text` among what the running test showed; for what comes from another process or a report."""
    _notes.append(text)


class HeardProgress(Progress):
    """Silent progress whose messages count as said."""

    def message(self, text: str) -> None:
        said(text)


class _Listener(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        said(record.getMessage())


class Heard:
    """Collects what is said while it listens."""

    def __init__(self) -> None:
        self._made: list[DFLColabError] = []

    def texts(self) -> list[str]:
        """All texts so far. A refusal that was made and never raised is none."""
        return _notes + [str(error) for error in self._made if error.__traceback__ is not None]

    def hear(self, error: DFLColabError) -> None:
        """Remember a refusal; whether it is raised shows later."""
        self._made.append(error)


@contextmanager
def listening() -> Iterator[Heard]:
    """Everything that is said inside."""
    _notes.clear()
    heard, listener = Heard(), _Listener()
    log = logging.getLogger("dflcolab")
    make = DFLColabError.__init__

    def make_heard(self: DFLColabError, *arguments: object) -> None:
        make(self, *arguments)
        heard.hear(self)

    DFLColabError.__init__ = make_heard
    log.addHandler(listener)
    try:
        yield heard
    finally:
        log.removeHandler(listener)
        DFLColabError.__init__ = make
