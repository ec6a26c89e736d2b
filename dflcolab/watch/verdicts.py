# pyright: strict
"""What the looks say, in words: still learning, plateau, over-fitting, and what to do next.

Every criterion is relative: a loss is compared with what it was at other looks at the same faces,
never with a fixed number. A change counts where it is larger than its uncertainty (between stretches
of faces, and between looks) and than a small margin, and where the last looks all say so.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dflcolab.watch.curves import same_faces
from dflcolab.watch.findings import color_problem, mask_problem, missing_kind
from dflcolab.watch.intervals import Interval
from dflcolab.watch.looks import Look
from dflcolab.watch.trends import NEEDED_LOOKS, Trends

SIDES = ("src", "dst")

MASK_SIDES = ("masks",)
"""Of a network that learns masks: all labels together."""

_FACES_OF = {"masks": "the labels"}
"""What the faces of a side are called, where that is not its name."""

MIN_STRETCHES = 3
"""With fewer stretches of held-out faces an interval is wider than what is to be seen."""

MIN_FACES = 8
"""With fewer held-out faces a side is not judged."""


class Call(enum.StrEnum):
    """The judgements."""

    LEARNING = "still learning"
    PLATEAU = "plateau"
    OVERFIT_SRC = "over-fitting src"
    OVERFIT_DST = "over-fitting dst"
    OVERFIT_BOTH = "over-fitting src and dst"
    OVERFIT_MASKS = "over-fitting the labels"
    UNSTABLE = "unstable"
    TOO_LITTLE = "too little data for a judgement"
    MASK = "mask problem"
    COLOR = "color problem"

    @property
    def is_overfit(self) -> bool:
        """True for over-fitting of either side."""
        return self.value.startswith("over-fitting")


@dataclass(frozen=True)
class Verdict:
    """One judgement.

    Attributes:
        call: The judgement in the fewest words.
        evidence: A sentence with the numbers.
        advice: What to do next.
        since: Iteration of the look that the present ones are compared with.
        best_iteration: Iteration of the look with the lowest held-out score; 0 without any.
        gaining: The held-out score of the judged sides together still falls reliably; or one side
            alone gets worse, and the score is not surely above its best yet.
        level: The held-out score hardly falls any more, as on a plateau.
    """

    call: Call
    evidence: str
    advice: str
    since: int = 0
    best_iteration: int = 0
    gaining: bool = False
    level: bool = False


def judge(
    looks: Sequence[Look],
    *,
    stretch_names: Mapping[str, Sequence[str]] | None = None,
    sides: Sequence[str] = SIDES,
) -> tuple[Verdict, ...]:
    """Judge a training by its looks.

    Only looks with the last one's `comparable` and at the same faces count. A plateau is looked for
    within the present phase: a switch moves all losses at once.

    Args:
        looks: In the order of iterations.
        stretch_names: What the held-out stretches of a side are called, in the order of
            `Sample.means`, for the advice.
        sides: What there is to judge: `SIDES` or `MASK_SIDES`.

    Returns:
        First the judgement on learning, then what else was found (mask, color).
    """
    if not looks:
        return (Verdict(Call.TOO_LITTLE, "There is no look yet.", "Train on."),)
    last = looks[-1]
    refusals = {side: _too_few(last, side) for side in sides}
    sides = [side for side in sides if not refusals[side]]
    if not sides:
        more = _MORE_LABELS if MASK_SIDES[0] in refusals else _MORE_FACES
        return (Verdict(Call.TOO_LITTLE, _sentence("; ".join(refusals.values())), more),)
    left_out = "".join(f" Not judged: {why}." for why in refusals.values() if why)
    names = [f"{side}/{group}/loss" for side in sides for group in ("held_out", "training")]
    kept = same_faces([look for look in looks if _comparable(look, last)], names)
    if not kept:
        return (Verdict(Call.TOO_LITTLE, "The losses are no numbers.", _UNSTABLE),)
    trends = Trends(kept, sides)
    main = _main(trends, stretch_names or {})
    main = replace(main, evidence=main.evidence + left_out)
    found = [main]
    # Masks and colors may still come while the score falls.
    for side in sides if trends.settled and not main.gaining else ():
        called = (stretch_names or {}).get(side, ())
        problems = {
            Call.MASK: mask_problem(last, side, called),
            Call.COLOR: color_problem(last, side),
        }
        for call, said in problems.items():
            if said is not None:
                found.append(Verdict(call, *said, last.iteration, main.best_iteration))
    return tuple(found)


def stops(verdicts: Sequence[Verdict], stop_on: Literal["plateau", "overfit", "never"]) -> str:
    """Why training should stop by these verdicts; empty if it should not.

    Over-fitting of one side stops only when the score of both sides has become worse too.
    `plateau` stops as soon as that hardly falls any more.
    """
    for verdict in verdicts:
        past = not verdict.gaining or (verdict.level and stop_on == "plateau")
        overfit = verdict.call.is_overfit and past
        plateau = verdict.call is Call.PLATEAU and stop_on == "plateau"
        if stop_on != "never" and (overfit or plateau):
            return f"{verdict.call}: {verdict.evidence}"
    return ""


_MORE_FACES = (
    "Add faces, from other parts of the footage, until stretches can be held out; until then judge "
    "by the previews."
)
_MORE_LABELS = (
    "Label faces in other parts of the footage, until stretches can be held out; until then judge by "
    "the previews."
)
_UNSTABLE = (
    "Go back to the best state (`dflcolab model restore --checkpoint best`) and train on with clipgrad, "
    "a lower learning_rate or a lower gan_power."
)
TAKES_THE_BEST = "--checkpoint best takes it (in the notebook's form: checkpoint)"
"""How the best state is used; the words before it say what it is."""
_PLATEAU = {
    "warp": "Switch learning-rate dropout on (lr_dropout=y).",
    "lr_dropout": "Switch the warp off (random_warp=no).",
    "no_warp": "Stop, or switch GAN on for the last detail (gan_power=0.1).",
    "gan": f"Stop; the best state is kept: {TAKES_THE_BEST}.",
    "pretraining": "End pretraining and train on src and dst.",
}
_PLATEAU_ELSE = f"Stop; the best state is kept: {TAKES_THE_BEST}."


def _too_few(look: Look, side: str) -> str:
    """Why a side cannot be judged; empty if it can."""
    held_out = look.measures.get(f"{side}/held_out/loss")
    training = look.measures.get(f"{side}/training/loss")
    of = _FACES_OF.get(side, side)
    if held_out is None or training is None or not sum(held_out.counts):
        return f"no face of {of} is held out"
    faces, stretches = sum(held_out.counts), len(held_out.counts)
    if stretches < MIN_STRETCHES or faces < MIN_FACES:
        return (
            f"{faces} held-out faces of {of} in {stretches} stretches of neighbouring frames are "
            f"too few (at least {MIN_FACES} faces in {MIN_STRETCHES} stretches are needed)"
        )
    return ""


def _comparable(look: Look, last: Look) -> bool:
    return (
        look.comparable == last.comparable
        # Pretraining has other faces.
        and (look.phase == "pretraining") == (last.phase == "pretraining")
    )


def _main(trends: Trends, names: Mapping[str, Sequence[str]]) -> Verdict:
    """The judgement on learning."""
    best = trends.looks[trends.best].iteration
    if not trends.settled:
        began = trends.looks[trends.phase_start].iteration
        return Verdict(
            Call.TOO_LITTLE,
            f"{trends.in_phase} looks since iteration {began:,} are too few; a judgement needs "
            f"{NEEDED_LOOKS}.",
            "Train on.",
            began,
            best,
        )
    gain = trends.gains[-1]
    worse = trends.overfits or trends.unstable
    if worse:
        call, advice = Call.UNSTABLE, _UNSTABLE
        if trends.overfits:
            call, advice = _overfit_call(worse), _overfit_advice(trends, worse, names)
        evidence = " ".join(_rise_text(trends, side) for side in worse)
        # Where one side alone gets worse, the other may carry the score further down.
        carried = len(worse) < len(trends.sides) and not trends.past_best
        gaining = gain.reliable or carried
        if gaining:
            evidence += f" {_gain_text(trends)}"
        since = min(trends.looks[trends.rises[side][-1].best].iteration for side in worse)
        return Verdict(call, evidence, advice, since, best, gaining, trends.plateau)
    since = trends.looks[gain.first].iteration
    if trends.plateau:
        advice = _PLATEAU.get(trends.looks[-1].phase, _PLATEAU_ELSE)
        return Verdict(Call.PLATEAU, _gain_text(trends), advice, since, best)
    return Verdict(Call.LEARNING, _gain_text(trends), "Train on.", since, best, gain.reliable)


def _overfit_call(sides: Sequence[str]) -> Call:
    if len(sides) == len(SIDES):
        return Call.OVERFIT_BOTH
    return _OVERFIT[sides[0]]


_OVERFIT = {
    "src": Call.OVERFIT_SRC,
    "dst": Call.OVERFIT_DST,
    "masks": Call.OVERFIT_MASKS,
}


def _rise_text(trends: Trends, side: str) -> str:
    rise = trends.rises[side][-1]
    best = trends.looks[rise.best].iteration
    training = rise.training.value
    if abs(training) < 0.005:
        so = "stayed"
    else:
        so = f"{'rose' if training > 0 else 'fell'} by {_percent(abs(training))}"
    return (
        f"{side}: the held-out loss is {_with_ends(rise.held_out)} above its best at iteration "
        f"{best:,}, while the loss on training faces {so}: the gap grew by {_with_ends(rise.gap)}."
    )


def _gain_text(trends: Trends) -> str:
    gain = trends.gains[-1]
    change = gain.score
    if change.value > 0:
        change = Interval(change.value, change.low, change.high)
        way = "higher"
    else:
        change = Interval(-change.value, -change.high, -change.low)
        way = "lower"
    return (
        f"The held-out score of the last {gain.width} looks is {_with_ends(change)} {way} than that "
        f"of the {gain.width} before."
    )


def _overfit_advice(
    trends: Trends, sides: Sequence[str], names: Mapping[str, Sequence[str]]
) -> str:
    look = trends.looks[-1]
    best = trends.looks[trends.best].iteration
    said = [_MORE[side] for side in sides]
    for side in sides:
        kind = missing_kind(look.measures[f"{side}/held_out/loss"], names.get(side, ()))
        if kind:
            said.append(f"{side} lacks {kind}.")
    if look.phase in ("no_warp", "gan"):
        said.append(
            "Switch the warp on again (random_warp=yes): without it faces are memorized sooner."
        )
    elif look.phase in ("warp", "lr_dropout"):
        said.append("Leave the warp on: without it faces are memorized sooner.")
    if trends.gains[-1].reliable:
        of = " of both sides" if len(trends.sides) == len(SIDES) else ""
        said.append(f"The score{of} still falls, so training on still pays.")
    else:
        said.append(
            f"Without more faces, stop and look at the best state, of about iteration {best:,}: {TAKES_THE_BEST}."
        )
    return " ".join(said)


_MORE = {
    "src": "Add src faces of other light, expressions and angles.",
    "dst": "Add dst faces (lower the step between extracted frames, longer footage), or pretrain; "
    "the faces that will be merged are mostly those trained on, so it weighs less than in src.",
    "masks": "Label more faces of other angles, light and covers (`dflcolab mask next` names some).",
}


def _with_ends(interval: Interval) -> str:
    value, low, high = (_percent(share) for share in (interval.value, interval.low, interval.high))
    return f"{value} ({low.removesuffix(' %')} to {high})"


def _percent(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:.1f} %"  # + 0.0: no minus before a zero


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
