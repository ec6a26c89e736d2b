"""Over-fitting is called soon after it begins and only then; the other verdicts say what is so."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.watch.looks import Look, Sample
from dflcolab.watch.trends import NEEDED_LOOKS
from dflcolab.watch.verdicts import Call, Verdict, judge, stops
from tests.watch.histories import Curves, looks_of, losses


def _main(looks: Sequence[Look]) -> Verdict:
    return judge(looks)[0]


def _first(looks: Sequence[Look], *, since: int = 0) -> int | None:
    """Index of the look at which over-fitting is first called."""
    ends = range(since + 1, len(looks) + 1)
    return next((end - 1 for end in ends if _main(looks[:end]).call.is_overfit), None)


@pytest.mark.parametrize("seed", range(5))
def test_over_fitting_is_called_within_ten_looks_of_the_turn(seed: int):
    # A rise of 1 % a look and windows of 4 looks, confirmed by 3: 2 % are seen after about 6 looks.
    looks = looks_of(losses(seed, 40, turn=25))
    called = _first(looks, since=20)
    assert called is not None
    assert 25 < called <= 35
    assert _main(looks[: called + 1]).best_iteration >= looks[18].iteration


def test_falling_losses_are_never_called_over_fitting():
    wrong = 0
    for seed in range(6):
        # The flat end is the hard part: the best look is the luckiest one.
        looks = looks_of(losses(seed, 60, noise=0.01, power=1.5))
        wrong += any(_main(looks[:end]).call.is_overfit for end in range(20, 61, 4))
    assert wrong == 0


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(0.0, 0.2), min_size=NEEDED_LOOKS, max_size=30),
    st.integers(4, 10),
    st.integers(0, 1000),
)
def test_held_out_losses_that_only_fall_are_never_over_fitting(
    falls: list[float], stretches: int, seed: int
):
    level = np.cumprod(1 - np.array(falls))[:, None]
    hard = np.random.default_rng(seed).lognormal(0, 0.5, stretches)
    training = np.random.default_rng(seed).uniform(0.1, 1, (len(falls), stretches))
    curves = {"src/held_out/loss": level * hard, "src/training/loss": training}
    assert not _main(looks_of(curves)).call.is_overfit


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 50), st.floats(1e-3, 1e3), st.integers(12, 45))
def test_the_size_of_the_loss_does_not_matter(seed: int, unit: float, count: int):
    curves = losses(seed, count, turn=20)
    scaled = {name: unit * values for name, values in curves.items()}
    plain, other = judge(looks_of(curves)), judge(looks_of(scaled))
    assert [v.call for v in plain] == [v.call for v in other]
    assert (plain[0].since, plain[0].best_iteration) == (other[0].since, other[0].best_iteration)


@pytest.mark.parametrize(
    ("over", "call"),
    [
        (("src",), Call.OVERFIT_SRC),
        (("dst",), Call.OVERFIT_DST),
        (("src", "dst"), Call.OVERFIT_BOTH),
    ],
)
def test_the_side_that_over_fits_is_named(over: tuple[str, ...], call: Call):
    verdict = _main(looks_of(losses(1, 50, turn=20, over=over)))
    assert verdict.call is call
    for side in over:
        assert f"{side}: the held-out loss is" in verdict.evidence
    assert "above its best at iteration" in verdict.evidence


def test_exchanged_sides_exchange_the_call():
    curves = losses(2, 50, turn=20, over=("src",))
    exchanged = {("dst" if n[:3] == "src" else "src") + n[3:]: v for n, v in curves.items()}
    assert _main(looks_of(curves)).call is Call.OVERFIT_SRC
    assert _main(looks_of(exchanged)).call is Call.OVERFIT_DST


def test_a_loss_that_rises_on_training_faces_too_is_no_over_fitting():
    curves = losses(3, 40)
    for values in curves.values():
        values[25:] *= 1 + 0.05 * np.arange(1, 16)[:, None]
    verdict = _main(looks_of(curves))
    assert verdict.call is Call.UNSTABLE
    assert "clipgrad" in verdict.advice


def test_a_score_that_falls_is_learning_and_one_that_stays_is_a_plateau():
    looks = looks_of(losses(4, 60, power=2.0))
    early, late = _main(looks[:NEEDED_LOOKS]), _main(looks)
    assert early.call is Call.LEARNING
    assert early.gaining
    assert late.call is Call.PLATEAU
    assert "lr_dropout" in late.advice
    steady = looks_of({n: 0.95 ** np.arange(30)[:, None] * np.ones((30, 6)) for n in _NAMES})
    assert _main(steady).call is Call.LEARNING


_NAMES = tuple(f"{s}/{g}/loss" for s in ("src", "dst") for g in ("held_out", "training"))


def _exact(held_out: npt.ArrayLike, training: npt.ArrayLike) -> Curves:
    """Losses without noise, alike in six stretches of both sides."""
    columns = {"held_out": np.asarray(held_out), "training": np.asarray(training)}
    return {n: np.outer(columns[n.split("/")[1]], np.linspace(0.8, 1.2, 6)) for n in _NAMES}


def test_a_switch_that_lowers_or_raises_losses_at_once_is_no_verdict():
    flat = np.ones(30)
    before = looks_of(_exact(flat, 0.8 * flat))
    for factor in (0.5, 1.5):
        after = looks_of(_exact(factor * flat[:5], 0.4 * flat[:5]), phase="no_warp")
        moved = [replace(look, iteration=look.iteration + 15_000) for look in after]
        verdict = _main([*before, *moved])
        assert verdict.call is Call.TOO_LITTLE
        assert "5 looks since iteration 15,500 are too few" in verdict.evidence


def test_looks_at_other_losses_or_faces_do_not_count():
    good = looks_of(_exact(0.5 * np.ones(20), np.ones(20)), same="before")
    now = looks_of(_exact(np.ones(20), 0.5 * np.ones(20)))
    alone = judge(now)
    moved = [replace(look, iteration=look.iteration - 10_000) for look in good]
    assert judge([*moved, *now]) == alone
    other_faces = [
        replace(
            look,
            comparable="a",
            measures={n: Sample(s.means[:5], s.counts[:5]) for n, s in look.measures.items()},
        )
        for look in moved
    ]
    assert judge([*other_faces, *now]) == alone
    pretraining = [replace(look, comparable="a", phase="pretraining") for look in moved]
    assert judge([*pretraining, *now]) == alone


def _few(stretches: int, faces: int, sides: Sequence[str] = ("src", "dst")) -> list[Look]:
    curves = _exact(np.linspace(1, 2, 20), np.linspace(1, 0.2, 20))
    looks = looks_of({n: v[:, :stretches] for n, v in curves.items()})
    return [
        replace(
            look,
            measures={
                n: Sample(s.means, (faces,) * stretches) if n[:3] in sides else s
                for n, s in look.measures.items()
            },
        )
        for look in looks
    ]


@pytest.mark.parametrize(("stretches", "faces"), [(2, 10), (4, 1), (0, 0)])
def test_too_few_held_out_faces_are_said_to_be_too_few(stretches: int, faces: int):
    verdict = _main(_few(stretches, faces))
    assert verdict.call is Call.TOO_LITTLE
    assert "Add faces" in verdict.advice
    if faces:
        assert (
            f"{faces * stretches} held-out faces of src in {stretches} stretches"
            in verdict.evidence
        )
    else:
        assert "No face of src is held out" in verdict.evidence


def test_one_side_is_judged_where_the_other_cannot_be():
    looks = _few(6, 4)
    without = [
        replace(look, measures={n: s for n, s in look.measures.items() if n[:3] == "src"})
        for look in looks
    ]
    verdict = _main(without)
    assert verdict.call is Call.OVERFIT_SRC
    assert verdict.evidence.endswith("Not judged: no face of dst is held out.")


def test_no_looks_and_losses_that_are_no_numbers_are_no_judgement():
    assert _main([]).call is Call.TOO_LITTLE
    broken = looks_of(_exact(np.full(20, np.nan), np.ones(20)))
    assert _main(broken).call is Call.TOO_LITTLE


def test_over_fitting_of_one_side_ends_training_only_when_the_score_has_ceased_to_fall():
    curves = _exact(np.linspace(1, 1.1, 30), np.linspace(1, 0.5, 30))
    # The second falls so slowly that four looks beside four do not show it: the score is at its best.
    for rate, ends_by in ((0.95, set[str]()), (0.996, {"plateau"})):
        falling = np.outer(rate ** np.arange(30), np.linspace(2, 3, 6))
        curves |= {"dst/held_out/loss": falling, "dst/training/loss": falling}
        verdict = _main(looks_of(curves))
        assert verdict.call is Call.OVERFIT_SRC
        assert verdict.gaining
        choices: tuple[Literal["plateau", "overfit"], ...] = ("plateau", "overfit")
        assert {choice for choice in choices if stops([verdict], choice)} == ends_by
    curves["dst/held_out/loss"] = np.full((30, 6), 0.1)
    assert stops([_main(looks_of(curves))], "overfit").startswith("over-fitting src: src: the held")


@pytest.mark.parametrize(
    ("call", "stopped_by"),
    [
        (Call.PLATEAU, ("plateau",)),
        (Call.OVERFIT_SRC, ("plateau", "overfit")),
        (Call.LEARNING, ()),
        (Call.UNSTABLE, ()),
        (Call.TOO_LITTLE, ()),
        (Call.MASK, ()),
    ],
)
def test_what_stops_a_training(call: Call, stopped_by: tuple[str, ...]):
    choices: tuple[Literal["plateau", "overfit", "never"], ...] = ("plateau", "overfit", "never")
    verdicts = (Verdict(call, "So it is.", ""),)
    assert tuple(choice for choice in choices if stops(verdicts, choice)) == stopped_by


def test_faces_that_training_lacks_are_named():
    curves = losses(1, 50, turn=20, over=("src",))
    curves["src/held_out/loss"][:, 2] *= 3
    names = ["a", "b", "frames 40 to 60", *"defgh"]
    advice = judge(looks_of(curves), stretch_names={"src": names})[0].advice
    assert "above all faces like those of frames 40 to 60: their loss is " in advice
    # Names of other stretches than those that were looked at are none.
    advice = judge(looks_of(curves), stretch_names={"src": names[:-1]})[0].advice
    assert "like those of held-out stretch 3" in advice


@pytest.mark.parametrize(
    ("held_out", "training", "found"),
    [
        ([0.05] * 6, [0.04] * 6, ""),
        ([0.3] * 6, [0.3] * 6, "even on training faces 30.0 %"),
        ([0.05, 0.05, 0.5, 0.05, 0.04, 0.06], [0.04] * 6, "held-out stretch 3"),
        ([0.2] * 6, [0.04] * 6, "on held-out faces 20.0 %"),
    ],
)
def test_masks_that_do_not_come_are_found(held_out: list[float], training: list[float], found: str):
    curves = _exact(np.ones(20), np.ones(20))
    curves["src/held_out/mask_iou"] = np.tile(1 - np.array(held_out), (20, 1))
    curves["src/training/mask_iou"] = np.tile(1 - np.array(training), (20, 1))
    problems = [verdict for verdict in judge(looks_of(curves)) if verdict.call is Call.MASK]
    assert len(problems) == bool(found)
    assert all(found in problem.evidence for problem in problems)
    named = judge(looks_of(curves), stretch_names={"src": [f"frame {i}" for i in range(6)]})
    wanted = found.replace("held-out stretch 3", "of frame 2 ")
    assert all(wanted in problem.evidence for problem in named if problem.call is Call.MASK)


def test_masks_may_come_while_the_score_still_falls():
    curves = _exact(0.9 ** np.arange(20), 0.9 ** np.arange(20))
    for group in ("held_out", "training"):
        curves[f"src/{group}/mask_iou"] = np.full((20, 6), 0.5)
    assert [verdict.call for verdict in judge(looks_of(curves))] == [Call.LEARNING]


@pytest.mark.parametrize(
    ("held_out", "training", "found"), [(8.0, 2.0, True), (1.5, 0.2, False), (8.0, 6.0, False)]
)
def test_colors_that_training_lacks_are_found(held_out: float, training: float, *, found: bool):
    curves = _exact(np.ones(20), np.ones(20))
    curves["dst/held_out/color"] = np.full((20, 6), held_out)
    curves["dst/training/color"] = np.full((20, 6), training)
    assert (Call.COLOR in [verdict.call for verdict in judge(looks_of(curves))]) == found


def test_thousands_of_looks_are_judged_quickly():
    looks = looks_of(losses(0, 3000))
    judge(looks)
    times: list[float] = []
    for _ in range(5):
        begin = time.process_time()
        judge(looks)
        times.append(time.process_time() - begin)
    assert min(times) < 0.2  # 0.04 s on a quiet machine; a look takes a second or more
