"""Writing checkpoints beside the training: the step waits for the copy in memory, not for the disk."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import psutil

from dflcolab.engine.checkpoint import Checkpoint

_RESERVE_BYTES = 256 << 20


class BackgroundSaver:
    """Writes one checkpoint at a time in a thread of its own.

    A save counts when its marker stands, not before: `finished` tells of it then. The thread ends
    with its work, so a program that ends waits for a save that has begun.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="save")
        self._running: Future[Checkpoint] | None = None

    @property
    def is_busy(self) -> bool:
        """True while a save is being written, or has ended and nobody asked for it yet."""
        return self._running is not None

    def begin(self, write: Callable[[], Checkpoint]) -> None:
        """Write in the background.

        Args:
            write: Makes the checkpoint; nothing that it reads may change any more.

        Raises:
            RuntimeError: The save before has not been asked for; call `settle` first.
        """
        if self._running is not None:
            raise RuntimeError("a checkpoint is being written")
        self._running = self._pool.submit(write)

    def finished(self) -> Checkpoint | None:
        """The checkpoint that stands since the last look; None without one. Does not wait.

        Raises:
            StorageError: It could not be written (disk full); the earlier ones are untouched.
        """
        if self._running is None or not self._running.done():
            return None
        done, self._running = self._running, None
        return done.result()

    def settle(self) -> Checkpoint | None:
        """Like `finished`, but wait for a save that is being written.

        A second Ctrl-C does not cut it off: it is raised when the save stands.

        Raises:
            StorageError: It could not be written; the earlier ones are untouched.
        """
        if self._running is None:
            return None
        pressed: KeyboardInterrupt | None = None
        while not self._running.done():
            try:
                wait([self._running])
            except KeyboardInterrupt as error:
                pressed = error
        found = self.finished()
        if pressed is not None:
            raise pressed
        return found


def fits_into_memory(n_bytes: int) -> bool:
    """True if a copy of so many bytes leaves the machine some room."""
    return psutil.virtual_memory().available >= n_bytes + _RESERVE_BYTES
