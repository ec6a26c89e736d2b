"""Faces are cropped, masked and padded as the step expects."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import FacesetError
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faceset.faceset import load_faceset
from dflcolab.formats.xseg_masks import encode_xseg_mask
from dflcolab.progress import Progress
from dflcolab.training.augment import PADDING
from dflcolab.training.dataset import prepare_faces, training_face
from dflcolab.workspace.workspace import Side, Workspace


@pytest.fixture
def faceset(face_workspace: Path):
    return load_faceset(Workspace.open(face_workspace).aligned_dir(Side.DST))


def _inner(face):
    return face[PADDING:-PADDING, PADDING:-PADDING]


def test_a_face_of_the_same_type_is_only_resized(faceset):
    picture, record = faceset.decode(0), faceset.records[0]
    face = training_face(picture, record, face_type=FaceType.WHOLE, resolution=96)
    assert face.shape == (96 + 2 * PADDING, 96 + 2 * PADDING, 5)
    expected = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(_inner(face)[..., :3], expected)
    hull = hull_mask(record.landmarks, *picture.shape[:2])[..., 0]
    expected = cv2.resize(hull, (96, 96), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(_inner(face)[..., 3] / 255, expected, atol=1 / 255)
    # Eyes and mouth lie inside of the face and are a small part of it.
    assert (_inner(face)[..., 4][_inner(face)[..., 3] == 0] == 0).all()
    assert 0.005 < (_inner(face)[..., 4] > 0).mean() < 0.2


def test_edges_are_repeated_in_pictures_and_empty_in_masks(faceset):
    face = training_face(
        faceset.decode(0), faceset.records[0], face_type=FaceType.WHOLE, resolution=64
    )
    np.testing.assert_array_equal(face[0, :, :3], face[PADDING, :, :3])
    np.testing.assert_array_equal(face[:, -1, :3], face[:, -PADDING - 1, :3])
    assert not face[:PADDING, :, 3:].any()
    assert not face[:, :PADDING, 3:].any()


def test_a_narrower_model_sees_a_narrower_crop(faceset):
    picture, record = faceset.decode(0), faceset.records[0]
    face = training_face(picture, record, face_type=FaceType.FULL, resolution=64)
    matrix = alignment_matrix(record.landmarks, 64, FaceType.FULL)
    expected = cv2.warpAffine(
        picture, matrix, (64, 64), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    np.testing.assert_array_equal(_inner(face)[..., :3], expected)
    wide = training_face(picture, record, face_type=FaceType.WHOLE, resolution=64)
    assert (_inner(face)[..., 3] > 0).mean() > 1.3 * (_inner(wide)[..., 3] > 0).mean()


def test_a_stored_mask_wins_over_the_hull(faceset):
    stored = np.zeros((32, 32, 1), np.float32)
    stored[:, :16] = 1
    record = faceset.records[0].replace(xseg_mask=encode_xseg_mask(stored))
    face = training_face(faceset.decode(0), record, face_type=FaceType.WHOLE, resolution=64)
    mask = _inner(face)[..., 3]
    assert (mask[:, :28] == 255).all()
    assert (mask[:, 36:] == 0).all()


def _prepare(faceset, tmp_path, problems, **changes):
    options = {"face_type": FaceType.WHOLE, "resolution": 64, **changes}
    return prepare_faces(
        faceset, range(len(faceset)), title="Loading", progress=Progress(), cache_dir=tmp_path,
        problems=problems, **options,
    )  # fmt: skip


def test_a_damaged_picture_is_named_and_left_out(face_workspace: Path, tmp_path: Path):
    folder = Workspace.open(face_workspace).aligned_dir(Side.DST)
    broken = sorted(folder.glob("*.jpg"))[3]
    data = bytearray(broken.read_bytes())
    middle = data.index(b"\xff\xda") + 2
    data[middle:-2] = b"\x00" * (len(data) - 2 - middle)
    broken.write_bytes(data)
    faceset = load_faceset(folder)
    problems = list(faceset.problems)
    faces = _prepare(faceset, tmp_path, problems)
    # OpenCV makes something of most damage; either it decodes, or it is named.
    assert len(faces) + len(problems) == 72
    assert len(faces.yaws) == len(faces.names) == len(faces)


@pytest.mark.bad_day("face-type-too-narrow")
def test_faces_narrower_than_the_model_are_refused_by_name(faceset, tmp_path: Path):
    with pytest.raises(FacesetError, match=r"00001_0\.jpg is a whole_face picture.*head"):
        _prepare(faceset, tmp_path, [], face_type=FaceType.HEAD)
