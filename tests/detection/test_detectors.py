import cv2
import numpy as np
import pytest

from dflcolab.detection.blazeface import BlazeFace, anchors, decode
from dflcolab.detection.detections import Detection, merge_detections
from dflcolab.detection.detector import FaceDetector
from dflcolab.detection.geometry import overlap
from dflcolab.detection.mesh import FaceMesh
from dflcolab.detection.yunet import YuNet
from tests.material import WEBCAM_MAN, five_people, frame_of


def test_anchors_are_the_cell_centres_of_both_grids():
    centres = anchors()

    assert centres.shape == (896, 2)
    assert centres[0].tolist() == centres[1].tolist() == [8, 8]
    assert centres[2].tolist() == [24, 8]
    assert centres[511].tolist() == [248, 248]
    assert centres[512].tolist() == centres[517].tolist() == [16, 16]
    assert centres[895].tolist() == [240, 240]


def test_a_decoded_box_lies_where_the_offsets_say():
    regressors = np.zeros((896, 16), np.float32)
    logits = np.full(896, -20, np.float32)
    logits[512] = 3
    regressors[512, :4] = (4, -2, 40, 60)  # centre (20, 14), 40 x 60
    regressors[512, 4:6] = (-8, -6)

    (found,) = decode(regressors, logits, 0.5, np.array([2, 2], np.float32))

    assert found.box.tolist() == [0, -32, 80, 88]
    assert found.right_eye.tolist() == [16, 20]
    assert found.score == pytest.approx(1 / (1 + np.exp(-3)))
    assert 2 <= found.needed_logit < 5


def test_both_detectors_see_the_same_face():
    frame = frame_of(WEBCAM_MAN, 10)

    (yunet,) = YuNet().detect(frame, (320, 640))
    (blazeface,) = BlazeFace().detect(frame)

    # The two draw their boxes differently (with and without the forehead).
    assert overlap(yunet.box, blazeface.box) > 0.5
    # Eyes within 8 % of the face.
    assert np.linalg.norm(yunet.right_eye - blazeface.right_eye) < 0.08 * yunet.side
    assert np.linalg.norm(yunet.mouth - blazeface.mouth) < 0.08 * yunet.side


def test_all_five_people_are_seen_once_and_the_largest_comes_first():
    found = FaceDetector(FaceMesh()).detect(five_people())

    assert len(found) == 5
    areas = [np.prod(item.box[2:] - item.box[:2]) for item in found]
    assert areas == sorted(areas, reverse=True)


def test_a_nearly_dark_face_is_seen():
    dark = (frame_of(WEBCAM_MAN, 0) // 20).astype(np.uint8)

    assert len(FaceDetector(FaceMesh()).detect(dark)) == 1


@pytest.mark.parametrize(
    "turn", [cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180]
)
def test_faces_of_a_frame_on_its_side_are_found_where_they_are(turn):
    upright = five_people()
    turned = cv2.rotate(upright, turn)
    back = {
        cv2.ROTATE_90_CLOCKWISE: cv2.ROTATE_90_COUNTERCLOCKWISE,
        cv2.ROTATE_90_COUNTERCLOCKWISE: cv2.ROTATE_90_CLOCKWISE,
        cv2.ROTATE_180: cv2.ROTATE_180,
    }[turn]
    detector = FaceDetector(FaceMesh(), rotations=True)
    # Nothing may be found as it lies, else the turned copies are not tried: hide the fallback.
    detector._blazeface = detector._yunet = _OnlyUpright(YuNet(), upright.shape)
    expected = YuNet().detect(upright, (320, 640))

    found = detector.detect(turned)

    assert len(found) == len(expected) == 5
    for item, wanted in zip(found, expected):
        assert item.box[0] < item.box[2]
        assert item.box[1] < item.box[3]
        # Reading the box's content through the way back gives the same face.
        canvas = np.zeros(turned.shape[:2], np.uint8)
        x, y = np.rint((item.box[:2] + item.box[2:]) / 2).astype(int)
        canvas[y - 1 : y + 2, x - 1 : x + 2] = 255
        y, x = np.argwhere(cv2.rotate(canvas, back)).mean(axis=0)
        centre = (wanted.box[:2] + wanted.box[2:]) / 2
        assert np.abs(np.array([x, y]) - centre).max() < 1.5


class _OnlyUpright:
    """A detector that is blind for everything but frames that look like the upright one."""

    def __init__(self, detector, shape):
        self.detector, self.shape = detector, shape

    def detect(self, image, scales=(320, 640)):
        if image.shape != self.shape or np.abs(image[:50].mean() - five_people()[:50].mean()) > 1:
            return []
        return self.detector.detect(image, scales)


def test_of_two_boxes_on_one_face_the_surer_stays():
    def at(left, score):
        box = np.array([left, 0, left + 10, 10], np.float32)
        return Detection(box, score, box[:2], box[:2], box[:2])

    kept = merge_detections([at(0, 0.7), at(1, 0.9), at(30, 0.6)])

    assert sorted(item.score for item in kept) == [0.6, 0.9]


def test_detectors_work_in_several_threads_at_once():
    from concurrent.futures import ThreadPoolExecutor

    detector = FaceDetector(FaceMesh())
    frames = [five_people(), frame_of(WEBCAM_MAN, 0)] * 6

    with ThreadPoolExecutor(3) as pool:
        counts = [len(found) for found in pool.map(detector.detect, frames)]

    assert counts == [5, 1] * 6
