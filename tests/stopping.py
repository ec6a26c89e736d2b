"""A progress that asks to stop in the middle of the work, and remembers what it was told."""

from __future__ import annotations

from dflcolab.progress import Progress, Task


class StopAfter(Progress):
    """Asks to stop once so many units of one task are done.

    Args:
        n: Number of units; without it nothing is stopped.
        title: Only tasks with these words in their title count; all if empty.

    Attributes:
        messages: What the user was told.
        tasks: The tasks that were opened.
    """

    def __init__(self, n: int = 10**9, *, title: str = "") -> None:
        super().__init__()
        self.n, self.title = n, title
        self.messages: list[str] = []
        self.tasks: list[Task] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        owner = self

        class Counting(Task):
            def advance(self, n: int = 1, *, note: str = "") -> None:
                super().advance(n, note=note)
                if owner.title in self.title and self.done >= owner.n:
                    owner.request_stop()

        self.tasks.append(Counting(title, total, unit, done))
        return self.tasks[-1]
