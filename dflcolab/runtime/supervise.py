"""Keeping a cell busy with a job: its page is drawn, its buttons work, its Stop button saves.

Buttons are heard while a cell runs in one way on ipykernel 6 (Colab), in another on 7; both keep the
order of "Run all". The cell has to stay running meanwhile, as Colab looks at that.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from dflcolab.runtime.job import Job, JobEnd, Snapshot
from dflcolab.runtime.where import Where

PAUSE_S = 0.1
"""Between two looks, in seconds."""

_CALLS_AT_ONCE = 5
_GRACE_S = 2.0
"""Between the Stop button and what it does. Jupyter presses it as well when a kernel is restarted or shut
down; the kernel is gone by then, and the job goes on."""

Poll = Callable[[], Awaitable[None]]


class View(Protocol):
    """What draws a job; it is called from the cell alone."""

    def update(self, snapshot: Snapshot) -> None:
        """Draw what is new; called several times a second."""
        ...

    def close(self, snapshot: Snapshot) -> None:
        """Draw for the last time: the job has ended."""
        ...


async def supervise(job: Job, view: View, *, where: Where) -> JobEnd:
    """Wait for a job while its view lives.

    The cell's own Stop button (or Ctrl-C) asks the job to save and end; a second time ends it at
    once.

    Args:
        job: A running job, or one that has just ended.
        view: Draws it.
        where: Tells the generation of the kernel.

    Raises:
        DFLColabError: The job failed, with its sentence.
        Interrupted: It was stopped and has saved.
        JobError: Its process ended without a word.
    """
    poll = polling(where)
    stop_at: float | None = None
    while job.running:
        try:
            if stop_at is not None and time.monotonic() >= stop_at:
                stop_at = math.inf
                job.request_stop()
            view.update(job.snapshot())
            if poll is not None and stop_at is None:
                await poll()
            await asyncio.sleep(PAUSE_S)
        except (asyncio.CancelledError, KeyboardInterrupt):
            if stop_at is not None:
                job.kill()
            else:
                stop_at = time.monotonic() + _GRACE_S
                job.stopping = True
    view.close(job.snapshot())
    return job.result()


def hears_buttons(where: Where) -> bool:
    """True if clicks arrive while a cell is supervising."""
    generation = where.kernel_generation
    return generation is not None and (generation >= 7 or polling(where) is not None)


def polling(where: Where) -> Poll | None:
    """What lets clicks through on kernels that hold them back; None where nothing does, or need."""
    if where.kernel_generation is None or where.kernel_generation >= 7:
        return None
    try:
        from jupyter_ui_poll import ui_events  # pyright: ignore[reportMissingImports]
    except ImportError:  # the Stop button is left
        return None

    async def poll() -> None:
        async with ui_events() as handle:
            await handle(_CALLS_AT_ONCE)

    return poll
