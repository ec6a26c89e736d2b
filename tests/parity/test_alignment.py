"""Alignment matrices, boxes, similarity fits and crops, against DeepFaceLab's."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.faces.alignment import (
    alignment_matrix,
    rect_from_landmarks,
    transform_points,
    umeyama,
)
from dflcolab.faces.face_type import FaceType
from tests.parity.vector_cases import Entry, entry_params, file_params, load_json

INTERPOLATIONS = {
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos4": cv2.INTER_LANCZOS4,
}
CROP_NAME = re.compile(
    r"(?P<frame>.+?)_(?P<type>half_face|midfull_face|full_face_no_align|full_face|whole_face|"
    r"head_no_align|head)_(?P<size>\d+)_(?P<interpolation>linear|cubic|lanczos4)"
)


def frames(vectors: Path) -> dict:
    return load_json(vectors / "imaging" / "frames" / "frames.json")


def matrix_name(_: str, case: dict) -> str:
    return f"{case['frame']}-{case['face_type']}-{case['size']}-{case['scale']}"


@pytest.mark.parametrize(
    "case", entry_params("imaging", "align", "transform_mats*.json", name=matrix_name)
)
def test_the_crop_lies_where_deepfacelab_puts_it(vectors: Path, case: Entry):
    value = case.value
    landmarks = frames(vectors)[value["frame"]]["landmarks68"]
    size = value["size"]
    kind = FaceType.parse(value["face_type"])

    matrix = alignment_matrix(landmarks, size, kind, scale=value["scale"])

    assert matrix.dtype == np.float32
    corners = [(0, 0), (size, 0), (size, size), (0, size), (size / 2, size / 2)]
    found = transform_points(corners, matrix, invert=True)
    # Allowed by the vectors' README; float32 matrices cost about 5e-5 px.
    np.testing.assert_allclose(found, value["corners_tl_tr_br_bl_center"], atol=0.005)
    if "landmarks_aligned" in value:
        aligned = transform_points(landmarks, matrix)
        np.testing.assert_allclose(aligned, value["landmarks_aligned"], atol=0.005)


@pytest.mark.parametrize("case", entry_params("imaging", "align", "rect_from_landmarks*.json"))
def test_the_box_around_landmarks_is_deepfacelabs(vectors: Path, case: Entry):
    landmarks = frames(vectors)[case.key]["landmarks68"]
    np.testing.assert_allclose(rect_from_landmarks(landmarks), case.value, atol=0.01)


@pytest.mark.parametrize("case", entry_params("imaging", "align", "umeyama*.json"))
def test_the_similarity_fit_is_umeyamas(case: Entry):
    for key, with_scale in (("T", True), ("T_noscale", False)):
        expected = np.array(case.value[key], dtype=float)
        found = umeyama(case.value["src"], case.value["dst"], with_scale=with_scale)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("path", file_params("imaging", "align", "crops", "*.png"))
def test_crops_have_deepfacelabs_pixels(vectors: Path, path: Path):
    name = CROP_NAME.fullmatch(path.stem)
    assert name is not None, f"{path.name} is not named as a crop"
    frame = frames(vectors)[name["frame"]]
    picture = cv2.imread(str(vectors / "imaging" / "frames" / frame["file"]))
    size = int(name["size"])
    matrix = alignment_matrix(frame["landmarks68"], size, FaceType.parse(name["type"]))

    crop = cv2.warpAffine(
        picture, matrix, (size, size), flags=INTERPOLATIONS[name["interpolation"]]
    )

    difference = np.abs(crop.astype(int) - cv2.imread(str(path)))
    assert difference.mean() <= 0.3
    assert difference.max() <= 6
