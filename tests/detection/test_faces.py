import numpy as np
import pytest

from dflcolab.detection.faces import detect_faces
from dflcolab.detection.landmarks68 import landmarks_68, mesh_weights
from dflcolab.detection.mesh import FaceMesh, warp_smooth
from dflcolab.media.frame_sequence import read_image
from tests.material import STUDIO_WOMAN, WEBCAM_MAN, five_people, frame_of, shared_faces


def assert_looks_like_a_face(landmarks: np.ndarray) -> None:
    """Parts lie as in an upright face seen from not too far aside."""
    right_eye, left_eye = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    mouth, chin = landmarks[48:68].mean(axis=0), landmarks[8]
    assert right_eye[0] < landmarks[27:31, 0].max() + 3
    assert right_eye[0] < left_eye[0]
    assert right_eye[1] < landmarks[33, 1] < mouth[1] < chin[1]
    assert landmarks[17:22, 1].mean() < right_eye[1]
    assert landmarks[48, 0] < landmarks[54, 0]


def test_every_landmark_is_a_mean_of_one_or_two_vertices():
    weights = mesh_weights()

    assert weights.shape == (68, 468)
    assert set(np.count_nonzero(weights, axis=1)) == {1, 2}
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_landmarks_move_with_the_mesh():
    points = np.random.default_rng(0).random((478, 2)).astype(np.float32)

    moved = landmarks_68(points * 3 + np.array([10, -5], np.float32))

    np.testing.assert_allclose(moved, landmarks_68(points) * 3 + [10, -5], rtol=1e-5)


def test_hidden_jaw_points_move_to_the_outline_of_a_turned_face_only():
    (frontal,) = detect_faces(frame_of(WEBCAM_MAN, 20))
    (turned,) = detect_faces(frame_of(STUDIO_WOMAN, 406))

    def moved(face):
        side = max(face.box[2:] - face.box[:2])
        return np.linalg.norm(face.landmarks - face.surface_landmarks, axis=1) / side

    assert moved(frontal).max() < 0.005
    assert moved(turned).max() > 0.03
    # Only jaw points move, only on the far side, and outwards.
    assert moved(turned)[8:].argmax() + 8 in range(9, 17)
    assert moved(turned)[17:].max() == 0
    assert moved(turned)[:9].max() < 0.005
    assert (turned.landmarks - turned.surface_landmarks)[9:17, 0].max() > 0


def test_five_people_get_landmarks_on_their_own_faces():
    faces = detect_faces(five_people())

    assert len(faces) == 5
    for face in faces:
        assert face.presence > 0.99
        assert_looks_like_a_face(face.landmarks)
        left, top, right, bottom = face.box
        inside = (face.landmarks > [left - 1, top - 1]) & (face.landmarks < [right + 1, bottom + 1])
        assert inside.all()


def test_only_the_largest_and_not_too_small_faces_are_kept():
    all_faces = detect_faces(five_people())
    sides = [max(face.box[2:] - face.box[:2]) for face in all_faces]

    assert len(detect_faces(five_people(), max_faces=2)) == 2
    assert len(detect_faces(five_people(), min_face=sorted(sides)[2])) == 3


@pytest.mark.parametrize("index", [90, 112, 130, 200], ids="frame{}".format)
def test_a_hand_before_the_face_does_not_hide_it(index):
    (face,) = detect_faces(frame_of(STUDIO_WOMAN, index))

    assert_looks_like_a_face(face.landmarks)


def test_pictures_without_a_face_have_none():
    noise = np.random.default_rng(3).integers(0, 256, (360, 640, 3), np.uint8)
    ramp = np.repeat(np.linspace(0, 255, 640, dtype=np.uint8)[None, :, None], 360, axis=0)

    assert detect_faces(noise) == []
    assert detect_faces(np.repeat(ramp, 3, axis=2)) == []
    assert detect_faces(np.zeros((16, 16, 3), np.uint8)) == []


def test_a_second_look_around_the_mesh_hardly_moves_it():
    frame = frame_of(WEBCAM_MAN, 20)
    (face,) = detect_faces(frame)

    again = FaceMesh().follow(frame, face.mesh.crop())

    side = max(face.box[2:] - face.box[:2])
    # 0.5 % of the face: five times what was measured.
    assert np.abs(again.points - face.mesh.points).mean() < 0.005 * side


def test_shrinking_crops_keep_every_pixel():
    fine = np.zeros((400, 400, 3), np.uint8)
    fine[::4] = 255  # one line in four: a quarter of the light
    matrix = np.array([[0.25, 0, 0], [0, 0.25, 0]])

    smooth = warp_smooth(fine, matrix, 100, 0.25)

    assert smooth[10:90, 10:90].mean() == pytest.approx(63.75, abs=1)


def test_a_shrunk_crop_sits_where_the_plain_warp_puts_it():
    y, x = np.mgrid[0:600, 0:800]
    hill = 255 * np.exp(-((x - 431) ** 2 + (y - 287) ** 2) / 5000)
    frame = np.repeat(hill[..., None], 3, axis=2).astype(np.uint8)
    matrix = np.array([[0.21, 0.05, -20.0], [-0.05, 0.21, 30.0]])
    scale = np.hypot(0.21, 0.05)

    crop = warp_smooth(frame, matrix, 128, scale)

    v, u = np.mgrid[0:128, 0:128]
    mass = crop[..., 0].astype(float)
    centre = ((u * mass).sum() / mass.sum(), (v * mass).sum() / mass.sum())
    assert centre == pytest.approx(tuple(matrix @ (431, 287, 1)), abs=0.15)


# What a person sees in the developers' pictures. The third friend's face is hidden by hair.
EXPECTED = {
    "group/friends.jpg": 2, "group/meeting.jpg": 5, "group/multi.jpg": 5, "group/two_men.jpg": 3,
    "group/three_women_1909.jpg": 3, "person_m/m1.jpg": 1, "person_m/m2.jpg": 1,
    "person_m/m3.jpg": 1, "person_m/m4_cut.jpg": 1, "person_m/m5_cut.jpg": 1, "person_m/m6.jpg": 1,
    "person_n/n1.jpg": 1, "person_n/n2.jpg": 1, "portrait/man1.jpg": 1, "portrait/man2.jpg": 1,
    "portrait/man3.jpg": 1, "portrait/painting1.jpg": 1, "portrait/painting2.jpg": 1,
    "portrait/woman1.jpg": 1, "portrait/astronaut.png": 1,
}  # fmt: skip


@pytest.mark.parametrize(("name", "n_faces"), EXPECTED.items())
def test_every_visible_face_of_the_developers_pictures_is_found(name, n_faces):
    faces = detect_faces(read_image(shared_faces() / name))

    assert len(faces) == n_faces
    for face in faces:
        assert_looks_like_a_face(face.landmarks)
