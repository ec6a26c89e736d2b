"""Compiled steps that several trainings of one process use one after the other.

Tracing a step costs seven processor seconds, far more than the few iterations of a test. Here a new
session takes over the compiled step of one that is gone, if everything that was compiled into it is
the same; variables, slots and counters take the values of the new session's state. The step then
computes what a new one would: `test_steps_again` compares them.

Only for modules that put nothing of their own into what is compiled:
`pytestmark = pytest.mark.usefixtures("steps_again")`.
"""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from dflcolab.training.model_state import ModelState
from dflcolab.training.session import Session
from dflcolab.training.step import TrainingStep

_MOST = 12

Idle = dict[str, TrainingStep]
"""Steps whose session is gone, the oldest first, by what is compiled into them."""


@contextlib.contextmanager
def steps_taken_over() -> Iterator[None]:
    """Sessions take over compiled steps instead of making new ones, from sessions in here only.

    A session that outlives this gives its step back to nobody.
    """
    build = Session._build_step
    idle: Idle = {}
    with patch.object(Session, "_build_step", lambda session: _build(session, build, idle)):
        yield


def _build(session: Session, build: Any, idle: Idle) -> None:
    if session.devices.count > 1 or session.precision != "float32":
        build(session)
        return
    key = repr((session.options, session.precision, session._stream_seed, session.plan))
    gc.collect()  # a session is part of a circle of references
    step = idle.pop(key, None)
    if step is None:
        build(session)
        step = session._step
    else:
        _take_over(step, session._state)
        session._looked, session._step, session._state = None, step, step._state
    weakref.finalize(session, _give_back, idle, key, step)


def _give_back(idle: Idle, key: str, step: TrainingStep) -> None:
    idle[key] = step
    while len(idle) > _MOST:
        del idle[next(iter(idle))]


def _take_over(step: TrainingStep, new: ModelState) -> None:
    """Put the values of another state of the same model into what the step is compiled for."""
    old = step._state
    assert old.variables.keys() == new.variables.keys()
    for name, variable in new.variables.items():
        old.variables[name].assign(variable)
    for name, optimizer in new.optimizers.items():
        old.optimizers[name].load(optimizer.state(), source="the new state")
    old._resting = new._resting
    step.begun.assign(-1)
