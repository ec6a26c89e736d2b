"""Reading ahead in a thread."""

from __future__ import annotations

import threading
import time

import pytest

from dflcolab.merging.prefetch import prefetched


def test_items_come_in_order():
    assert list(prefetched(range(100), depth=3)) == list(range(100))


def test_an_error_comes_behind_the_items_before_it():
    def walk():
        yield 1
        raise ValueError("broken")

    ahead = prefetched(walk(), depth=3)

    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)


def test_no_more_than_the_depth_is_read_ahead():
    made: list[int] = []

    def walk():
        for i in range(100):
            made.append(i)
            yield i

    ahead = prefetched(walk(), depth=2)
    next(ahead)
    time.sleep(0.3)

    # One was taken, two wait, one is in the thread's hand.
    assert len(made) <= 4
    ahead.close()


def test_closing_ends_the_thread():
    before = threading.active_count()
    ahead = prefetched(iter(range(10**6)), depth=2)
    next(ahead)

    ahead.close()

    assert threading.active_count() == before
