# pyright: strict
"""What a model's training shows: the judgement of the watch, the state, what happened, how it began."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dflcolab.pipeline.training_history import ModelHistory, Saved
from dflcolab.watch.intervals import Interval, interval_of
from dflcolab.watch.looks import Look
from dflcolab.watch.state import NAMES_KEY, STATE_KEY
from dflcolab.watch.verdicts import MASK_SIDES, SIDES, TAKES_THE_BEST, Call, Verdict, judge

_RECENT = 100

BEGINNINGS = ("start", "resume")
"""Kinds of events with which a run begins."""


@dataclass(frozen=True)
class SavedState:
    """A checkpoint in numbers.

    Attributes:
        name: Of its folder.
        iteration: Finished iterations.
        held_out_loss: Of both sides together; None if it was not measured.
        saved_at: UTC; empty if it is not known.
    """

    name: str
    iteration: int
    held_out_loss: float | None
    saved_at: str


@dataclass(frozen=True)
class Measured:
    """A measure of the last look, and between which numbers it probably lies.

    Where there are fewer than two stretches of faces, the ends are not known.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class TrainingReport:
    """The training of one model.

    Attributes:
        model: Its name.
        architecture: `saehd`, `quick96`, `amp` or `xseg`.
        pretraining: It has only seen a general faceset so far.
        iteration: Of the latest checkpoint.
        phase: Of the schedule, at the last look; None without looks.
        looks: How often the watch looked.
        verdicts: Its judgement at the last look, the one on learning first.
        latest: The latest checkpoint.
        best: The one with the lowest held-out loss, if that is known.
        measures: Of the last look, by "<side>/<group>/<measure>".
        losses: Mean training losses of the last 100 iterations, of `src` and `dst`, or of `masks`; None
            without any.
        run: What the last run was begun with; empty if it was not noted.
        events: What happened: switches, roll-backs, changes of the judgement …
        options: The model's, under DeepFaceLab's names.
        faces: By side: faces in `training`, and `held_out`.
        problems: What could not be read.
    """

    model: str
    architecture: str
    pretraining: bool
    iteration: int
    phase: str | None
    looks: int
    verdicts: tuple[Verdict, ...]
    latest: SavedState
    best: SavedState | None
    measures: Mapping[str, Measured]
    losses: Mapping[str, float] | None
    run: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    options: Mapping[str, Any]
    faces: Mapping[str, Mapping[str, int]]
    problems: tuple[str, ...]

    def sentences(self) -> list[str]:
        """The report in a few lines."""
        stage = "pretraining, " if self.pretraining else ""
        lines = [f"{self.model}: {stage}iteration {self.iteration:,}; {self.headline()}."]
        lines += [f"  {verdict.evidence} {verdict.advice}" for verdict in self.verdicts]
        lines += [f"  {text}" for text in (self.best_words(), *self.problems) if text]
        return lines

    def headline(self) -> str:
        """The judgement in the fewest words."""
        if not self.looks:
            return "the watch has not looked yet"
        return str(self.verdicts[0].call)

    def best_words(self) -> str:
        """How the best checkpoint compares with the latest one."""
        best, latest = self.best, self.latest
        if best is None or best.held_out_loss is None:
            return ""
        if best.name == latest.name:
            return f"The latest checkpoint ({best.name}) is the best one so far."
        words = f"The best checkpoint is that of iteration {best.iteration:,}"
        if latest.held_out_loss:
            less = 100 * (1 - best.held_out_loss / latest.held_out_loss)
            words += f": its held-out loss is {less:.1f} % below that of the latest one"
        return f"{words}; {TAKES_THE_BEST}."


def training_report(history: ModelHistory) -> TrainingReport:
    """Judge a training by what it left behind."""
    state = history.latest.state
    looks = history.looks
    architecture = str(state.get("architecture", ""))
    sides = MASK_SIDES if architecture == "xseg" else SIDES
    known = history.losses[-_RECENT:, : len(sides)]
    known = known[np.isfinite(known).all(axis=1)]
    unknown: Mapping[str, Any] = {}
    return TrainingReport(
        model=history.name,
        architecture=architecture,
        pretraining=history.pretraining,
        iteration=history.latest.iteration,
        phase=looks[-1].phase if looks else None,
        looks=len(looks),
        verdicts=judge(
            looks,
            stretch_names=state.get(STATE_KEY, {}).get(NAMES_KEY),
            sides=sides,
        ),
        latest=_saved(history.latest),
        best=None if history.best is None else _saved(history.best),
        measures=measured(looks[-1]) if looks else {},
        losses=(
            {side: float(mean) for side, mean in zip(sides, known.mean(axis=0), strict=True)}
            if len(known)
            else None
        ),
        run=next((e for e in reversed(history.events) if e.get("kind") in BEGINNINGS), unknown),
        events=history.events,
        options=dict(state.get("options", {})),
        faces=dict(state.get("faces", {})),
        problems=history.problems,
    )


def measured(look: Look) -> dict[str, Measured]:
    """Every measure of a look with its interval."""
    return {
        name: plain_interval(interval_of(sample)) for name, sample in sorted(look.measures.items())
    }


def kind_of(verdicts: Sequence[Verdict]) -> str:
    """`good`, `fair` or `poor`: how the judgement is colored."""
    call = verdicts[0].call
    if call is Call.LEARNING:
        return "good"
    return "poor" if call.is_overfit or call is Call.UNSTABLE else "fair"


def _saved(saved: Saved) -> SavedState:
    return SavedState(
        saved.name, saved.iteration, saved.score, str(saved.state.get("saved_at", ""))
    )


def plain_interval(interval: Interval, factor: float = 1.0) -> Measured:
    """An interval as JSON can hold it, multiplied by a factor."""
    ends = (interval.value, interval.low, interval.high)
    return Measured(*(factor * end if math.isfinite(end) else None for end in ends))
