# pyright: strict
"""Whether a pair of src and dst is promising, in words, and what would help it most."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from dflcolab.faceset.bones import ShapeDistance
from dflcolab.faceset.findings import Finding, Weight, counted, faces, in_order, listed
from dflcolab.faceset.limits import (
    ALIKE,
    BLURRED_STEP,
    COLOR_STEP,
    FEW_IN_REGION,
    MIRRORING_GAIN,
    POSES_POOR,
    POSES_WELL,
    SAME_PERSON,
    SIZE_RATIO,
    SOFTER_STEP,
    UNALIKE,
)
from dflcolab.faceset.pair import Coverage, PairSummary


class Promise(enum.StrEnum):
    """How a pair looks before any training."""

    PROMISING = "promising"
    WORKABLE = "workable, with gaps"
    NOT_YET = "not promising yet"


@dataclass(frozen=True)
class Verdict:
    """What is to be expected of a pair.

    Attributes:
        promise: The judgement.
        text: The same as a sentence, with its reasons.
        helps_most: What would help most; "" if nothing in particular.
        findings: What is wrong with the pair, the most important first.
    """

    promise: Promise
    text: str
    helps_most: str
    findings: tuple[Finding, ...]


def judge_pair(pair: PairSummary, *, src_findings: Sequence[Finding] = ()) -> Verdict:
    """The verdict on a pair.

    A serious finding on either the pair or src alone makes it "not yet", a gap makes it
    "workable".

    Args:
        pair: The numbers.
        src_findings: What was found of src alone; strangers or very few faces there weigh as much.
    """
    found = in_order(pair_findings(pair))
    own = [f for f in src_findings if f.weight is Weight.SERIOUS]
    both = in_order([*own, *found])
    worst = max((f.weight for f in both), default=Weight.NOTE)
    promise = {
        Weight.NOTE: Promise.PROMISING,
        Weight.GAP: Promise.WORKABLE,
        Weight.SERIOUS: Promise.NOT_YET,
    }[worst]
    reasons = [
        f"src covers {_percent(pair.poses.share)} of dst's poses",
        f"{_percent(pair.light.share)} of its light",
        f"{_percent(pair.expressions.share)} of its expressions",
    ]
    text = f"This pair is {promise}: {listed(reasons, 'and')}."
    if pair.shape is not None:
        text += f" The faces are {shape_words(pair.shape)}."
    helps = ""
    for finding in both:
        if finding.weight > Weight.NOTE:
            # The sentence of a src finding stands elsewhere in the report, so it is repeated.
            helps = f"{finding.text} {finding.advice}" if finding in own else finding.advice
            break
    return Verdict(promise, text, helps, tuple(found))


def pair_findings(pair: PairSummary) -> list[Finding]:
    """Everything that is wrong with a pair."""
    found = [
        *_uncovered(pair.poses, "poses", "Add src footage of the person {missing}", serious=True),
        *_uncovered(
            pair.expressions,
            "expressions",
            "Add src footage of the person talking, laughing and blinking",
            serious=False,
        ),
        *_uncovered(
            pair.light,
            "light",
            "Add src footage lit as dst is, or train with a color transfer (`--set ct_mode=rct`), "
            "which evens out brightness but not the direction",
            serious=False,
        ),
    ]
    found += _mouths_and_eyes(pair)
    for check in (_softer(pair), _smaller(pair), _colors(pair), _shapes(pair), _same_person(pair)):
        if check is not None:
            found.append(check)
    return found


def shape_words(shape: ShapeDistance) -> str:
    """How differently two faces are built, in words with numbers."""
    if shape.relative < ALIKE.value:
        words = "built rather alike"
    elif shape.relative < UNALIKE.value:
        words = "built as differently as two people usually are"
    else:
        words = "built very differently"
    return (
        f"{words} (distance {shape.relative:.1f}, where two people have 1 in the middle; "
        f"within these recordings {shape.relative_low:.1f} to {shape.relative_high:.1f} at 90 %)"
    )


def _uncovered(coverage: Coverage, code: str, advice: str, *, serious: bool) -> list[Finding]:
    if coverage.share >= POSES_WELL.value:
        return []
    text = f"src covers {_percent(coverage.share)} of the {code} of dst"
    if coverage.gaps:
        first, *others = coverage.gaps[:3]
        noun = "face" if first.faces == 1 else "faces"
        parts = [f"{counted(first.faces)} dst {noun} {first.words}"]
        parts += [f"{counted(gap.faces)} {gap.words}" for gap in others]
        text += f"; not covered are {_in_turn(parts)}"
    advice = advice.format(
        missing=_in_turn([gap.words for gap in coverage.gaps[:3]] or ["as in dst"])
    )
    if coverage.mirrored - coverage.share >= MIRRORING_GAIN.value:
        advice += (
            f"; mirroring src (`--set random_src_flip=true`) would cover "
            f"{_percent(coverage.mirrored)}, at the price of a face without its asymmetry"
        )
    poor = serious and coverage.share < POSES_POOR.value
    weight = Weight.SERIOUS if poor else Weight.GAP
    return [Finding(code, weight, f"{text}.", f"{advice}.", 1.0 - coverage.share)]


def _in_turn(parts: Sequence[str]) -> str:
    """`a; b; and c`: the parts may hold commas themselves."""
    if len(parts) == 1 or not any("," in part for part in parts):
        return listed(parts, "and")
    return f"{'; '.join(parts[:-1])}; and {parts[-1]}"


def _mouths_and_eyes(pair: PairSummary) -> list[Finding]:
    found: list[Finding] = []
    for code, dst, src, words in (
        ("mouths", pair.dst_open_mouths, pair.src_open_mouths, "with an open mouth"),
        ("eyes", pair.dst_shut_eyes, pair.src_shut_eyes, "with shut eyes"),
    ):
        if dst and src < min(FEW_IN_REGION.value, dst):
            have = "src has none" if src == 0 else f"src has only {counted(src)}"
            found.append(
                Finding(
                    code,
                    Weight.GAP if src == 0 else Weight.NOTE,
                    f"dst has {faces(dst)} {words}, {have}.",
                    f"Add src footage with faces {words}.",
                )
            )
    return found


def _softer(pair: PairSummary) -> Finding | None:
    if pair.sharpness is None or pair.sharpness > -SOFTER_STEP.value:
        return None
    much = pair.sharpness <= -BLURRED_STEP.value
    return Finding(
        "softer",
        Weight.SERIOUS if much else Weight.GAP,
        f"src is {'much ' if much else ''}softer than dst ({-pair.sharpness:.1f} steps of sharpness).",
        "Use sharper src footage; a trained face gets no sharper than src. Until then, sharpening "
        "or a little blur over the merge evens it out.",
        1.0,
    )


def _smaller(pair: PairSummary) -> Finding | None:
    if pair.size is None or pair.size >= SIZE_RATIO.value:
        return None
    return Finding(
        "smaller",
        Weight.GAP,
        f"Faces of src are {pair.size:.2f} times as large in their frames as those of dst.",
        "Use src footage in which the face is larger (a close-up, a higher resolution).",
        1.0,
    )


def _colors(pair: PairSummary) -> Finding | None:
    if pair.color is None or pair.color < COLOR_STEP.value:
        return None
    return Finding(
        "color",
        Weight.NOTE,
        f"The skin colors of src and dst differ by {pair.color:.0f} steps.",
        "Train with a color transfer (`--set ct_mode=rct`) or choose one at the merge.",
        1.0,
    )


def _shapes(pair: PairSummary) -> Finding | None:
    shape = pair.shape
    if shape is None:
        return Finding(
            "shape",
            Weight.NOTE,
            "Too few faces look into the camera with a calm mouth to compare how the faces are "
            "built.",
            "Add a short clip of each looking into the camera.",
        )
    if shape.relative < UNALIKE.value:
        return None
    first = shape.proportions[0]
    return Finding(
        "shape",
        Weight.GAP,
        f"The faces are built very differently, most of all the {first.name} "
        f"({100 * first.difference:+.0f} % in src).",
        "The outline of the head stays that of dst: expect less likeness, use whole-face or head "
        "crops, or look for a dst with a face built more alike.",
        1.0,
    )


def _same_person(pair: PairSummary) -> Finding | None:
    if pair.likeness is None or pair.likeness < SAME_PERSON.value:
        return None
    return Finding(
        "same-person",
        Weight.NOTE,
        f"src and dst seem to show the same person (likeness {pair.likeness:.2f}).",
        "If that is not wanted, check whether the right video stands on each side.",
    )


def _percent(share: float) -> str:
    """Rounded down, so that 100 % is said of all only; a few are 1 %, not 0."""
    return f"{100 * share:.0f} %" if share in (0.0, 1.0) else f"{max(int(100 * share), 1)} %"
