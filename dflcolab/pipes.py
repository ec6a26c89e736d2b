"""Stages of a pipeline as generators that run in threads, joined by bounded queues.

Each stage takes an iterator and gives one; order is kept. An exception of any stage comes out at
the end of the pipe, where it would have come out without threads. Closing the last generator stops
all threads before it.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_POLL_S = 0.1


@dataclass(frozen=True)
class _End:
    """Last thing that a thread sends."""

    failure: BaseException | None


def prefetch(items: Iterable[T], depth: int, *, name: str) -> Generator[T, None, None]:
    """Run an iterator in a thread of its own, at most `depth` items ahead.

    Args:
        items: Is iterated, and closed, in the other thread.
        depth: Items that may wait in between.
        name: Name of the thread.
    """
    waiting: queue.Queue[Any] = queue.Queue(maxsize=max(1, depth))
    stopped = threading.Event()

    def offer(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        failure: BaseException | None = None
        iterator = iter(items)
        try:
            for item in iterator:
                if not offer(item):
                    break
        except BaseException as error:  # noqa: BLE001 - handed over to the consumer
            failure = error
        finally:
            try:
                _close(iterator)
            except BaseException as error:  # noqa: BLE001 - handed over to the consumer
                failure = failure or error
            offer(_End(failure))

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.failure is not None:
                    raise item.failure
                return
            yield item
    finally:
        stopped.set()
        thread.join()


def map_ordered(
    pool: Executor, function: Callable[[T], R], items: Iterable[T], ahead: int
) -> Generator[R, None, None]:
    """`map` over a pool, in order, with at most `ahead` items being worked on."""
    pending: deque[Future[R]] = deque()
    iterator = iter(items)
    try:
        for item in iterator:
            pending.append(pool.submit(function, item))
            if len(pending) >= max(1, ahead):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
        for future in pending:
            if not future.cancelled():
                future.exception()
        _close(iterator)


def _close(iterator: Iterator[Any]) -> None:
    """End a generator, so that its own clean-up runs now and in this thread."""
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
