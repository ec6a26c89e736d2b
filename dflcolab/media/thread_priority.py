# pyright: strict
"""Threads keep their priority, whatever a library makes of them.

Where it may (as root, so on Colab), SVT-AV1 turns its threads into real-time ones, and the thread
that opens it with them. Such threads stop everything else on the machine while they work, the page of
the notebook among it, and all threads begun later inherit it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path


def real_time_threads() -> set[int]:
    """Threads of this process that go before all others; empty where the system does not tell."""
    found: set[int] = set()
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for thread in (int(path.name) for path in Path("/proc/self/task").iterdir()):
                with contextlib.suppress(ProcessLookupError):
                    if os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR):
                        found.add(thread)
    return found


@contextlib.contextmanager
def usual_priority() -> Generator[None]:
    """What becomes a real-time thread within the context is none behind it."""
    before = real_time_threads()
    try:
        yield
    finally:
        for thread in real_time_threads() - before:
            if sys.platform == "linux":
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
