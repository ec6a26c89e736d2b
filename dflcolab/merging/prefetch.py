# pyright: strict
"""Reading ahead in a thread, so that decoding and computing happen at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")


class _End:
    """Behind the last item: the error that ended the walk, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetched(items: Iterable[T], *, depth: int) -> Generator[T, None, None]:
    """The same items, made up to `depth` ahead by another thread.

    An error of the walk is raised here, behind the items before it. Closing this iterator ends the
    thread at its next item.

    Args:
        items: What to walk over; used by the thread alone.
        depth: Items that may wait.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(maxsize=max(depth, 1))
    stop = threading.Event()

    def put(item: T | _End) -> None:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def walk() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if stop.is_set():
                    return
                put(item)
        except BaseException as caught:  # noqa: BLE001 - handed over and raised by the reader
            error = caught
        put(_End(error))

    thread = threading.Thread(target=walk, name="frames", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()
