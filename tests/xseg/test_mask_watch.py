"""The watch judges masks as it judges swapping models, with the labels as the one side."""

from __future__ import annotations

import pytest

from dflcolab.watch.verdicts import MASK_SIDES, Call, judge, stops
from tests.watch.histories import Curves, looks_of, losses


def of_masks(turn: int | None, count: int = 50, **changes) -> Curves:
    return losses(1, count, turn=turn, over=MASK_SIDES, sides=MASK_SIDES, **changes)


@pytest.mark.parametrize(
    ("curves", "call"),
    [
        (of_masks(20), Call.OVERFIT_MASKS),
        (of_masks(None, count=12), Call.LEARNING),
        (of_masks(None, power=1.5, count=80), Call.PLATEAU),
        (of_masks(20, stretches=2), Call.TOO_LITTLE),
    ],
)
def test_labels_are_judged_by_the_same_words(curves: Curves, call: Call):
    verdict, *others = judge(looks_of(curves, phase="masks"), sides=MASK_SIDES)
    assert verdict.call is call
    assert others == []
    said = f"{verdict.evidence} {verdict.advice}"
    assert "src" not in said
    assert "dst" not in said
    assert ("Label faces in other parts" in said) is (call is Call.TOO_LITTLE)
    assert ("mask next" in said) is (call is Call.OVERFIT_MASKS)


def test_over_fitting_of_the_labels_ends_training_where_that_is_asked_for():
    verdicts = judge(looks_of(of_masks(20), phase="masks"), sides=MASK_SIDES)
    assert verdicts[0].best_iteration <= 500 * 22
    assert stops(verdicts, "overfit")
    assert not stops(verdicts, "never")
