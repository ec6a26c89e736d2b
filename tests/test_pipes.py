import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dflcolab.pipes import map_ordered, prefetch


def test_order_is_kept_through_both_kinds_of_stage():
    with ThreadPoolExecutor(4) as pool:
        slow_first = map_ordered(
            pool, lambda n: time.sleep(0.01 * (n % 3)) or n, prefetch(range(50), 4, name="t"), 6
        )

        assert list(slow_first) == list(range(50))


def test_a_stage_runs_no_further_ahead_than_allowed():
    made = []

    def numbers():
        for n in range(100):
            made.append(n)
            yield n

    pipe = prefetch(numbers(), 3, name="t")
    next(pipe)
    time.sleep(0.3)

    # One taken, three waiting, one in the hand of the thread that wants to put it down.
    assert len(made) <= 5
    pipe.close()


def test_an_error_comes_out_where_its_item_would_have():
    def failing():
        yield 1
        raise OSError("broken")

    pipe = prefetch(failing(), 4, name="t")

    assert next(pipe) == 1
    with pytest.raises(OSError, match="broken"):
        next(pipe)


def test_an_error_in_the_pool_stops_the_stages_before_it():
    closed = threading.Event()

    def numbers():
        try:
            yield from range(1000)
        finally:
            closed.set()

    def fail_at_five(n):
        if n == 5:
            raise ValueError("five")
        return n

    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="five"):
        list(map_ordered(pool, fail_at_five, prefetch(numbers(), 4, name="t"), 3))

    assert closed.wait(2)


def test_closing_the_end_ends_the_threads():
    before = threading.active_count()
    pipe = prefetch(prefetch(iter(range(10**9)), 2, name="a"), 2, name="b")
    next(pipe)

    pipe.close()

    assert threading.active_count() == before
