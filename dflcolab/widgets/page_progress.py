# pyright: strict
"""Progress as sentences for a widget's page, while the kernel works on what the page asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

from dflcolab.progress import Progress, Task

_PAUSE_S = 0.2


class PageProgress(Progress):
    """Shows what goes on, five times a second at most.

    Args:
        show: Takes a sentence.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        return _PageTask(title, total, unit, done, self._show)

    def message(self, text: str) -> None:
        self._show(text)


class _PageTask(Task):
    def __init__(
        self, title: str, total: int | None, unit: str, done: int, show: Callable[[str], None]
    ) -> None:
        super().__init__(title, total, unit, done)
        self._show = show
        self._told = 0.0

    def advance(self, n: int = 1, *, note: str = "") -> None:
        super().advance(n, note=note)
        now = time.monotonic()
        if now - self._told > _PAUSE_S:
            self._told = now
            of = "" if self.total is None else f" of {self.total}"
            self._show(f"{self.title}: {self.done}{of} {self.unit}")
