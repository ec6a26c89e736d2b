"""What is told of a swap, on real faces: who it is, whether it follows dst, how sharp, how steady."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflcolab.faces.face_type import FaceType
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.side_faces import SideFaces
from dflcolab.training.swap_measures import SwapMeasures, neighbours, steadiness
from dflcolab.watch.looks import Sample
from tests.material import STUDIO_WOMAN, WEBCAM_MAN
from tests.training.watched_faces import real_faces

SRC_FRAMES, DST_FRAMES = (5, 250, 300, 340), (0, 1, 2, 40, 41, 42)
STRETCHES = np.repeat([0, 1], 3)

Faces = np.ndarray


@pytest.fixture(scope="module")
def measures() -> SwapMeasures:
    return SwapMeasures(
        _held_out(real_faces(STUDIO_WOMAN, SRC_FRAMES), np.array([0, 1, 1, 2])),
        _held_out(real_faces(WEBCAM_MAN, DST_FRAMES), STRETCHES),
        FaceType.WHOLE,
    )


def _held_out(faces: TrainingFaces, stretches: np.ndarray) -> SideFaces:
    return SideFaces(faces, faces, stretches, stretches)


def _look(measures: SwapMeasures, swap) -> dict[str, Sample]:
    """With a model that paints faces as they are, and swaps by a function of src and dst."""

    def paint(src: Faces, dst: Faces) -> tuple[Faces, Faces, Faces]:
        own, below = (side.astype(np.float32) / 255 for side in (src, dst))
        return own, below, swap(own, below)

    return measures.look(paint)


def test_no_swap_at_all_is_dst_in_all_but_identity(measures: SwapMeasures):
    found = _look(measures, lambda src, dst: dst)

    assert found["swap/held_out/identity_dst"].mean > 0.99
    assert found["swap/held_out/identity_src"].mean < 0.4
    # Bytes are rounded once on the way; the landmark network may take another look at the picture.
    assert found["swap/held_out/landmarks"].mean < 0.01
    assert found["swap/held_out/pose"].mean < 0.5
    assert found["swap/held_out/presence"].mean > 0.99
    assert found["swap/held_out/steadiness"].mean == pytest.approx(1, abs=0.02)
    assert found["src/held_out/identity"].mean > 0.99
    assert found["dst/held_out/identity"].mean > 0.99
    assert found["src/held_out/identity"].counts == (1, 2, 1)
    for name, sample in found.items():
        if name.startswith("swap/") and not name.endswith("steadiness"):
            assert sample.counts == (3, 3), name
    assert found["swap/held_out/steadiness"].counts == (1, 1)


def test_a_swap_that_shows_src_is_taken_for_src(measures: SwapMeasures):
    found = _look(measures, lambda src, dst: src)

    likeness = found["swap/held_out/identity_src"].mean
    assert likeness > 0.4
    assert likeness > found["swap/held_out/identity_dst"].mean + 0.1
    # The faces of src look elsewhere.
    assert found["swap/held_out/landmarks"].mean > 0.05
    assert found["swap/held_out/pose"].mean > 2


def test_a_blurred_swap_is_softer_and_a_moved_one_disagrees(measures: SwapMeasures):
    as_it_is = _look(measures, lambda src, dst: dst)

    def blurred(src: Faces, dst: Faces):
        return np.stack([cv2.GaussianBlur(face, (0, 0), 3) for face in dst])

    def moved(src: Faces, dst: Faces):
        # 6 of 128 pixels to the right; the eyes are about 30 apart.
        return np.roll(dst, 6, axis=2)

    def sharpness(found):
        return found["swap/held_out/sharpness"].mean

    assert sharpness(_look(measures, blurred)) < sharpness(as_it_is) - 0.5
    away = _look(measures, moved)["swap/held_out/landmarks"].mean
    assert 0.1 < away < 0.4
    assert away > 5 * as_it_is["swap/held_out/landmarks"].mean


def test_two_looks_at_the_same_model_are_the_same(measures: SwapMeasures):
    def mixed(src: Faces, dst: Faces):
        return (src + dst) / 2

    assert _look(measures, mixed) == _look(measures, mixed)


def test_a_diverged_model_does_not_stop_the_look(measures: SwapMeasures):
    found = _look(measures, lambda src, dst: dst * np.float32("nan"))
    assert np.isfinite(found["swap/held_out/identity_src"].mean)
    assert found["swap/held_out/identity_dst"].mean < 0.5


@pytest.mark.parametrize("face_type", [FaceType.HALF, FaceType.FULL])
def test_pictures_without_a_face_are_left_out(face_type: FaceType):
    noise = np.random.default_rng(0).integers(0, 255, (4, 70, 70, 5), np.uint8)
    faces = TrainingFaces(noise, tuple("abcd"), (0.0,) * 4)
    side = _held_out(faces, np.arange(4))
    measures = SwapMeasures(side, side, face_type)
    assert _look(measures, lambda src, dst: dst) == {}


def test_steadiness_tells_flicker_from_motion():
    rng = np.random.default_rng(0)
    face = cv2.resize(rng.random((8, 8, 3), np.float32), (128, 128))
    masks = np.ones((7, 128, 128, 1), np.float32)
    bright = np.array([1 + 0.002 * i**2 for i in range(7)], np.float32)
    footage = np.stack([np.roll(face, i, axis=1) * bright[i] for i in range(7)])
    steady = np.stack([face * (0.5 + 0.02 * i) for i in range(7)])
    flicker = footage + np.float32(0.05) * (np.arange(7) % 2)[:, None, None, None]

    def told(swapped: np.ndarray) -> float:
        value = steadiness(footage, np.asarray(swapped, np.float32), masks)
        assert value is not None
        return value

    assert told(footage) == pytest.approx(1)
    assert told(steady) > 1.5  # changes evenly
    assert told(flicker) < 0.5
    more = footage + np.float32(0.1) * (np.arange(7) % 2)[:, None, None, None]
    assert told(more) < 0.7 * told(flicker)
    assert steadiness(footage, flicker, 0 * masks) is None


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=20),
    count=st.integers(8, 40),
)
def test_neighbours_are_runs_from_the_middles_of_stretches(sizes: list[int], count: int):
    stretches = np.repeat(np.arange(len(sizes))[::-1], sizes)
    places = neighbours(stretches, count)

    assert 0 < len(places) <= count
    assert (np.diff(places) > 0).all()
    for stretch in np.unique(stretches[places]):
        run = places[stretches[places] == stretch]
        assert (np.diff(run) == 1).all()
        whole = np.flatnonzero(stretches == stretch)
        assert abs((run[0] - whole[0]) - (whole[-1] - run[-1])) <= 1
    if max(sizes) == 1:
        assert len(places) == min(len(sizes), count)
