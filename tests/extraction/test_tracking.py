import json

import numpy as np
import pytest

from dflcolab.detection.detections import same_face
from dflcolab.detection.detector import FaceDetector
from dflcolab.detection.faces import find_faces
from dflcolab.detection.mesh import FaceMesh
from dflcolab.extraction.tracking import LOOK_EVERY, TrackedFrame, Tracker, TrackState
from dflcolab.imaging.cuts import CutFinder
from tests.material import STUDIO_WOMAN, WEBCAM_MAN, five_people, frame_of

MESH = FaceMesh()
DETECTOR = FaceDetector(MESH)
MIN_FACE = 24


def tracked(images, *, cuts=(0,), state=(), first=0, detect=DETECTOR.detect):
    """Run frames through a tracker as the extraction does; the frames with their faces."""
    tracker = Tracker(MESH, detect, min_face=MIN_FACE, state=state)
    frames = [
        TrackedFrame(
            index,
            image,
            DETECTOR.detect(image) if index in cuts or index % LOOK_EVERY == 0 else None,
            index in cuts,
        )
        for index, image in enumerate(images, first)
    ]
    groups = list(tracker.run(frames))
    return [frame for group, _ in groups for frame in group], groups


def man(count, start=0):
    return [frame_of(WEBCAM_MAN, index) for index in range(start, start + count)]


def woman(count, start=230):
    return [frame_of(STUDIO_WOMAN, index) for index in range(start, start + count)]


def centre(face):
    return (face.box[:2] + face.box[2:]) / 2


def test_every_frame_comes_out_once_in_order():
    frames, _ = tracked(man(13), cuts=(0, 7))

    assert [frame.item for frame in frames] == list(range(13))


def test_the_tracked_face_is_the_one_that_single_looks_find():
    images = woman(16, start=395)  # she turns her head

    frames, _ = tracked(images)

    for frame, image in zip(frames, images):
        (alone,) = find_faces(image, DETECTOR.detect(image), MESH)
        (face,) = frame.faces
        side = max(alone.box[2:] - alone.box[:2])
        # 1.5 % of the face: what two crops of the same picture may differ by in fast turns.
        assert np.abs(face.landmarks - alone.landmarks).mean() < 0.015 * side


def test_the_detector_looks_only_now_and_then():
    looks = []
    frames, _ = tracked(woman(12), detect=lambda image: looks.append(1) or [])

    assert looks == []
    assert all(len(frame.faces) == 1 for frame in frames)


def test_after_a_cut_the_new_person_is_found_at_once_and_the_old_one_is_gone():
    images = man(7) + woman(6)

    frames, _ = tracked(images, cuts=(0, 7))

    assert all(len(frame.faces) == 1 for frame in frames)
    (alone,) = find_faces(images[7], DETECTOR.detect(images[7]), MESH)
    assert np.abs(centre(frames[7].faces[0]) - centre(alone)).max() < 3


def test_an_unmarked_cut_is_noticed_by_the_mesh():
    frames, _ = tracked(man(7) + woman(6))

    # At most the frame of the cut itself may be wrong, and here not even that is.
    assert [len(frame.faces) for frame in frames[8:]] == [1] * 5


def test_a_face_that_enters_between_two_looks_is_followed_back():
    empty = np.full_like(frame_of(WEBCAM_MAN, 0), 90)

    frames, _ = tracked([empty] * 3 + man(5))

    assert [len(frame.faces) for frame in frames] == [0, 0, 0, 1, 1, 1, 1, 1]


def test_a_face_that_leaves_leaves_no_ghost():
    empty = np.full_like(frame_of(WEBCAM_MAN, 0), 90)

    frames, _ = tracked(man(7) + [empty] * 8)

    assert [len(frame.faces) for frame in frames] == [1] * 7 + [0] * 8


def test_of_people_who_come_and_go_none_is_missed_and_none_invented():
    # A window that slides over five people: faces enter at the right and leave at the left.
    photo = five_people()
    images = [photo[:, left : left + 420] for left in range(200, 520, 8)]

    frames, _ = tracked([np.ascontiguousarray(image) for image in images])

    missed = invented = whole = 0
    for frame in frames:
        alone = find_faces(frame.image, DETECTOR.detect(frame.image), MESH, min_face=MIN_FACE)
        for face in alone:
            # Faces cut by the border are found or not, as luck has it: count whole ones.
            if face.box[0] < 0 or face.box[2] > 420:
                continue
            whole += 1
            missed += not any(same_face(face.box, other.box) for other in frame.faces)
        for face in frame.faces:
            invented += not any(same_face(face.box, other.box) for other in alone)
            twins = [other for other in frame.faces if same_face(face.box, other.box)]
            assert len(twins) == 1
    assert whole > 80
    assert missed == 0
    # Tracked faces hold on a little longer than the detector at the border.
    assert invented <= 0.08 * whole


def test_going_on_from_a_stored_state_gives_the_same_faces():
    images = woman(20, start=140)
    _, groups = tracked(images)
    state = json.loads(json.dumps([track.to_list() for track in groups[1][1]]))

    resumed, _ = tracked(
        images[10:], cuts=(), state=[TrackState.from_list(item) for item in state], first=10
    )

    whole = [frame for group, _ in groups for frame in group]
    for frame, again in zip(whole[10:], resumed, strict=True):
        assert len(frame.faces) == len(again.faces) == 1
        np.testing.assert_array_equal(frame.faces[0].landmarks, again.faces[0].landmarks)


@pytest.mark.parametrize("clip", [WEBCAM_MAN, STUDIO_WOMAN])
def test_steady_shots_have_no_cuts(clip):
    finder = CutFinder()

    assert [finder.is_cut(frame_of(clip, index)) for index in range(60)] == [True] + [False] * 59


def test_a_change_of_scene_is_a_cut():
    finder = CutFinder()
    images = man(4) + woman(3) + [frame_of(WEBCAM_MAN, 0)[:180]]

    assert [finder.is_cut(image) for image in images] == [
        True, False, False, False, True, False, False, True,
    ]  # fmt: skip
