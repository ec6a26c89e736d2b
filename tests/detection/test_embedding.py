import numpy as np
import pytest

from dflcolab.detection.embedding import SAME_PERSON, embed_face, person_centre, similarity
from dflcolab.detection.faces import detect_faces
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.face_type import FaceType
from tests.material import STUDIO_WOMAN, WEBCAM_MAN, five_people, frame_of


def embeddings(frame):
    return [embed_face(frame, face.landmarks) for face in detect_faces(frame)]


def test_one_person_is_alike_at_different_times_and_others_are_not():
    (man,) = embeddings(frame_of(WEBCAM_MAN, 0))
    (man_later,) = embeddings(frame_of(WEBCAM_MAN, 70))
    (woman,) = embeddings(frame_of(STUDIO_WOMAN, 5))
    (woman_smiling,) = embeddings(frame_of(STUDIO_WOMAN, 300))

    assert similarity(man, man_later) > SAME_PERSON
    assert similarity(woman, woman_smiling) > SAME_PERSON
    assert similarity(man, woman) < SAME_PERSON - 0.1


def test_an_aligned_face_says_the_same_as_its_frame():
    import cv2

    frame = frame_of(WEBCAM_MAN, 0)
    (face,) = detect_faces(frame)
    matrix = alignment_matrix(face.landmarks, 512, FaceType.WHOLE)
    aligned = cv2.warpAffine(frame, matrix, (512, 512))

    from_frame = embed_face(frame, face.landmarks)
    from_crop = embed_face(aligned, transform_points(face.landmarks, matrix))

    assert similarity(from_frame, from_crop) > 0.95
    assert np.linalg.norm(from_crop) == pytest.approx(1, abs=1e-5)


def test_the_centre_of_a_faceset_ignores_strangers():
    strangers = embeddings(five_people())
    own = [embeddings(frame_of(STUDIO_WOMAN, index))[0] for index in range(230, 400, 20)]

    centre = person_centre(np.stack([*strangers, *own]))

    assert min(similarity(centre, item) for item in own) > SAME_PERSON
    assert max(similarity(centre, item) for item in strangers) < SAME_PERSON
