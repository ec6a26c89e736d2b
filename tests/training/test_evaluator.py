"""Looks at a model: the measures are what they are called, and change with the model alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.losses.reconstruction import reconstruction_parts
from dflcolab.models.autoencoder import Face
from dflcolab.models.kinds import SwapModelOptions, swap_options_of
from dflcolab.models.presets import PRESETS
from dflcolab.training.augment import PADDING, Sampled, plain_batch
from dflcolab.training.evaluator import Evaluator, choose, meaning_of, variety
from dflcolab.training.face_measures import face_measures
from dflcolab.training.objective import Compared
from dflcolab.training.session import Session
from dflcolab.training.side_faces import SideFaces
from dflcolab.training.step_plan import StepPlan
from tests.training.watched_faces import in_stretches, smooth_faces

OPTIONS = swap_options_of("saehd", {**PRESETS["saehd"]["tiny"], "batch_size": 2})
SIZE = OPTIONS.resolution


def _sides(n_training: int = 20, n_held: int = 15) -> dict[str, SideFaces]:
    return {
        side: SideFaces(
            smooth_faces(seed, n_training, SIZE),
            smooth_faces(seed + 10, n_held, SIZE) if n_held else None,
            in_stretches(n_training),
            in_stretches(n_held),
        )
        for side, seed in (("src", 1), ("dst", 2))
    }


def _compared(side: Sampled, picture: tf.Tensor, mask: tf.Tensor) -> Compared:
    parts = reconstruction_parts(
        side.target, side.mask, side.eyes_mouth, picture, mask,
        masked_training=False, eyes_mouth_prio=True,
    )  # fmt: skip
    return Compared(Face(picture, mask), parts)


def _darker(src: Sampled, dst: Sampled):
    """A model that paints faces at four fifths of their brightness, with masks shifted to the right."""

    def paint(side: Sampled) -> dict[str, tf.Tensor]:
        shifted = tf.roll(side.mask, 4, axis=2)
        return face_measures(side, _compared(side, side.target * 0.8, shifted))

    return paint(src), paint(dst)


def _perfect(src: Sampled, dst: Sampled):
    return tuple(face_measures(s, _compared(s, s.target, s.mask)) for s in (src, dst))


def _unpainted(src, dst):
    raise AssertionError("no swap was asked for")


def _look(evaluator: Evaluator, judge=_darker, at_once: int = 4):
    return evaluator.look(judge, _unpainted, at_once=at_once, swap=False).measures


def test_measures_are_what_numpy_finds():
    faces = smooth_faces(3, 6, SIZE).faces
    side = plain_batch(faces)
    inner = faces[:, PADDING:-PADDING, PADDING:-PADDING].astype(np.float64) / 255
    target, mask, eyes = inner[..., :3], inner[..., 3], inner[..., 4]
    picture, painted_mask = target**2, np.roll(mask, 5, axis=1)

    found = face_measures(
        side,
        _compared(
            side,
            tf.constant(picture, tf.float32),
            tf.constant(painted_mask[..., None], tf.float32),
        ),
    )

    # The tolerances are float32 sums over 64 x 64 pixels.
    square = np.square(target - picture)
    inside = (square.mean(axis=3) * mask).sum(axis=(1, 2)) / mask.sum(axis=(1, 2))
    np.testing.assert_allclose(found["inside"], inside, rtol=1e-4)
    np.testing.assert_allclose(found["square"], 10 * square.mean(axis=(1, 2, 3)), rtol=1e-4)
    of_masks = 10 * np.square(mask - painted_mask).mean(axis=(1, 2))
    np.testing.assert_allclose(found["mask"], of_masks, rtol=1e-4)
    of_eyes = 300 * (np.abs(target - picture) * eyes[..., None]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(found["eyes_mouth"], of_eyes, rtol=1e-4)
    a, b = mask > 0.5, painted_mask > 0.5
    iou = (a & b).sum(axis=(1, 2)) / (a | b).sum(axis=(1, 2))
    np.testing.assert_allclose(found["mask_iou"], iou, rtol=1e-5)
    for name, values in (("target", target), ("painted", picture)):
        color = (values * mask[..., None]).sum(axis=(1, 2)) / mask.sum(axis=(1, 2))[:, None]
        np.testing.assert_allclose(found[f"color_{name}"], color, rtol=1e-4)
    parts = sum(found[part].numpy() for part in ("dssim", "square", "eyes_mouth", "mask"))
    np.testing.assert_allclose(found["loss"], parts, rtol=1e-6)


def test_samples_are_means_over_the_stretches_of_the_chosen_faces():
    sides = _sides()
    evaluator = Evaluator(OPTIONS, sides, most=9, most_warped=4)

    measures = _look(evaluator)

    held = sides["dst"].held_out
    assert held is not None
    chosen = choose(sides["dst"].held_out_stretches, 9)
    side = plain_batch(held.batch(chosen))
    found = face_measures(side, _compared(side, side.target * 0.8, tf.roll(side.mask, 4, axis=2)))
    psnr = -10 * np.log10(found["inside"].numpy())
    colors = [
        cv2.cvtColor(found[f"color_{name}"].numpy()[None], cv2.COLOR_BGR2LAB)[0]
        for name in ("target", "painted")
    ]
    expected = {
        "loss": found["loss"].numpy(),
        "dssim": found["dssim"].numpy(),
        "psnr": psnr,
        "mask_iou": found["mask_iou"].numpy(),
        "color": np.linalg.norm(colors[0] - colors[1], axis=1),
    }
    for name, values in expected.items():
        sample = measures[f"dst/held_out/{name}"]
        assert sample.counts == (3, 3, 3)
        means = [values[chosen // 5 == stretch].mean() for stretch in range(3)]
        np.testing.assert_allclose(sample.means, means, rtol=1e-5)
    # A darker face by a factor has 0.64 of the spread.
    assert measures["dst/held_out/variety"].mean == pytest.approx(0.64, rel=1e-4)


def test_perfect_painting_is_perfect_by_every_measure():
    measures = _look(Evaluator(OPTIONS, _sides(), most=6, most_warped=3), _perfect)

    for group in ("src/training", "src/held_out", "dst/training", "dst/held_out"):
        assert measures[f"{group}/loss"].mean == pytest.approx(0, abs=1e-4)
        assert measures[f"{group}/psnr"].mean == 60  # more is not told apart
        assert measures[f"{group}/mask_iou"].mean == 1
        assert measures[f"{group}/color"].mean == 0
        assert measures[f"{group}/variety"].mean == pytest.approx(1)
        assert measures[f"{group}_warped/loss"].mean == pytest.approx(0, abs=1e-4)


def test_how_many_faces_the_model_takes_at_once_changes_nothing():
    looks = [
        _look(Evaluator(OPTIONS, _sides(), most=7, most_warped=5), at_once=at_once)
        for at_once in (1, 3, 16)
    ]
    assert looks[0].keys() == looks[1].keys() == looks[2].keys()
    for name, sample in looks[0].items():
        for other in looks[1:]:
            assert other[name].counts == sample.counts
            # Sums in another order: float32 rounding.
            np.testing.assert_allclose(other[name].means, sample.means, rtol=1e-5, atol=1e-6)


def test_warped_views_are_drawn_once_and_are_warped():
    seen: list[Sampled] = []

    def judge(src: Sampled, dst: Sampled):
        seen.append(src)
        return _darker(src, dst)

    evaluator = Evaluator(OPTIONS, _sides(), most=2, most_warped=2)
    first = _look(evaluator, judge, at_once=2)
    assert _look(evaluator, judge, at_once=2) == first
    n = len(seen) // 2
    for before, after in zip(seen[:n], seen[n:], strict=True):
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a, b)
    shifted = [float(np.abs(side.warped - side.target).mean()) for side in seen[:n]]
    assert sorted(shift > 0.01 for shift in shifted) == [False, False, True, True]
    # Another evaluator of the same faces, as after a resume, draws the same views.
    assert _look(Evaluator(OPTIONS, _sides(), most=2, most_warped=2)) == first


def test_training_faces_are_as_many_as_held_out_ones():
    measures = _look(Evaluator(OPTIONS, _sides(40, 10)))
    for side in ("src", "dst"):
        assert sum(measures[f"{side}/held_out/loss"].counts) == 10
        assert sum(measures[f"{side}/training/loss"].counts) == 10
        assert len(measures[f"{side}/training/loss"].counts) == 8


def test_a_side_without_held_out_faces_has_no_such_measures():
    sides = _sides()
    sides["src"] = SideFaces(sides["src"].training, None)
    evaluator = Evaluator(OPTIONS, sides, most=4, most_warped=2)

    measures = evaluator.look(_darker, _unpainted, at_once=2, swap=True).measures

    groups = {name.rpartition("/")[0] for name in measures}
    assert groups == {
        "src/training", "src/training_warped", "dst/training", "dst/training_warped",
        "dst/held_out", "dst/held_out_warped",
    }  # fmt: skip
    alone = evaluator.held_out(_darker, at_once=2)
    assert alone == {"dst/held_out/loss": measures["dst/held_out/loss"]}
    sides["dst"] = SideFaces(sides["dst"].training, None)
    assert Evaluator(OPTIONS, sides).held_out(_darker, at_once=2) == {}


def test_a_face_without_a_mask_counts_where_no_mask_is_needed():
    sides = _sides(10, 10)
    held = sides["src"].held_out
    assert held is not None
    held.faces[:5, ..., 3] = 0
    measures = _look(Evaluator(OPTIONS, sides))

    assert measures["src/held_out/loss"].counts == (5, 5)
    for name in ("psnr", "mask_iou", "color"):
        assert measures[f"src/held_out/{name}"].counts == (5,)
        assert np.isfinite(measures[f"src/held_out/{name}"].means).all()


def test_a_diverged_model_is_seen():
    def broken(src: Sampled, dst: Sampled):
        found = _darker(src, dst)
        found[0]["loss"] *= float("nan")
        return found

    measures = _look(Evaluator(OPTIONS, _sides(), most=4, most_warped=2), broken)
    assert np.isnan(measures["src/held_out/loss"].mean)
    assert np.isfinite(measures["dst/held_out/loss"].mean)


def test_the_digest_stands_for_the_faces_that_are_looked_at():
    digest = Evaluator(OPTIONS, _sides()).faces_digest
    assert Evaluator(OPTIONS, _sides()).faces_digest == digest
    changed = _sides()
    held = changed["dst"].held_out
    assert held is not None
    held.faces[0, 5, 5, 0] += 1
    assert Evaluator(OPTIONS, changed).faces_digest != digest


def test_a_score_is_by_the_options_of_the_loss_and_of_held_out_faces_alone():
    def meaning(options: SwapModelOptions, sides: dict[str, SideFaces]) -> str:
        return meaning_of(options, Evaluator(options, sides).held_out_digest)

    usual = meaning(OPTIONS, _sides())
    more = _sides()
    more["src"].training.faces[0, 5, 5, 0] += 1
    assert meaning(OPTIONS, more) == usual
    held = more["src"].held_out
    assert held is not None
    held.faces[0, 5, 5, 0] += 1
    assert meaning(OPTIONS, more) != usual
    eyes = dataclasses.replace(OPTIONS, eyes_mouth_prio=not OPTIONS.eyes_mouth_prio)
    assert meaning(eyes, _sides()) != usual
    assert meaning(dataclasses.replace(OPTIONS, learning_rate=1e-6), _sides()) == usual


def test_variety_of_one_face_for_all_is_none_and_of_noise_outside_does_not_count():
    rng = np.random.default_rng(0)
    targets = rng.random((8, 32, 32, 3), np.float32)
    masks = np.zeros((8, 32, 32, 1), np.float32)
    masks[:, 8:24, 8:24] = 1

    def mean(painted: np.ndarray) -> float:
        values = variety(targets, painted, masks)
        assert values is not None
        return float(values.mean())

    same = np.repeat(targets.mean(axis=0)[None], 8, axis=0)
    assert mean(same) == pytest.approx(0, abs=1e-6)
    assert mean(targets) == pytest.approx(1)
    assert mean(same + (1 - masks) * rng.random(targets.shape, np.float32)) < 1e-6
    assert variety(same, targets, masks) is None


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=20),
    count=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_faces_are_chosen_from_as_many_stretches_as_possible(
    sizes: list[int], count: int, seed: int
):
    numbers = np.random.default_rng(seed).permutation(len(sizes)) * 7
    stretches = np.repeat(numbers, sizes)

    chosen = choose(stretches, count)

    assert (np.diff(chosen) > 0).all()
    found, counts = np.unique(stretches[chosen], return_counts=True)
    assert len(found) == min(len(sizes), count)
    if count >= len(sizes):
        assert len(chosen) == min(count, len(stretches))
        # Even: a stretch has two fewer than another only where it has no more.
        for number, n in zip(found, counts, strict=True):
            assert n >= counts.max() - 1 or n == (stretches == number).sum()


SMALL = {
    "saehd": PRESETS["saehd"]["tiny"],
    "amp": PRESETS["amp"]["tiny"],
    "quick96": {},
}


@pytest.mark.parametrize("arch", SMALL)
def test_a_look_at_a_model_teaches_it_nothing_and_repeats_itself(arch: str, tmp_path: Path):
    options = swap_options_of(arch, {**SMALL[arch], "batch_size": 2})
    sides = {
        side: SideFaces(
            smooth_faces(seed, 6, options.resolution),
            smooth_faces(seed + 5, 5, options.resolution),
        )
        for side, seed in (("src", 1), ("dst", 2))
    }
    session = Session(
        tmp_path, options, *sides.values(), seed=1, precision="float32",
        plan=StepPlan("CPU", 2, 2),
    )  # fmt: skip
    session.start_new()
    before = {name: v.numpy() for name, v in session._state.variables.items()}

    alone = session.evaluate()
    first = session.look(swap=False)
    session._looked = None
    again = session.look(swap=False)

    assert again.measures == first.measures
    assert first.seconds > 0
    assert session._step.evaluate.experimental_get_tracing_count() == 1
    for name, variable in session._state.variables.items():
        np.testing.assert_array_equal(variable.numpy(), before[name])
    # The score of a checkpoint is that of the look, to the last digit.
    scores = {side: first.measures[f"{side}/held_out/loss"].mean for side in sides}
    assert alone == session.evaluate() == scores
    assert session.look(swap=False) is again
    if arch == "saehd":
        session.train_one()
        assert session.look(swap=False).measures != first.measures
        weight = next(iter(session._state.variables.values()))
        weight.assign(weight * float("nan"))
        session._looked = None
        assert session.evaluate() is None
