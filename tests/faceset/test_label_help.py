"""Outlines that programs make, measured against outlines drawn by hand on real faces."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.faces.face_record import Polygon
from dflcolab.faceset.label_choice import LabelLook, choose_to_label, doubt, label_look
from dflcolab.faceset.label_flow import carried_over
from dflcolab.faceset.label_guess import hull_guess, mask_guess
from dflcolab.faceset.label_refine import refined_outlines
from dflcolab.formats.dfl_jpeg import Face
from dflcolab.xseg.mask_measures import intersection_over_union
from tests.faceset.drawn_faces import drawn_face, drawn_plane, plane

SOME = ("astronaut", "multi_1", "speech_man_00145", "studio_woman_00316", "webcam_man_00020")


def overlap(polygons: tuple[Polygon, ...], face: Face) -> float:
    return intersection_over_union(plane(polygons, face), drawn_plane(face))


@pytest.mark.parametrize("name", SOME)
def test_the_first_guess_is_near_what_people_draw(name: str):
    face = drawn_face(name)
    (outline,) = hull_guess(face.record, face.height, face.width)
    # Over all drawn faces the mean is 0.82; hair and profiles cost most.
    assert overlap((outline,), face) > 0.7
    assert 8 <= len(outline.points) <= 40


def test_a_masks_outlines_follow_it_with_few_points_and_keep_its_holes():
    face = drawn_face("studio_woman_00316")
    mask = drawn_plane(face).astype(np.float32)
    mask[120:140, 100:130] = 0  # a hole well inside
    mask[2, 2] = 1  # a speck
    outlines = mask_guess(mask, face.height, face.width)
    assert [outline.include for outline in outlines] == [True, False]
    # Two pixels off along an edge of some 550 pixels are about 4 % of 21,000 pixels at the very most.
    assert intersection_over_union(plane(outlines, face), mask > 0) > 0.96
    assert sum(len(outline.points) for outline in outlines) < 50
    # The same mask at another size is the same within its pixels, each of which is two here.
    halved = mask_guess(mask[::2, ::2], face.height, face.width)
    assert intersection_over_union(plane(halved, face), mask > 0) > 0.94
    assert mask_guess(np.zeros((64, 64), np.float32), 256, 256) == ()


def test_rough_outlines_come_nearer_to_the_drawn_ones():
    generator = np.random.default_rng(0)
    gains: list[float] = []
    for name in SOME:
        face = drawn_face(name)
        rough = tuple(
            Polygon(p.include, p.points + generator.normal(0, 5, p.points.shape).astype(np.float32))
            for p in face.record.polygons
        )
        picture = face.decode()
        refined = refined_outlines(picture, rough)
        again = refined_outlines(picture, rough)
        assert all(np.array_equal(a.points, b.points) for a, b in zip(refined, again, strict=True))
        gains.append(overlap(refined, face) - overlap(rough, face))
    # Over all drawn faces it is 0.03: half of the way back.
    assert np.mean(gains) > 0.01


def test_outlines_without_room_for_colors_stay():
    face = drawn_face("astronaut")
    dot = (Polygon(True, np.array([[9, 9], [10, 9], [10, 10]], np.float32)),)
    everything = (Polygon(True, np.array([[0, 0], [255, 0], [255, 255], [0, 255]], np.float32)),)
    for polygons in (dot, everything, ()):
        assert refined_outlines(face.decode(), polygons) == polygons


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("speech_man_00145", "speech_man_00169"),
        ("speech_man_00029", "speech_man_00036"),
        ("studio_woman_00156", "studio_woman_00160"),  # with a hand
    ],
)
def test_outlines_move_with_the_face(first: str, second: str):
    before, after = drawn_face(first), drawn_face(second)
    carried = carried_over(before.record.polygons, before.decode(), after.decode())
    assert carried.trusted
    assert [len(p.points) for p in carried.polygons] == [
        len(p.points) for p in before.record.polygons
    ]
    assert overlap(carried.polygons, after) > 0.94
    assert overlap(carried.polygons, after) > overlap(before.record.polygons, after)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("studio_woman_00046", "studio_woman_00062"),  # the hand has come
        ("studio_woman_00464", "webcam_man_00001"),  # another person
    ],
)
def test_outlines_are_not_carried_to_what_looks_otherwise(first: str, second: str):
    before, after = drawn_face(first), drawn_face(second)
    assert not carried_over(before.record.polygons, before.decode(), after.decode()).trusted


def test_faces_to_label_stand_for_different_groups():
    names = [
        *(f"speech_man_{n:05d}" for n in (1, 29, 36, 43, 52)),
        *(f"webcam_man_{n:05d}" for n in (1, 12, 20)),
        *(f"studio_woman_{n:05d}" for n in (300, 316, 340, 368)),
        "astronaut",
    ]
    looks = [label_look(drawn_face(n).decode(), drawn_face(n).record) for n in names]

    chosen = choose_to_label(looks, [], 3)

    assert {names[found.face][:5] for found in chosen} == {"speec", "webca", "studi"}
    assert sum(found.stands_for for found in chosen) == len(names)
    # The clips are labelled: what is left is the photograph.
    known = [found.face for found in chosen]
    doubts = [float(name == "astronaut") for name in names]
    (first,) = choose_to_label(looks, known, 1, doubts=doubts)
    assert names[first.face] == "astronaut"
    everything = choose_to_label(looks, known, 99)
    assert {found.face for found in everything} == set(range(len(names))) - set(known)


def test_what_a_network_is_unsure_of_everywhere_tells_no_faces_apart():
    generator = np.random.default_rng(2)
    looks = [LabelLook(*generator.random((2, 9)).astype(np.float32)) for _ in range(60)]
    doubts = generator.random(60) ** 3

    sure = choose_to_label(looks, [0], 8, doubts=doubts)

    assert choose_to_label(looks, [0], 8, doubts=doubts + 4) == sure
    assert choose_to_label(looks, [0], 8) != sure
    assert np.mean([doubts[found.face] for found in sure]) > 1.5 * doubts.mean()


def test_doubt_counts_what_is_undecided_or_differs_in_the_mirror():
    sure = np.zeros((64, 64, 1), np.float32)
    sure[16:48, 16:48] = 1
    other = np.roll(sure, 32, axis=1)
    assert doubt(sure, sure) == 0
    assert doubt(np.float32(0.5) * sure, np.float32(0.5) * sure) == pytest.approx(1)
    assert doubt(sure, other) == pytest.approx(1)
    assert 0 < doubt(sure, np.roll(sure, 1, axis=1)) < 0.1
    assert doubt(0 * sure, 0 * sure) == 0
