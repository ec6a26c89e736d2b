"""A faceset in numbers, and what is said about it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dflcolab.faces.face_record import Polygon
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.coverage import (
    PITCH_EDGES,
    YAW_EDGES,
    LandmarksChecked,
    Named,
    PeopleFound,
    PersonShare,
    Region,
    pose_map,
    spread,
    summarize,
)
from dflcolab.faceset.face_files import UNSAFE
from dflcolab.faceset.findings import Weight, findings_of, listed
from dflcolab.faceset.limits import Basis, Limit, all_limits
from dflcolab.faceset.measures import FaceMeasure
from tests.faceset.face_measures import complete_set, face


def _texts(measures: list[FaceMeasure], side: str = "src", **more) -> list[str]:
    return [finding.text for finding in findings_of(summarize(side, measures, **more))]


def test_a_complete_set_lacks_nothing():
    assert _texts(complete_set(), duplicates=[]) == []


@pytest.mark.parametrize(
    ("keep", "sentence"),
    [
        (lambda m: m.pose.pitch > math.radians(-15), "There are no faces looking down."),
        (lambda m: m.pose.pitch < math.radians(15), "There are no faces looking up."),
        (
            lambda m: abs(m.pose.pitch) < math.radians(15),
            "There are no faces looking up or looking down.",
        ),
        # Where nobody turns left, that there is no left profile goes without saying.
        (
            lambda m: m.pose.yaw < math.radians(20),
            "There are no faces turned to the picture's left.",
        ),
        (
            lambda m: m.pose.yaw > math.radians(-45),
            "There are no faces in profile to the right.",
        ),
        (lambda m: m.mouth < 0.25, "There are no faces with an open mouth."),
        (lambda m: m.eyes > 0.12, "There are no faces with shut eyes."),
    ],
)
def test_what_is_taken_out_of_a_complete_set_is_what_is_said_to_be_missing(
    keep: Callable[[FaceMeasure], bool], sentence: str
):
    assert _texts([m for m in complete_set(1200) if keep(m)]) == [sentence]


def test_a_handful_is_named_with_its_number():
    down = [m for m in complete_set() if m.pose.pitch < math.radians(-15)]
    rest = [m for m in complete_set() if m.pose.pitch >= math.radians(-15)]

    assert _texts(rest + down[:9]) == ["There are only few faces looking down (9)."]
    assert _texts(rest + down[:10]) == []


def test_what_dst_does_not_show_is_no_gap_of_src():
    summary = summarize(
        "src", [m for m in complete_set(1200) if abs(m.pose.pitch) < math.radians(15)]
    )

    by_need = findings_of(summary, needed={Region.DOWN})

    assert [(f.weight, f.text) for f in by_need] == [
        (Weight.GAP, "There are no faces looking down."),
        (Weight.NOTE, "There are no faces looking up."),
    ]


def test_a_dst_is_not_blamed_for_its_poses_light_copies_and_blur():
    faces = [face(f"{i}.jpg", sharpness=-3.0 * (i % 3 == 0), xseg_mask=b"m") for i in range(40)]

    assert _texts(faces, side="dst", duplicates=range(30)) == []
    assert _texts(faces, side="src", duplicates=range(30))


def test_near_duplicates_are_counted_and_add_no_pose():
    faces = complete_set(2400)
    copies = [i for i, m in enumerate(faces) if m.pose.pitch < math.radians(-10)]

    summary = summarize("src", faces, duplicates=copies)

    assert summary.near_duplicates == len(copies)
    assert summary.distinct == 2400 - len(copies)
    texts = [finding.text for finding in findings_of(summary)]
    assert texts[0] == "There are no faces looking down."
    assert texts[1] == f"{len(copies):,} of 2,400 are near-duplicates."
    # Looked at one by one, a blink hardly changes the picture: expressions count every face.
    assert summary.regions[Region.SHUT_EYES] == sum(m.eyes < 0.12 for m in faces)


def test_the_pose_map_counts_every_face_once_in_its_cell():
    faces = [
        face(yaw=-74, pitch=-44),
        face(yaw=4, pitch=4),
        face(yaw=4.9, pitch=-4.9),
        face(yaw=5.1, pitch=0),
        face(yaw=90, pitch=90),
        face(yaw=-90, pitch=0),
    ]

    counts = np.array(pose_map(faces))

    assert counts.shape == (len(PITCH_EDGES) - 1, len(YAW_EDGES) - 1)
    assert counts.sum() == len(faces)
    middle_row, middle_column = PITCH_EDGES.index(-5), YAW_EDGES.index(-5)
    assert counts[0, 0] == 1
    assert counts[middle_row, middle_column] == 2
    assert counts[middle_row, middle_column + 1] == 1
    assert counts[-1, -1] == 1, "beyond the end counts in the last cell"
    assert counts[middle_row, 0] == 1


def test_a_face_without_a_measurable_pose_is_left_out_of_the_map():
    assert np.array(pose_map([face(yaw=math.nan), FaceMeasure(Path("a.jpg"))])).sum() == 0


def test_numbers_that_are_not_finite_do_not_reach_the_summary():
    summary = summarize(
        "src", [face(sharpness=-math.inf), face(sharpness=1.0), face(left=math.nan)]
    )

    assert summary.sharpness == spread([1.0, 0.0])
    assert summary.from_left == spread([0.0, 0.0])
    assert summarize("src", [face(sharpness=-math.inf)]).sharpness is None


def test_damaged_files_are_named_and_counted():
    faces = [*complete_set(), FaceMeasure(Path("bad <b>.jpg"), problem="not a readable picture")]

    summary = summarize("src", faces)

    assert (summary.files, summary.faces, summary.damaged) == (601, 600, 1)
    assert summary.damaged_files[0].problem == "not a readable picture"
    assert _texts(faces) == ["1 file cannot be used (bad <b>.jpg: not a readable picture)."]


def test_a_set_of_damaged_files_only_is_summed_up_all_the_same():
    summary = summarize("src", [FaceMeasure(Path("a.jpg"), problem="not a readable picture")])

    assert summary.faces == 0
    assert findings_of(summary)[0].weight is Weight.SERIOUS


def test_mixed_face_types_are_a_warning():
    faces = complete_set()
    faces[:60] = [
        dataclasses.replace(m, record=m.record.replace(face_type=FaceType.FULL)) for m in faces[:60]
    ]

    (found,) = findings_of(summarize("src", faces))
    assert found.text == "The faces are of different types: 540 whole_face and 60 full_face."
    assert "`dflcolab resize --side src --face-type whole_face`" in found.advice


def test_files_that_ask_for_more_than_data_are_named_first():
    hostile = FaceMeasure(Path("evil.jpg"), problem="evil.jpg runs os.system", reason=UNSAFE)
    damaged = FaceMeasure(Path("a.jpg"), problem="a.jpg is damaged", reason="not readable")
    found = findings_of(summarize("src", [damaged, *complete_set(), hostile], duplicates=[]))
    assert [finding.code for finding in found] == ["unsafe", "damaged"]
    assert "evil.jpg" in found[0].text
    assert found[1].text == "2 files cannot be used (the first: a.jpg: not readable)."


@pytest.mark.parametrize(
    ("strangers", "weight"), [(2, Weight.GAP), (4, Weight.GAP), (5, Weight.SERIOUS)]
)
def test_a_few_strangers_are_a_gap_and_many_are_serious(strangers: int, weight: Weight):
    shares = (100 - strangers, strangers)
    people = tuple(PersonShare(i + 1, n, n / 100, "a.jpg") for i, n in enumerate(shares))
    found = findings_of(summarize("src", complete_set(), people=PeopleFound(100, people)))
    assert [(finding.code, finding.weight) for finding in found] == [("people", weight)]


def test_very_few_faces_are_serious_by_a_limit_of_their_own():
    weights = {n: findings_of(summarize("src", complete_set()[:n])) for n in (99, 100)}
    few = {n: next(f.weight for f in found if f.code == "few") for n, found in weights.items()}
    assert few == {99: Weight.SERIOUS, 100: Weight.GAP}


def test_masks_are_counted_by_kind():
    outline = Polygon(True, np.zeros((3, 2), np.float32))
    faces = [face(xseg_mask=b"m", polygons=(outline,)), face(polygons=(outline,)), face(), face()]

    summary = summarize("dst", faces)

    assert (summary.xseg_masks, summary.polygons, summary.hull_only) == (1, 1, 2)


def test_enlargement_is_that_of_the_crop_whatever_the_turn_of_the_head():
    angle = math.radians(35)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    plain = face(enlarged=2.0)
    record = plain.record
    assert record is not None
    turned = record.replace(source_landmarks=(record.source_landmarks @ turn.T).astype(np.float32))

    summary = summarize("src", [plain, dataclasses.replace(plain, record=turned)])

    assert summary.enlarged == 2
    assert summary.enlargement is not None
    assert summary.enlargement.low == pytest.approx(2.0, abs=1e-3)
    assert summary.enlargement.high == pytest.approx(2.0, abs=1e-3)


def test_small_dark_burnt_blurred_and_equally_lit_faces_are_told_apart():
    small = [face(f"{i}.jpg", enlarged=3.0, frame_pixels=60) for i in range(400)]
    assert any("400 of 400 faces were enlarged: in its frame a face is about 60 pixels" in text
               for text in _texts(small))  # fmt: skip
    assert "All faces are lit alike." in _texts(small)

    faces = complete_set()
    faces[:30] = [dataclasses.replace(m, sharpness=-1.5) for m in faces[:30]]
    faces[30] = face("dark.jpg", dark=0.5, xseg_mask=b"m")
    faces[31] = face("burnt.jpg", bright=0.5, xseg_mask=b"m")
    texts = _texts(faces)
    assert "30 of 600 are much less sharp than the rest." in texts
    assert "1 of 600 is too dark to show anything in parts." in texts
    assert "1 of 600 is burnt out in parts." in texts
    assert len(texts) == 3


def test_strangers_and_failed_landmarks_come_first():
    people = PeopleFound(
        600, (PersonShare(1, 560, 560 / 600, "a.jpg"), PersonShare(2, 40, 40 / 600, "b.jpg"))
    )
    landmarks = LandmarksChecked(600, Named(31, ("c.jpg",)))

    found = findings_of(summarize("src", complete_set(), people=people, landmarks=landmarks))

    assert [f.text for f in found] == [
        "40 of 600 faces seem to belong to another person.",
        "The landmarks of 31 of 600 faces do not sit where they should.",
    ]
    assert "--identity auto" in found[0].advice
    assert "--by landmark-quality" in found[1].advice


def test_a_sample_is_said_to_be_one():
    landmarks = LandmarksChecked(100, Named(3, ("c.jpg",)))

    found = findings_of(summarize("src", complete_set(), landmarks=landmarks))

    assert "3 of 100 faces that were looked at" in found[0].text


def test_packed_faces_are_to_be_unpacked_before_cleaning():
    landmarks = LandmarksChecked(600, Named(31, ("c.jpg",)))

    (found,) = findings_of(summarize("src", complete_set(), landmarks=landmarks, packed=True))

    assert found.advice.endswith("First `dflcolab unpack --side src`.")


def test_every_limit_says_on_what_it_rests():
    limits = all_limits()

    assert len(limits) > 20
    for name, limit in limits.items():
        assert isinstance(limit, Limit)
        assert limit.meaning.endswith("."), name
        assert limit.evidence.endswith("."), name
        assert isinstance(limit.basis, Basis), name


def test_lists_read_as_sentences():
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a or b"
    assert listed(["a", "b", "c"], "and") == "a, b and c"
