"""Near-copies: close to their own keeper, the sharpest kept, the same as comparing all pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.duplicates import _look, duplicate_groups, find_duplicates, video_of
from dflcolab.faceset.face_files import read_face_file
from dflcolab.faceset.limits import NEAR_DUPLICATE
from dflcolab.faceset.measures import FaceMeasure, measure_face, measure_faces
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace

LANDMARKS = np.zeros((68, 2), np.float32)


def face(number: int, picture: np.ndarray, sharpness: float, frame: str) -> FaceMeasure:
    return FaceMeasure(
        Path(f"{number:05d}.jpg"),
        record=FaceRecord(landmarks=LANDMARKS, source_filename=frame),
        sharpness=sharpness,
        thumbnail=np.asarray(picture, np.float32),
    )


def naive_duplicates(measures, threshold: float) -> dict[int, tuple[int, float]]:
    """The definition, pair by pair: the sharpest free face speaks for all that are close to it."""
    order = sorted(range(len(measures)), key=lambda i: -measures[i].sharpness)
    found: dict[int, tuple[int, float]] = {}
    for place, keeper in enumerate(order):
        if keeper in found:
            continue
        for other in order[place + 1 :]:
            one, two = measures[keeper], measures[other]
            difference = float(np.abs(one.thumbnail - two.thumbnail).mean())
            if other not in found and one.frame != two.frame and difference < threshold:
                found[other] = keeper, difference
    return found


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    step=st.sampled_from([0.0, 0.001, 0.004, 0.02]),
    per_frame=st.integers(1, 3),
)
def test_the_search_equals_comparing_all_pairs(seed: int, n: int, step: float, per_frame: int):
    generator = np.random.default_rng(seed)
    # A slow walk: neighbours are close, faces some steps apart are not.
    area = generator.normal(0, step, (n, 4, 4)).cumsum(axis=0).repeat(8, axis=1).repeat(8, axis=2)
    pictures = 0.5 + area + generator.normal(0, 0.002, (n, 32, 32))
    sharpness = generator.integers(0, 4, n)
    measures = [
        face(i, pictures[i], float(sharpness[i]), f"{i // per_frame:05d}.png") for i in range(n)
    ]

    found = find_duplicates(measures, threshold=0.01)

    expected = naive_duplicates(measures, 0.01)
    assert {copy: keeper for copy, (keeper, _) in found.items()} == {
        copy: keeper for copy, (keeper, _) in expected.items()
    }
    for copy, (_, difference) in found.items():
        assert abs(difference - expected[copy][1]) < 1e-6  # float32 against float64 sums


def test_the_sharper_of_two_videos_faces_is_kept():
    picture = np.full((32, 32), 0.5)
    measures = [face(0, picture, 1.0, "1-00001.png"), face(1, picture, 2.0, "2-00001.png")]

    assert find_duplicates(measures, threshold=0.01) == {0: (1, 0.0)}
    assert video_of("2-00017.png") == "2-"


def test_the_small_look_of_append_is_that_of_the_whole_picture(face_workspace: Path):
    folder = Workspace.open(face_workspace).aligned_dir(Side.DST)
    for path in sorted(folder.glob("*.jpg"))[:5]:
        file = read_face_file(path)
        assert file.size >= 64  # so that less than the whole picture is decoded
        small, whole = _look(file).thumbnail, measure_face(file).thumbnail
        assert np.abs(small - whole).mean() < 0.1 * NEAR_DUPLICATE.value


def test_groups_are_largest_first_with_the_keeper_in_front():
    assert duplicate_groups({0: (4, 0.1), 2: (1, 0.2), 3: (1, 0.1)}, 6) == [
        (1, [3, 2]),
        (4, [0]),
        (5, []),
    ]


def test_on_real_faces_every_duplicate_looks_like_its_keeper(face_workspace: Path):
    folder = Workspace.open(face_workspace).aligned_dir(Side.DST)
    measures = measure_faces(sorted(folder.glob("*.jpg")), progress=Progress())

    found = find_duplicates(measures, threshold=0.02)

    assert 0 < len(found) < len(measures)
    for copy, (keeper, difference) in found.items():
        assert keeper not in found
        assert difference < 0.02
        assert measures[keeper].sharpness >= measures[copy].sharpness
