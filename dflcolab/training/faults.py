# pyright: strict
"""What goes wrong with a training: no numbers, exploding losses, a model that paints one face.

Nothing here is an absolute loss. Losses are compared with what they were shortly before, in units of
their own scatter, so that odd batches, the steep start and other options do not look like a fault.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.watch.looks import Look, Sample
from dflcolab.watch.verdicts import SIDES

RISE = 1.6
"""Losses that are so many times what they were are a fault, if their scatter does not explain it."""

_RECENT = 20
_BLOCK = 100
_BLOCKS = 10
MEMORY = _RECENT + _BLOCK * _BLOCKS
"""How many of the latest losses a judgement looks at."""

_ERRORS = 8.0
"""Standard errors by which the latest losses must lie higher: no accident in a million iterations,
also where neighbouring batches are half the same, as Quick96's are."""

_LOOKS_BEFORE = 5
_STILL_ALIVE = 0.2
_FALL = 4.0
_ONE_FACE = 0.005
_LONG_ENOUGH = 500
_LOOKS_RUNNING = 3


class FaultKind(enum.StrEnum):
    """Kinds of faults."""

    NOT_A_NUMBER = "not a number"
    EXPLOSION = "explosion"
    COLLAPSE = "collapse"
    DECLINE = "decline"
    OVERFLOW = "overflow"


@dataclass(frozen=True)
class Fault:
    """Something that training does not recover from by itself.

    Attributes:
        kind: What.
        iteration: When it was certain.
        began: Weights after this iteration, or a later one, are not to be trusted.
        evidence: The end of a sentence, with the numbers, such as "the src loss is no number".
    """

    kind: FaultKind
    iteration: int
    began: int
    evidence: str


class LossWatch:
    """Judges the losses of iterations as they come, each by those before it.

    An explosion is a median of the last 20 losses of a side that lies above the lowest median of the
    hundreds before it by `RISE` and by eight standard errors. What it says of an iteration depends on
    the last `MEMORY` losses only, and not on how many come at once: a resumed run says the same.

    Args:
        sides: What the losses of an iteration are of.
    """

    def __init__(self, sides: Sequence[str] = SIDES) -> None:
        self._sides = tuple(sides)
        self._losses = np.zeros((0, len(sides)))
        self.is_calm = True
        """False while the latest losses have made half of the way to a fault (in logarithms)."""

    def restart(self, losses: npt.ArrayLike) -> None:
        """Forget everything but these losses, `[N, sides]`; those that are lost are NaN."""
        known = np.asarray(losses, np.float64).reshape(-1, len(self._sides))
        self._losses = known[np.isfinite(known).all(axis=1) & (known > 0).all(axis=1)][-MEMORY:]
        self.is_calm = True
        if len(self._losses):
            self._is_high()

    @property
    def recent(self) -> tuple[float, ...] | None:
        """Median of the latest losses of each side; None before there are enough."""
        if len(self._losses) < _RECENT:
            return None
        return tuple(float(loss) for loss in np.median(self._losses[-_RECENT:], axis=0))

    def add(self, losses: npt.ArrayLike, first: int) -> Fault | None:
        """Take the next losses `[N, sides]` and say whether one of them is a fault.

        Args:
            losses: Of neighbouring iterations.
            first: The iteration of the first of them.
        """
        given = np.asarray(losses, np.float64).reshape(-1, len(self._sides))
        for offset, pair in enumerate(given):
            iteration = first + offset
            bad = [side for side, loss in zip(self._sides, pair, strict=True)
                   if not math.isfinite(loss)]  # fmt: skip
            if bad:
                evidence = f"the loss of {' and '.join(bad)} is no number"
                began = self._onset(iteration)
                return Fault(FaultKind.NOT_A_NUMBER, iteration, began, evidence)
            # Losses of faces are sums of squares and of dissimilarities: 0 at the very least.
            self._losses = np.concatenate(
                [self._losses[1 - MEMORY :], np.maximum(pair, 1e-9)[None]]
            )
            evidence = self._is_high()
            if evidence:
                began = self._onset(iteration + 1, exploded=True)
                return Fault(FaultKind.EXPLOSION, iteration, began, evidence)
        return None

    def _is_high(self) -> str:
        """Evidence that the latest losses are a fault, or nothing; notes whether they are calm."""
        before = self._blocks()
        if before is None:
            self.is_calm = True
            return ""
        now = np.median(np.log(self._losses[-_RECENT:]), axis=0)
        medians = np.median(before, axis=1)
        lowest = medians.min(axis=0)
        rise = now - lowest
        self.is_calm = bool((rise < math.log(RISE) / 2).all())
        if (rise <= math.log(RISE)).all():
            return ""
        spread = 1.4826 * np.median(np.abs(before - medians[:, None]), axis=(0, 1))
        # 1.2533 is the standard error of a median in units of that of a mean.
        error = 1.2533 * spread * math.sqrt(1 / _RECENT + 1 / _BLOCK)
        for index, side in enumerate(self._sides):
            if rise[index] > max(math.log(RISE), _ERRORS * error[index]):
                return (
                    f"the loss of {side} rose from {math.exp(lowest[index]):.3g} to "
                    f"{math.exp(now[index]):.3g}"
                )
        return ""

    def _blocks(self) -> npt.NDArray[np.float64] | None:
        """Logarithms of the losses before the latest ones, `[blocks, 100, sides]`; None at the start."""
        count = min(_BLOCKS, (len(self._losses) - _RECENT) // _BLOCK)
        if count < 1:
            return None
        chosen = self._losses[-_RECENT - count * _BLOCK : -_RECENT]
        return np.log(chosen).reshape(count, _BLOCK, len(self._sides))

    def _onset(self, after: int, *, exploded: bool = False) -> int:
        """The last iteration that left ordinary weights, seen from the losses before `after`.

        Goes back while the median of five neighbouring losses is unusually high; after an explosion
        from the first such one among the latest losses, since some between may happen to be low. The
        loss of an iteration belongs to the weights that the one before left.
        """
        before = self._blocks()
        if before is None:
            return after - 1
        medians = np.median(before, axis=1)
        spread = 1.4826 * np.median(np.abs(before - medians[:, None]), axis=(0, 1))
        edge = medians.min(axis=0) + np.maximum(2 * spread, math.log(RISE) / 2)
        logs = np.log(self._losses)

        def is_high(back: int) -> bool:
            end = len(logs) - back
            return end >= 5 and bool((np.median(logs[end - 5 : end], axis=0) > edge).any())

        looked_at = range(_RECENT) if exploded else ()
        high = max((back + 1 for back in looked_at if is_high(back)), default=0)
        while is_high(high):
            high += 1
        # The median of five turns three losses after the first high one.
        return after - 1 - (high + 2 if high else 0)


def fault_in_looks(
    looks: Sequence[Look], sides: Sequence[str] = SIDES, *, since: int = 0
) -> Fault | None:
    """Judge the latest look by those before it that are comparable with it.

    A model that has learned to tell faces apart and paints (nearly) one face for all has collapsed;
    so has one that never painted but one. Losses of the training faces that jump have exploded:
    over-fitting leaves these low.

    Args:
        looks: All so far, the latest last.
        sides: What the looks are at.
        since: Losses of this iteration and earlier ones are of another phase or other options, which
            move them: faces that were learned by heart without warp come out worse with it.
    """
    if not looks:
        return None
    now = looks[-1]
    before = [look for look in looks[:-1] if look.comparable == now.comparable]
    last_good = before[-1].iteration if before else 0
    for name, sample in now.measures.items():
        if name.endswith("/loss") and not math.isfinite(sample.mean):
            evidence = f"{_words(name)} is no number"
            return Fault(FaultKind.NOT_A_NUMBER, now.iteration, last_good + 1, evidence)
    recent = before[-_LOOKS_BEFORE:]
    steady = [look for look in recent if look.iteration > since]
    for side in sides:
        fault = _collapse(side, now, before, recent) or _jump(side, now, steady)
        if fault:
            return fault
    return None


def _collapse(side: str, now: Look, before: Sequence[Look], recent: Sequence[Look]) -> Fault | None:
    """All painted faces alike, where the true ones differ."""
    name = next((f"{side}/{group}/variety" for group in ("held_out", "training")
                 if f"{side}/{group}/variety" in now.measures), "")  # fmt: skip
    if not name:
        return None
    variety = now.measures[name].mean
    known = [look.measures[name].mean for look in recent if name in look.measures]
    usual = float(np.median(known)) if len(known) > 1 else 0.0
    if usual > _STILL_ALIVE and variety < usual / _FALL:
        evidence = (
            f"the painted {side} faces differ by {variety:.1%} of what the true ones do, after "
            f"{usual:.0%} before"
        )
        return Fault(FaultKind.COLLAPSE, now.iteration, recent[-1].iteration + 1, evidence)
    first = now.iteration
    run = 0
    for look in [now, *reversed(before)]:
        if name not in look.measures or look.measures[name].mean >= _ONE_FACE:
            break
        first, run = look.iteration, run + 1
    if run >= _LOOKS_RUNNING and now.iteration - first >= _LONG_ENOUGH:
        evidence = f"the model paints one and the same {side} face for all since iteration {first}"
        earlier = [look.iteration for look in before if look.iteration < first]
        began = earlier[-1] + 1 if earlier else 0
        return Fault(FaultKind.COLLAPSE, now.iteration, began, evidence)
    return None


def _jump(side: str, now: Look, recent: Sequence[Look]) -> Fault | None:
    """The loss of the same training faces is far higher than in the looks before."""
    name = f"{side}/training/loss"
    known = [look.measures[name] for look in recent if name in look.measures]
    if name not in now.measures or len(known) < 2:
        return None
    usual = float(np.median([sample.mean for sample in known]))
    mean = now.measures[name].mean
    if usual <= 0 or mean <= RISE * usual or not _is_everywhere(now.measures[name], known):
        return None
    evidence = f"the loss of the same {side} training faces rose from {usual:.3g} to {mean:.3g}"
    return Fault(FaultKind.EXPLOSION, now.iteration, recent[-1].iteration + 1, evidence)


def _is_everywhere(now: Sample, known: Sequence[Sample]) -> bool:
    """True if three of four stretches rose, and not only some odd faces."""
    alike = [sample.means for sample in known if len(sample.means) == len(now.means)]
    if not alike:
        return False
    rose = np.asarray(now.means) > math.sqrt(RISE) * np.median(alike, axis=0)
    return bool(np.mean(rose) >= 0.75)


def _words(name: str) -> str:
    side, group, measure = name.split("/")
    return f"the {measure} of {group.replace('_', '-')} {side} faces"
