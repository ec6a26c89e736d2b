"""A kill at any moment loses, doubles and mixes no face; `make crash` does this at length."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.kills import Tally, _is_change
from tests.crash.scenarios import Scenario, State, judge, place


@pytest.mark.parametrize(
    ("verbs", "options"),
    [
        ("sort", "--kills 12 --processes 3 --stride 9 --torn 1"),
        ("clean", "--kills 6 --processes 2 --stride 2 --torn 2"),
        ("pack", "--kills 9 --processes 3 --stride 7 --torn 2"),
    ],
)
def test_killed_verbs_lose_and_mix_nothing(verbs: str, options: str):
    """In a process of its own: forks must come before OpenCV's threads."""
    words = [sys.executable, "-m", "tests.crash", "--only", verbs, *options.split()]

    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[2])

    assert done.returncode == 0, done.stdout + done.stderr
    between = re.search(r"every step: (\d+) kills", done.stdout)
    assert between is not None
    assert int(between[1]) > 3, "no kill hit the middle of the work"


OLD = State(live={"0.jpg": "a", "1.jpg": "b", "2.jpg": "x"})
NEW = State(live={"0.jpg": "b", "1.jpg": "a"}, trash=["x"])
SORT = Scenario("sort", (), lambda _: None, in_one_step=True)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (State(live={"0.jpg": "a", "1.jpg": "b"}), "lost"),
        (State(live={"0.jpg": "a", "1.jpg": "b", "2.jpg": "x", "3.jpg": "a"}), "twice"),
        (State(live={"0.jpg": "b", "1.jpg": "a", "2.jpg": "x"}), "neither the old order nor"),
        (State(live={**OLD.live, "9.jpg": "torn"}), "damaged picture"),
        (State(live=OLD.live, problems=["the pack does not open"]), "pack"),
        (State(live={"0.jpg": "a"}, staged=["b", "x"]), "way of the journal"),
    ],
)
def test_the_judge_sees_what_must_not_be(found: State, problem: str):
    assert any(problem in text for text in judge(SORT, OLD, NEW, found))


@pytest.mark.parametrize(
    ("found", "where"),
    [
        (OLD, "before"),
        (State(live={"0.jpg": "a", "1.jpg": "b"}, trash=["x"]), "between"),
        (State(live=OLD.live, strange=["beside: .aligned.renaming"]), "between"),
        (NEW, "after"),
    ],
)
def test_the_judge_accepts_the_states_on_the_way(found: State, where: str):
    assert judge(SORT, OLD, NEW, found) == []
    assert place(OLD, NEW, found) == where


def test_reading_is_no_change_and_writing_is():
    assert not _is_change("open", ("a", "rb", 0))
    assert _is_change("open", ("a", "wb", 0))
    assert _is_change("os.link", ("a", "b"))
    assert Tally().kills == 0
