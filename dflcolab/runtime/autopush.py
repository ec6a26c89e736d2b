"""Copies of the workspace while a long step runs, so that a lost machine costs minutes.

A thread only reads the workspace. Whatever goes wrong with the remote is kept as a sentence and
tried again next time; the running step never notices.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from dflcolab.errors import DFLColabError
from dflcolab.sync.push import PushReport

_LOG = logging.getLogger(__name__)


class AutoPush:
    """Context manager that pushes every few minutes until it is left.

    Args:
        push: Makes one copy.
        minutes: Time between two copies; 0 makes none.
    """

    def __init__(self, push: Callable[[], PushReport | None], minutes: float) -> None:
        self._push = push
        self._seconds = 60.0 * minutes
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self.last: PushReport | None = None
        self.problem = ""

    def __enter__(self) -> AutoPush:
        if self._seconds > 0:
            self._thread = threading.Thread(target=self._run, name="autopush", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._seconds):
            self.attempt()

    def attempt(self) -> None:
        """Make one copy now; a failure becomes `problem`."""
        try:
            self.last = self._push()
            self.problem = ""
        except (DFLColabError, OSError) as failure:
            self.problem = str(failure)
            _LOG.warning("Not copied: %s", failure)
        except Exception as failure:  # noqa: BLE001
            # Whatever it is, the next copy must be tried: a night's work hangs on this thread.
            self.problem = f"Not copied ({type(failure).__name__}: {failure}); please report it."
            _LOG.exception("Not copied")
