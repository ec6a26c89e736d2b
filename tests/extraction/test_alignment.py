import numpy as np
import pytest

from dflcolab.detection.faces import detect_faces
from dflcolab.errors import FormatError
from dflcolab.extraction.alignment import align_face, encode_jpeg
from dflcolab.extraction.debug_view import draw_face
from dflcolab.faces.alignment import transform_points
from dflcolab.faces.face_type import FaceType
from dflcolab.formats.dfl_jpeg import embed, read_record_bytes
from tests.material import STUDIO_WOMAN, WEBCAM_MAN, frame_of


def aligned(frame, face_type, size=256, **options):
    (face,) = detect_faces(frame)
    return align_face(
        frame,
        face.landmarks,
        face.box,
        face_type=face_type,
        size=size,
        source_filename="00011.png",
        **options,
    )


@pytest.mark.parametrize("face_type", list(FaceType))
def test_every_face_type_carries_all_that_deepfacelab_expects(face_type):
    frame = frame_of(WEBCAM_MAN, 10)

    face = aligned(frame, face_type, provenance={"video": "data_dst.mp4", "frame_index": 10})
    record = read_record_bytes(embed(encode_jpeg(face.image, 90), face.record), "face")

    assert record.face_type is face_type
    assert record.source_filename == "00011.png"
    assert record.source_rect.shape == (4,)
    assert record.provenance["frame_index"] == 10
    if face_type is FaceType.MARK_ONLY:
        assert face.image.shape == frame.shape
        assert record.image_to_face_mat is None
        np.testing.assert_allclose(record.landmarks, record.source_landmarks, atol=1e-3)
    else:
        assert face.image.shape == (256, 256, 3)
        moved = transform_points(record.source_landmarks, record.image_to_face_mat)
        np.testing.assert_allclose(moved, record.landmarks, atol=0.01)


def test_eyes_of_a_whole_face_lie_level_in_the_upper_middle():
    face = aligned(frame_of(STUDIO_WOMAN, 420), FaceType.WHOLE)  # she tilts her head

    right_eye = face.record.landmarks[36:42].mean(axis=0)
    left_eye = face.record.landmarks[42:48].mean(axis=0)

    assert abs(right_eye[1] - left_eye[1]) < 12
    assert 90 < (right_eye[0] + left_eye[0]) / 2 < 166
    assert 80 < right_eye[1] < 130


def test_antialiasing_changes_small_crops_only():
    frame = frame_of(WEBCAM_MAN, 10)

    plain = aligned(frame, FaceType.WHOLE, 512, antialias=False).image
    assert np.array_equal(aligned(frame, FaceType.WHOLE, 512).image, plain)
    small_plain = aligned(frame, FaceType.WHOLE, 64, antialias=False).image
    small = aligned(frame, FaceType.WHOLE, 64).image
    difference = np.abs(small.astype(int) - small_plain).mean()
    assert 0 < difference < 8  # smoother, not shifted


def test_jpegs_are_baseline_with_jfif_header_and_without_restarts():
    content = encode_jpeg(np.full((64, 64, 3), 128, np.uint8), 90)

    assert content[:4] == b"\xff\xd8\xff\xe0"
    assert content[6:10] == b"JFIF"
    assert b"\xff\xc0" in content
    assert b"\xff\xdd" not in content
    assert content.endswith(b"\xff\xd9")


def test_a_picture_too_large_for_jpeg_is_one_sentence():
    with pytest.raises(FormatError, match="70000 x 1 pixels"):
        encode_jpeg(np.zeros((1, 70000, 3), np.uint8), 90)


def test_debug_drawing_survives_faces_outside_of_the_frame():
    frame = frame_of(WEBCAM_MAN, 10).copy()
    (face,) = detect_faces(frame)

    for shift in (-5000, -250, 250, 90000):
        draw_face(
            frame, face.landmarks + shift, face.box + shift, face_type=FaceType.HEAD, size=512
        )

    assert frame.shape == (360, 640, 3)
