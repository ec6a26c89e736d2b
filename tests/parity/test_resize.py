"""Faces resized and changed to another type as DeepFaceLab's tool does."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest

from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.convert import convert_face
from dflcolab.formats.dfl_jpeg import face_from_bytes, read_face
from dflcolab.formats.dfl_metadata import record_to_dict
from tests.parity.test_dfl_jpeg import plain
from tests.parity.vector_cases import Entry, entry_params

CASES = entry_params("imaging", "resize", "resize*.json", name=lambda _, case: case["key"])


def converted(case: Entry):
    value = case.value
    kind = value["new_face_type"]
    done = convert_face(
        read_face(case.folder / value["in"]),
        size=value["new_size"],
        face_type=None if kind is None else FaceType.parse(kind),
    )
    return face_from_bytes(done.data, value["key"])


@pytest.mark.parametrize("case", CASES)
def test_the_metadata_is_deepfacelabs(case: Entry):
    face = converted(case)
    expected = {key: plain(value) for key, value in case.value["dict"].items()}
    found = record_to_dict(face.record)
    mask_of = {key: value for key, value in expected.items() if key == "xseg_mask"}

    assert set(found) == set(case.value["dict"])
    assert face.width == face.height == case.value["new_size"]
    assert found["face_type"] == expected["face_type"]
    assert found["source_filename"] == expected["source_filename"]
    np.testing.assert_array_equal(found["source_rect"], expected["source_rect"])
    np.testing.assert_allclose(found["source_landmarks"], expected["source_landmarks"], rtol=1e-6)
    # The vectors' own tolerance: 0.005 pixels. The matrix shifts by that at most, too.
    np.testing.assert_allclose(found["landmarks"], expected["landmarks"], atol=0.005)
    np.testing.assert_allclose(found["image_to_face_mat"], expected["image_to_face_mat"], atol=5e-3)
    drawn = expected["seg_ie_polys"]["polys"]
    assert [p["type"] for p in found["seg_ie_polys"]["polys"]] == [p["type"] for p in drawn]
    for mine, theirs in zip(found["seg_ie_polys"]["polys"], drawn, strict=True):
        np.testing.assert_allclose(mine["pts"], theirs["pts"], atol=0.005)
    if case.value["new_face_type"] is None and mask_of:
        stored = hashlib.sha256(bytes(found["xseg_mask"])).hexdigest()
        assert stored == mask_of["xseg_mask"]["sha256"]


@pytest.mark.parametrize("case", CASES)
def test_the_picture_and_the_mask_are_deepfacelabs(case: Entry):
    face = converted(case)
    expected = read_face(case.folder / case.value["out"])
    # The vectors' own tolerances: mean 1.5 grey levels, 20 pixels of the mask.
    difference = np.abs(face.decode().astype(int) - expected.decode().astype(int))
    assert difference.mean() < 1.5
    mask = face.decode_mask()
    picture = cv2.imread(
        str(case.folder / f"{case.value['key']}_out_xseg.png"), cv2.IMREAD_GRAYSCALE
    )
    assert mask is not None
    assert picture is not None
    assert mask.shape[:2] == picture.shape
    assert np.count_nonzero((mask[..., 0] > 0.5) != (picture > 127)) <= 20
