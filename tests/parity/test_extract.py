"""The last stage of extraction against DeepFaceLab's own face files and debug pictures."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.extraction.alignment import align_face, encode_jpeg
from dflcolab.extraction.debug_view import QUALITY, draw_face
from dflcolab.faces.face_type import FaceType
from dflcolab.formats.dfl_jpeg import embed, read_face, read_record_bytes
from tests.parity.vector_cases import Entry, entry_params

CASES = entry_params(
    "imaging",
    "extract",
    "extract*.json",
    name=lambda _, case: f"{case['frame']}_{case['face_type']}",
    keep=lambda _, case: isinstance(case, dict) and "outputs" in case,
)


class Case:
    """A frame with two boxes and landmarks, and the files that the reference made of them."""

    def __init__(self, entry: Entry) -> None:
        value: dict[str, Any] = entry.value
        self.folder = entry.folder
        self.value = value
        self.face_type = FaceType.parse(value["face_type"])
        self.size = int(value["image_size"])
        self.quality = int(value["jpeg_quality"])
        frame = cv2.imread(str(entry.folder.parent / "frames" / f"{value['frame']}.png"))
        assert frame is not None
        self.frame = np.asarray(frame, np.uint8)
        inputs = list(zip(value["rects_in"], value["landmarks_in"], strict=True))
        self.faces = [
            (self.folder / output["file"], *self._input_of(output, inputs))
            for output in value["outputs"]
        ]

    def _input_of(self, output: dict[str, Any], inputs: list[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Box and landmarks of an output: the reference drops faces by a rule that we do not have."""
        record = read_face(self.folder / output["file"]).record
        assert record is not None
        assert record.source_rect is not None
        rect, landmarks = next(
            item for item in inputs if np.array_equal(item[0], record.source_rect)
        )
        return np.array(rect, np.float32), np.array(landmarks, np.float32)


@pytest.mark.parametrize("entry", CASES)
def test_face_files_equal_the_references(entry: Entry):
    case = Case(entry)

    for path, box, landmarks in case.faces:
        expected = read_face(path)
        aligned = align_face(
            case.frame,
            landmarks,
            box,
            face_type=case.face_type,
            size=case.size,
            source_filename=f"{case.value['frame']}.png",
            antialias=False,
        )
        content = embed(encode_jpeg(aligned.image, case.quality), aligned.record)
        record = read_record_bytes(content, "ours")
        wanted = expected.record
        assert record is not None
        assert wanted is not None

        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        difference = np.abs(picture.astype(int) - expected.decode().astype(int)).mean()
        # Two JPEG encodings of nearly one crop: 0.3 where the interpolation is OpenCV 4's (on a
        # grid of 1/32 pixel), 0.75 with OpenCV 5, which interpolates exactly. A crop with another
        # kernel (Lanczos) gives 2 and more.
        assert difference < 1
        assert record.face_type is wanted.face_type
        assert record.source_filename == wanted.source_filename
        np.testing.assert_array_equal(record.source_rect, wanted.source_rect)
        for ours, theirs in (
            (record.landmarks, wanted.landmarks),
            (record.source_landmarks, wanted.source_landmarks),
            (record.image_to_face_mat, wanted.image_to_face_mat),
        ):
            # The reference computes in float32: noise of about 1e-5 px, times the crop's zoom.
            np.testing.assert_allclose(ours, theirs, atol=0.005)


@pytest.mark.parametrize("entry", CASES)
def test_debug_pictures_equal_the_references(entry: Entry):
    case = Case(entry)
    expected = cv2.imread(str(case.folder / case.value["debug_file"]))
    picture = case.frame.copy()

    for _, box, landmarks in case.faces:
        draw_face(picture, landmarks, box, face_type=case.face_type, size=case.size)

    ours = cv2.imdecode(np.frombuffer(encode_jpeg(picture, QUALITY), np.uint8), cv2.IMREAD_COLOR)
    # Line rasterising differs a little between OpenCV versions.
    assert np.abs(ours.astype(int) - expected.astype(int)).mean() < 2
