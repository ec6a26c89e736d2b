"""Each check proposes what it should, and leaves what is good."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faceset.clean import (
    propose_blur,
    propose_cut_off,
    propose_duplicates,
    propose_exposure,
    propose_identity,
    propose_landmarks,
    propose_non_faces,
    propose_small,
    propose_unusable,
)
from dflcolab.faceset.clean_checks import face_sharpness, landmark_problem, share_outside
from dflcolab.faceset.landmark_quality import LandmarkVerdict, face_side
from dflcolab.faceset.measures import FaceMeasure, measure_faces
from dflcolab.faceset.person_choice import judge_identity
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


def looks_of(paths: list[Path]) -> list[FaceMeasure]:
    return measure_faces(paths, progress=Progress())


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


def test_faces_too_small_in_their_picture_to_be_measured_are_not_called_soft(face, tmp_path: Path):
    """Whole frames, as `mark_only` holds them."""
    image, record = face
    frame = np.random.default_rng(1).integers(0, 255, (1080, 1920, 3)).astype(np.uint8)
    height, width = (side // 8 for side in image.shape[:2])
    frame[500 : 500 + height, 900 : 900 + width] = cv2.resize(image, (width, height))
    inside = record.replace(
        face_type=FaceType.MARK_ONLY, landmarks=record.landmarks / 8 + np.float32([900, 500])
    )
    looks = looks_of(write_faces(tmp_path / "a", [frame] * 6, inside))

    assert all(look.problem == "" for look in looks)
    assert propose_blur(looks) == []


def test_faces_of_equal_sharpness_are_all_kept(face, tmp_path: Path):
    image, record = face
    looks = looks_of(write_faces(tmp_path / "a", [image] * 8, record))

    assert propose_blur(looks) == []


def test_a_face_without_any_detail_goes_even_if_all_are_like_that(face, tmp_path: Path):
    image, record = face
    fog = cv2.GaussianBlur(image, (0, 0), image.shape[0] / 16)
    paths = write_faces(tmp_path / "a", [fog] * 6, record)

    assert len(propose_blur(looks_of(paths))) == 6
    assert propose_blur(looks_of(paths))[0].reason == "shows no detail"


def test_near_copies_are_proposed_wherever_they_lie(face, tmp_path: Path):
    image, record = face
    other = cv2.convertScaleAbs(image, alpha=0.8, beta=30)
    looks = looks_of(write_faces(tmp_path / "a", [image, image, other, image], record))

    found = propose_duplicates(looks, 0.01)

    assert [proposal.path.name for proposal in found] == ["00001_0.jpg", "00003_0.jpg"]
    assert found[0].reason == "nearly the same as 00000_0.jpg"


def test_faces_of_one_frame_are_no_duplicates_but_files_of_one_face_are(face, tmp_path: Path):
    image, record = face
    assert record.source_landmarks is not None
    beside = record.replace(source_landmarks=record.source_landmarks + np.float32([200, 0]))
    paths = [
        *write_faces(tmp_path / "a", [image] * 2, record, ["00001.png"] * 2),
        *write_faces(tmp_path / "b", [image], beside, ["00001.png"]),
    ]

    found = propose_duplicates(looks_of(paths), 0.01)

    assert [proposal.path for proposal in found] == paths[1:2]


def test_an_open_mouth_is_no_copy_of_a_shut_one(face, tmp_path: Path):
    image, record = face
    paths = write_faces(tmp_path / "a", [image] * 4, record)
    opened = record.landmarks.copy()
    opened[65:68, 1] += 0.1 * np.ptp(opened[:, 0])
    for path in paths[2:]:
        talking = record.replace(landmarks=opened, source_filename=f"{path.stem}.png")
        jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
        path.write_bytes(embed(jpeg, talking))

    found = propose_duplicates(looks_of(paths), 0.01)

    # One of each pair stays.
    assert [proposal.path.name for proposal in found] == ["00001_0.jpg", "00003_0.jpg"]


def test_a_plain_or_damaged_picture_is_proposed_with_its_reason(face, tmp_path: Path):
    image, record = face
    paths = write_faces(tmp_path / "a", [image] * 3, record)
    paths[0].write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    paths[1].write_bytes(paths[1].read_bytes()[:300])

    found = {item.path.name: item.reason for item in propose_unusable(looks_of(paths))}

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


def test_every_face_of_the_vectors_passes_the_landmark_check():
    for path in sorted(VECTORS.glob("*.jpg")):
        record = read_record(path)
        if record is not None:
            height, width = cv2.imread(str(path)).shape[:2]
            assert landmark_problem(record, width, height) == "", path.name


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_foreign_faces_are_proposed_with_the_number_of_their_person():
    rng = np.random.default_rng(0)
    ann = [unit(1, *rng.normal(0, 0.1, 15)) for _ in range(12)]
    bob = [unit(0, 1, *rng.normal(0, 0.1, 14)) for _ in range(7)]
    vectors = {f"{n:05d}.jpg": vector for n, vector in enumerate([*bob, *ann])}
    faces = [FaceMeasure(Path(name)) for name in vectors]

    found = propose_identity(faces, judge_identity(vectors, {}))

    assert sorted(proposal.path.name for proposal in found) == [f"{n:05d}.jpg" for n in range(7)]
    assert found[0].reason == "another person (number 2)"
    assert [proposal.score for proposal in found] == sorted(proposal.score for proposal in found)


def test_dark_burnt_out_and_flat_faces_are_proposed_worst_first(face, tmp_path: Path):
    image, record = face
    black = (image * 0.04).astype(np.uint8)
    burnt = np.clip(image.astype(np.float32) * 4 + 90, 0, 255).astype(np.uint8)
    flat = np.full_like(image, 120) + (image // 64)
    paths = write_faces(tmp_path / "a", [image] * 6 + [black, burnt, flat], record)

    found = {item.path.name: item.reason for item in propose_exposure(looks_of(paths))}

    assert found == {
        "00006_0.jpg": "too dark",
        "00007_0.jpg": "burnt out",
        "00008_0.jpg": "no contrast",
    }


def test_moody_light_is_no_fault(face, tmp_path: Path):
    image, record = face
    evening = (image * 0.35).astype(np.uint8)
    flash = np.clip(image.astype(np.float32) * 1.3, 0, 255).astype(np.uint8)
    paths = write_faces(tmp_path / "a", [image] * 6 + [evening, flash], record)

    assert propose_exposure(looks_of(paths)) == []


def test_a_set_that_is_dark_throughout_keeps_its_faces(face, tmp_path: Path):
    image, record = face
    night = (image * 0.15).astype(np.uint8)
    looks = looks_of(write_faces(tmp_path / "a", [night] * 8, record))
    assert all(look.light is not None and look.light.dark > 0.5 for look in looks)

    assert propose_exposure(looks) == []


def test_a_face_far_smaller_than_the_rest_and_the_crop_is_proposed(face, tmp_path: Path):
    image, record = face
    (look,) = looks_of(write_faces(tmp_path / "a", [image], record))
    side = face_side(record.landmarks)
    looks = [
        dataclasses.replace(look, path=Path(f"{n}.jpg"), frame_pixels=pixels)
        for n, pixels in enumerate([side, side / 2, side / 1.5, side / 6, side / 4.5])
    ]

    assert [item.path.name for item in propose_small(looks)] == ["3.jpg", "4.jpg"]
    assert propose_small(looks)[0].score == pytest.approx(6.0)
    # A film of low resolution is all there is: only faces nothing can be seen in go.
    assert propose_small([looks[4]] * 5) == []
    tiny = dataclasses.replace(look, frame_pixels=15.0)
    assert len(propose_small([tiny] * 5)) == 5


@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_a_face_cut_by_the_edge_of_its_frame_is_found_by_its_share(face, turn: float):
    image, record = face
    size = image.shape[0]
    image = np.maximum(image, 20)
    # The frame's left edge runs through the face, upright or turned with the crop.
    normal = np.array([math.cos(math.radians(turn)), math.sin(math.radians(turn))])
    middle = record.landmarks[27]
    rows, columns = np.mgrid[:size, :size]
    beyond = (columns - middle[0]) * normal[0] + (rows - middle[1]) * normal[1] < 0
    cut = image.copy()
    cut[beyond] = 0
    turned = np.array([normal, [-normal[1], normal[0]]], np.float32)
    in_frame = record.replace(source_landmarks=record.landmarks @ turned.T)
    hull = hull_mask(record.landmarks, size, size, eyebrows_expand=0.0)
    share = float(beyond[hull[..., 0] > 0.5].mean())

    found = share_outside(cut, hull, in_frame)

    assert 0.2 < share < 0.8
    assert found == pytest.approx(share, abs=0.04)  # the edge is softened by a pixel of 128
    assert share_outside(image, hull, in_frame) == 0.0


def test_a_dark_wall_behind_a_whole_face_does_not_cut_it_off(face):
    image, record = face
    size = image.shape[0]
    hull = hull_mask(record.landmarks, size, size, eyebrows_expand=0.0)
    before_black = np.maximum(image, 20) * (hull > 0.5).astype(np.uint8)

    assert share_outside(before_black, hull, record) < 0.03


def test_cut_off_faces_are_proposed_above_the_limit():
    faces = [
        FaceMeasure(Path(f"{n}.jpg"), outside=share) for n, share in enumerate([0.0, 0.2, 0.3])
    ]

    assert [item.path.name for item in propose_cut_off(faces, 0.05)] == ["2.jpg", "1.jpg"]


def test_landmarks_off_the_face_are_proposed_where_a_face_is_seen():
    faces = [FaceMeasure(Path(f"{n}.jpg")) for n in range(4)]
    verdicts = {
        "0.jpg": LandmarkVerdict(0.01, 1.0),
        "1.jpg": LandmarkVerdict(0.15, 0.9),
        "2.jpg": LandmarkVerdict(0.4, 0.1),  # sees no face: its points say nothing
    }

    found = propose_landmarks(faces, verdicts, 0.1)

    assert [(item.path.name, item.score) for item in found] == [("1.jpg", 0.15)]


def test_a_frame_without_a_visible_face_follows_its_track():
    faces = [FaceMeasure(Path(f"{n}.jpg")) for n in range(6)]
    presence = {"0.jpg": 1.0, "1.jpg": 0.1, "2.jpg": 0.9, "3.jpg": 0.2, "4.jpg": 0.3, "5.jpg": 0.0}
    tracks = {"0.jpg": "a", "1.jpg": "a", "2.jpg": "a", "3.jpg": "b", "4.jpg": "b"}

    found = propose_non_faces(faces, presence, tracks)

    assert [item.path.name for item in found] == ["5.jpg", "3.jpg", "4.jpg"]
