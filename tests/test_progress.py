from __future__ import annotations

import io

import pytest

from dflcolab.errors import Interrupted
from dflcolab.progress import Progress, TerminalProgress, Wish


def test_the_bar_shows_rate_and_time_left():
    stream = io.StringIO()

    with TerminalProgress(stream).task("Extracting", total=4, unit="frames", done=1) as task:
        task.advance(3, note="one face")

    assert task.done == 4
    text = stream.getvalue()
    assert "Extracting" in text
    assert "4/4" in text
    assert "frames/s" in text


def test_a_stop_is_honoured_at_the_next_safe_point():
    progress = Progress()
    progress.raise_if_stopped()

    progress.request_stop()

    with pytest.raises(Interrupted, match="go on"):
        progress.raise_if_stopped()
    assert Interrupted.exit_code == 130


def test_a_wish_is_granted_once():
    progress = Progress()
    progress.wish(Wish.SAVE)
    progress.wish(Wish.SAVE)

    assert [progress.take(Wish.SAVE), progress.take(Wish.SAVE)] == [True, False]
    assert not progress.take(Wish.FINISH)
