"""Faces at another size or type: what is drawn on them moves with them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dflcolab.errors import FacesetError
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.convert import convert_face
from dflcolab.formats.dfl_jpeg import Face, embed, encode_xseg_mask, face_from_bytes, read_face
from dflcolab.formats.jpeg_segments import obstacles
from tests.formats.face_files import REAL_FACE, jpeg, record

REAL = read_face(REAL_FACE)


def with_mask(size: tuple[int, int]) -> Face:
    """A real face whose mask of any size shows its outlines, and nothing else."""
    drawn = REAL.record.polygons
    mask = polygon_mask(drawn, REAL.height, REAL.width)
    stored = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA)
    marked = REAL.record.replace(xseg_mask=encode_xseg_mask(stored))
    return face_from_bytes(embed(REAL.jpeg(), marked), "marked.jpg")


@pytest.mark.parametrize("mask_size", [(256, 256), (128, 128), (512, 512), (200, 300)])
@pytest.mark.parametrize("kind", [FaceType.FULL, FaceType.HALF, FaceType.HEAD])
def test_a_mask_of_any_size_stays_on_what_it_marks(mask_size: tuple[int, int], kind: FaceType):
    done = face_from_bytes(
        convert_face(with_mask(mask_size), size=192, face_type=kind).data, "done.jpg"
    )
    mask = done.decode_mask()
    assert mask is not None
    assert set(np.unique(mask)) <= {0.0, 1.0}
    stretched = cv2.resize(mask, (192, 192), interpolation=cv2.INTER_AREA) > 0.5
    drawn = polygon_mask(done.record.polygons, 192, 192)[..., 0] > 0.5
    overlap = np.count_nonzero(stretched & drawn) / np.count_nonzero(stretched | drawn)
    # Half-face crops enlarge the mask, a 128-pixel one has coarse edges; a mask that was taken for
    # one of 256 pixels would overlap by a half at most.
    assert overlap > 0.9


def test_a_change_of_size_leaves_the_mask_byte_for_byte():
    done = face_from_bytes(convert_face(REAL, size=100).data, "done.jpg")
    assert done.record.xseg_mask == REAL.record.xseg_mask
    assert (done.width, done.height) == (100, 100)


def test_a_face_as_wanted_is_the_same_file():
    done = convert_face(REAL, size=REAL.width, face_type=REAL.record.assumed_face_type)
    assert done.data == REAL.jpeg()
    assert not done.changed


def test_a_face_that_deepfacelab_cannot_read_is_written_anew():
    data = embed(jpeg(64, 0, cv2.IMWRITE_JPEG_RST_INTERVAL, 2), record())
    assert obstacles(data, "it") == ["has restart markers"]
    done = convert_face(face_from_bytes(data, "it"), size=64)
    assert done.changed
    assert obstacles(done.data, "it") == []


def test_unknown_keys_and_the_frames_data_stay():
    kept = REAL.record.replace(extra={"studio": [1, 2.5, "x"]})
    face = face_from_bytes(embed(REAL.jpeg(), kept), "it")
    done = face_from_bytes(convert_face(face, size=90, face_type=FaceType.FULL).data, "done")
    assert dict(done.record.extra) == {"studio": [1, 2.5, "x"]}
    assert done.record.source_filename == kept.source_filename
    np.testing.assert_array_equal(done.record.source_landmarks, kept.source_landmarks)
    np.testing.assert_array_equal(done.record.source_rect, kept.source_rect)
    assert done.record.eyebrows_expand_mod == kept.eyebrows_expand_mod


def test_growing_is_told_from_cutting():
    assert convert_face(REAL, size=400).enlarged
    assert not convert_face(REAL, size=100).enlarged
    wider = convert_face(REAL, size=200, face_type=FaceType.HEAD)
    assert not wider.enlarged
    assert wider.covered < 0.7
    assert convert_face(REAL, size=200, face_type=FaceType.HALF).covered == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(64, 80), (80, 64)])
def test_a_picture_that_is_not_square_is_refused(shape: tuple[int, int]):
    oblong = cv2.imencode(".jpg", np.zeros((*shape, 3), np.uint8))[1].tobytes()
    with pytest.raises(FacesetError, match="not square"):
        convert_face(face_from_bytes(embed(oblong, record()), "it"), size=64)


def test_a_crop_cannot_become_a_frame():
    with pytest.raises(FacesetError, match="whole frame"):
        convert_face(REAL, size=64, face_type=FaceType.MARK_ONLY)


def test_landmarks_on_one_point_are_refused():
    flat = face_from_bytes(embed(jpeg(), record(landmarks=np.ones((68, 2), np.float32))), "it")
    with pytest.raises(FacesetError, match="one point"):
        convert_face(flat, size=64, face_type=FaceType.FULL)
    assert convert_face(flat, size=50).changed
