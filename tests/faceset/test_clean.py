"""Each check proposes what it should, and leaves what is good."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import FacesetError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.clean import (
    FaceLook,
    look_at_faces,
    propose_blur,
    propose_duplicates,
    propose_identity,
    propose_landmarks,
)
from dflcolab.faceset.clean_checks import face_sharpness, landmark_problem
from dflcolab.faceset.identity import likeness, main_person
from dflcolab.formats.dfl_jpeg import embed, read_record
from dflcolab.progress import Progress

VECTORS = Path(__file__).parents[1] / "data" / "vectors" / "imaging" / "sort" / "faces"


def record_of(name: str) -> FaceRecord:
    record = read_record(VECTORS / name)
    assert record is not None
    return record


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, FaceRecord]:
    return cv2.imread(str(VECTORS / "00001_0.jpg")), record_of("00001_0.jpg")


def write_faces(folder: Path, images, record: FaceRecord, sources=None) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for number, image in enumerate(images):
        source = sources[number] if sources else f"{number + 1:05d}.png"
        path = folder / f"{number:05d}_0.jpg"
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        path.write_bytes(embed(jpeg, record.replace(source_filename=source)))
        paths.append(path)
    return paths


def looks_of(paths: list[Path]) -> list[FaceLook]:
    return look_at_faces(paths, progress=Progress())


def test_a_blurred_face_among_sharp_ones_is_proposed(face, tmp_path: Path):
    image, record = face
    rng = np.random.default_rng(3)
    noisy = [np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
             for _ in range(9)]  # fmt: skip
    blurred = cv2.GaussianBlur(image, (0, 0), image.shape[0] / 40)
    looks = looks_of(write_faces(tmp_path / "a", [*noisy[:5], blurred, *noisy[5:]], record))

    assert [proposal.path.name for proposal in propose_blur(looks)] == ["00005_0.jpg"]


def test_sharpness_does_not_depend_on_brightness_contrast_or_size(face):
    image, record = face
    from dflcolab.faces.hull_masks import hull_mask

    height, width = image.shape[:2]
    hull = hull_mask(record.landmarks, height, width, eyebrows_expand=0.0)
    plain = face_sharpness(image, hull)
    darker = face_sharpness((image * 0.6).astype(np.uint8), hull)
    double = face_sharpness(
        cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
        hull_mask(record.landmarks * 2, height * 2, width * 2, eyebrows_expand=0.0),
    )

    # About 1 is a visible difference; a third of it is not.
    assert darker == pytest.approx(plain, abs=0.35)
    assert double == pytest.approx(plain, abs=0.35)
    assert face_sharpness(cv2.GaussianBlur(image, (0, 0), 5), hull) < plain - 1.5


def test_faces_of_equal_sharpness_are_all_kept(face, tmp_path: Path):
    image, record = face
    looks = looks_of(write_faces(tmp_path / "a", [image] * 8, record))

    assert propose_blur(looks) == []


def test_near_copies_of_following_frames_are_proposed_once(face, tmp_path: Path):
    image, record = face
    other = cv2.convertScaleAbs(image, alpha=0.8, beta=30)
    shifted = np.roll(image, 1, axis=1)
    looks = looks_of(write_faces(tmp_path / "a", [image, image, other, image, shifted], record))

    found = propose_duplicates(looks, 0.01)

    assert [proposal.path.name for proposal in found] == ["00001_0.jpg", "00003_0.jpg"]
    assert found[0].reason == "nearly the same as 00000_0.jpg"


def test_faces_of_one_frame_or_of_two_videos_are_no_duplicates(face, tmp_path: Path):
    image, record = face
    sources = ["00001.png", "00001.png", "2-00001.png"]
    looks = looks_of(write_faces(tmp_path / "a", [image] * 3, record, sources))

    assert propose_duplicates(looks, 0.01) == []


def test_a_plain_or_damaged_picture_is_proposed_with_its_reason(face, tmp_path: Path):
    image, record = face
    paths = write_faces(tmp_path / "a", [image] * 3, record)
    paths[0].write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    paths[1].write_bytes(paths[1].read_bytes()[:300])

    found = {item.path.name: item.reason for item in propose_landmarks(looks_of(paths))}

    assert found["00000_0.jpg"] == "no face data"
    assert "00001_0.jpg" in found
    assert "00002_0.jpg" not in found


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda points: points + 1000, "outside"),
        (lambda points: points * [1, 0] + [0, 50], "on a line"),
        (lambda points: [100, 100] + 0 * points, "on a line or a point"),
        (lambda points: points * np.nan, "no usable landmarks"),
        (lambda points: points.max(axis=0) + points.min(axis=0) - points, "stands on its head"),
    ],
)
def test_impossible_landmarks_are_found(face, change, problem: str):
    image, record = face
    height, width = image.shape[:2]
    changed = record.replace(landmarks=np.asarray(change(record.landmarks), np.float32))

    assert problem in landmark_problem(changed, width, height)
    assert landmark_problem(record, width, height) == ""


def test_an_unaligned_crop_may_stand_on_its_head(face):
    image, record = face
    points = record.landmarks
    turned = record.replace(
        landmarks=points.max(axis=0) + points.min(axis=0) - points,
        face_type=FaceType.HEAD_NO_ALIGN,
    )

    assert landmark_problem(turned, image.shape[1], image.shape[0]) == ""


def test_a_low_presence_is_a_reason(face):
    image, record = face
    doubtful = record.replace(extra={"dflcolab": {"presence": 0.2}})

    assert "saw no face" in landmark_problem(doubtful, image.shape[1], image.shape[0])


def test_every_face_of_the_vectors_passes_the_landmark_check():
    for path in sorted(VECTORS.glob("*.jpg")):
        record = read_record(path)
        if record is not None:
            height, width = cv2.imread(str(path)).shape[:2]
            assert landmark_problem(record, width, height) == "", path.name


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_the_person_seen_most_is_the_main_one():
    rng = np.random.default_rng(0)
    ann = [unit(1, *rng.normal(0, 0.1, 15)) for _ in range(12)]
    bob = [unit(0, 1, *rng.normal(0, 0.1, 14)) for _ in range(7)]
    vectors = {f"{n:05d}.jpg": vector for n, vector in enumerate([*bob, *ann])}
    person = main_person(list(vectors.values()))
    values = likeness(vectors, person)

    found = propose_identity([Path(name) for name in vectors], vectors, person, 0.5)

    assert sorted(proposal.path.name for proposal in found) == [f"{n:05d}.jpg" for n in range(7)]
    assert min(values[f"{n:05d}.jpg"] for n in range(7, 19)) > 0.8


def test_nobody_at_all_is_one_sentence():
    with pytest.raises(FacesetError, match="No face has an identity"):
        main_person([])
