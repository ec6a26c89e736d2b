"""The rows of `docs/troubleshooting.md`, as the tests compare them with the code and with what happens.

A row's message holds `…` for what differs from case to case (a name, a number, an operating system's
word). The anchor at its beginning is the row's name, by which a test says that it produces it.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"

_ROW = re.compile(
    r'\| <a id="(?P<name>[a-z0-9-]+)"></a>(?P<message>.*?) \| (?P<cause>.*?) \| (?P<remedy>.*?) \|'
)


@dataclass(frozen=True)
class Row:
    """One message with its cause and remedy."""

    name: str
    message: str
    cause: str
    remedy: str

    def tells(self, text: str) -> bool:
        """True if `text` is this message, with anything in the place of each `…`."""
        return _pattern(self.message).fullmatch(text) is not None


@functools.cache
def _pattern(message: str) -> re.Pattern[str]:
    """What a message looks like once the `…` are filled."""
    return re.compile(".*".join(map(re.escape, message.split("…"))), re.DOTALL)


@functools.cache
def rows() -> tuple[Row, ...]:
    """All rows of the page, in its order."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return tuple(Row(**found.groupdict()) for found in map(_ROW.fullmatch, lines) if found)


def row_named(name: str) -> Row:
    """The row with that anchor.

    Raises:
        KeyError: The page has no such row.
    """
    return {row.name: row for row in rows()}[name]
