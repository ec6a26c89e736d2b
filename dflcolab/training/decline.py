# pyright: strict
"""Faults that no two neighbouring looks show: a model that gets worse, or paints ever more alike faces.

Sudden faults are judged by `faults`. Here looks are compared with the best ones of the same phase of
training under the same options, since a switch moves all losses at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dflcolab.training.faults import Fault, FaultKind
from dflcolab.watch.looks import Look
from dflcolab.watch.trends import CONFIRMED_BY, WINDOW
from dflcolab.watch.verdicts import SIDES, Call, Verdict, judge

_FAR = 1.25
_LONG = 10
_PART_LEFT = 0.25
_ALIVE = 0.2
_WHOLE = 0.9
_LIKE_BEST = 1.05


def decline_in_looks(looks: Sequence[Look], sides: Sequence[str] = SIDES) -> Fault | None:
    """Judge the latest looks by the best ones.

    Painted faces that differ by less than a quarter of what they did at their best have collapsed. A
    training that is called unstable, because training and held-out faces both became much worse, has
    declined if the loss on training faces rose by a quarter, or if the call stayed for ten looks:
    waves of a high learning rate come and go. While the score falls again, nothing is a decline.

    Args:
        looks: Those of the present phase under the present options, the latest last.
        sides: As `judge` takes them.
    """
    if not looks:
        return None
    alike = [look for look in looks if look.comparable == looks[-1].comparable]
    for side in sides:
        fault = _fading(alike, side)
        if fault is not None:
            return fault
    main = _unstable(alike, sides)
    if main is None or not (_far_up(alike, main.since, sides) or _stays(alike, sides)):
        return None
    evidence = f"training is unstable ({main.evidence.removesuffix('.')})"
    return Fault(FaultKind.DECLINE, looks[-1].iteration, main.since + 1, evidence)


def _unstable(looks: Sequence[Look], sides: Sequence[str]) -> Verdict | None:
    """The judgement, if that is what it says, and the score does not fall."""
    main = judge(looks, sides=sides)[0]
    return main if main.call is Call.UNSTABLE and not main.gaining else None


def _far_up(looks: Sequence[Look], since: int, sides: Sequence[str]) -> bool:
    """The loss on training faces of a side is far above what it was at that iteration."""
    place = next(i for i, look in enumerate(looks) if look.iteration >= since)
    best = looks[max(0, place - WINDOW // 2) :][:WINDOW]
    for name in (f"{side}/training/loss" for side in sides):
        then, now = (
            np.mean([look.measures[name].mean for look in window])
            for window in (best, looks[-WINDOW:])
        )
        if now >= _FAR * then:
            return True
    return False


def _stays(looks: Sequence[Look], sides: Sequence[str]) -> bool:
    """It was called unstable by each of the last looks."""
    ends = range(len(looks) - 1, len(looks) - _LONG, -1)
    return len(looks) > _LONG and all(_unstable(looks[:end], sides) for end in ends)


def _fading(looks: Sequence[Look], side: str) -> Fault | None:
    """The painted faces of a side become ever more alike."""
    name = next((f"{side}/{group}/variety" for group in ("held_out", "training")
                 if f"{side}/{group}/variety" in looks[-1].measures), "")  # fmt: skip
    known = [look for look in looks if name in look.measures]
    if len(known) <= CONFIRMED_BY:
        return None
    varieties = np.array([look.measures[name].mean for look in known])
    # A single odd look is no best; and more variety than the true faces have is no virtue.
    threes = np.lib.stride_tricks.sliding_window_view(varieties, 3)
    best = min(float(np.median(threes, axis=1).max()), 1.0)
    last = varieties[-CONFIRMED_BY:]
    if best <= _ALIVE or not bool((last < _PART_LEFT * best).all()):
        return None
    whole = known[int(np.flatnonzero(varieties >= _WHOLE * best)[-1])]
    evidence = (
        f"the painted {side} faces differ by {last[-1]:.1%} of what the true ones do, after "
        f"{best:.0%} until iteration {whole.iteration:,}"
    )
    return Fault(FaultKind.COLLAPSE, looks[-1].iteration, whole.iteration + 1, evidence)


def within_reach(fault: Fault, looks: Sequence[Look], saved: Mapping[int, float]) -> Fault | None:
    """The fault with a begin just after a saved state; None if there is none to go back to.

    What declines slowly has no sharp begin. So the last state that was saved before it is compared
    with later ones that do nearly as well as the best look (within 5 %), and the best of these
    counts; often the first is gone from the disk.

    Args:
        fault: As `decline_in_looks` gave it.
        looks: The same looks.
        saved: Held-out loss of each state on disk that is comparable with that of the looks, by
            iteration.
    """
    good = sorted(at for at in saved if at < fault.began)[-1:]
    if fault.kind is FaultKind.DECLINE:
        scores = [_score(look) for look in looks if look.comparable == looks[-1].comparable]
        most = _LIKE_BEST * min(scores)
        good += [at for at in saved if fault.began <= at < fault.iteration and saved[at] <= most]
    if not good:
        return None
    return replace(fault, began=min(good, key=lambda at: saved[at]) + 1)


def _score(look: Look) -> float:
    return sum(m.mean for name, m in look.measures.items() if name.endswith("/held_out/loss"))
