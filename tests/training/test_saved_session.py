"""Which state a session keeps as its best."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from dflcolab.engine.checkpoint import INDEX
from tests.training.night import LEARNED, session_in


def test_a_state_by_other_loss_options_is_the_first_of_its_kind(tmp_path: Path):
    session = session_in(tmp_path)

    def save(iteration: int, away: float) -> str:
        """Save a state whose weights are so far from what is to be learned; the best one then."""
        session.iteration = iteration
        for side, goal in session._step.goals.items():
            session._state.variables[LEARNED[side]].assign(goal + away)
        session.save(keep=1, preview=b"")
        return json.loads((tmp_path / INDEX).read_text())["best"]

    assert save(10, 0.5) == "ckpt-000000010"
    assert save(20, 0.8) == "ckpt-000000010"
    assert session.best_score() == session.saved_scores()[10]
    # With this option the same faces have larger losses: that is no worse state.
    session.options = dataclasses.replace(session.options, eyes_mouth_prio=True)
    assert session.best_score() == float("inf")
    assert save(30, 0.9) == "ckpt-000000030"
    assert save(40, 0.7) == "ckpt-000000040"
    assert save(50, 0.8) == "ckpt-000000040"
    session.options = dataclasses.replace(session.options, random_warp=False)
    assert save(60, 0.9) == "ckpt-000000040"
