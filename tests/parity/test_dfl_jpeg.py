"""Face files written by DeepFaceLab: every value, the container, and what is refused."""

from __future__ import annotations

import io
import pickletools
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.errors import UnsafeFileError
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.polygons import drawing_order
from dflcolab.formats import restricted_pickle
from dflcolab.formats.dfl_jpeg import embed, read_face, read_record
from dflcolab.formats.dfl_metadata import KNOWN_KEYS, record_from_dict
from dflcolab.formats.jpeg_segments import APP15, read_header
from tests.parity.vector_cases import Entry, entry_params, file_params, load_json


def file_of(_: str, case: dict) -> str:
    return case["file"]


CASES = entry_params("imaging", "dfljpg", "dfljpg*.json", name=file_of)


def plain(value: Any) -> Any:
    """Expected values without their type notes."""
    if isinstance(value, dict) and "py" in value:
        return plain(value.get("value"))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES)
def test_every_value_of_a_face_file_is_read(case: Entry):
    value = case.value
    face = read_face(case.folder / value["file"])
    record, expected = face.record, {k: plain(v) for k, v in value["dict"].items()}

    assert [face.height, face.width] == value["shape"][:2]
    kind = expected.get("face_type")
    assert record.face_type is (None if kind is None else FaceType.parse(kind))
    assert record.source_filename == expected.get("source_filename")
    assert record.eyebrows_expand_mod == expected.get("eyebrows_expand_mod", 1.0)
    # float32 holds coordinates of a few hundred pixels to 3e-5.
    for key in ("landmarks", "source_landmarks", "image_to_face_mat", "source_rect"):
        found = getattr(record, key)
        if expected.get(key) is None:
            assert found is None, key
        else:
            np.testing.assert_allclose(found, expected[key], rtol=1e-6, atol=5e-5)
    order = [int(polygon.include) for polygon in drawing_order(record.polygons)]
    assert order == value.get("segmentation_polys_order_types", [])
    drawn = expected.get("seg_ie_polys") or {"polys": []}
    polys = drawn["polys"] if isinstance(drawn, dict) else drawn
    assert len(record.polygons) == len(polys)
    for polygon, item in zip(record.polygons, polys, strict=True):
        kind, points = (item["type"], item["pts"]) if isinstance(item, dict) else item
        assert polygon.include == (kind == 1)
        np.testing.assert_allclose(polygon.points, np.reshape(points, (-1, 2)), rtol=1e-6)
    assert set(record.extra) == set(expected) - set(KNOWN_KEYS)


@pytest.mark.parametrize("case", CASES)
def test_the_stored_mask_is_read(case: Entry):
    face = read_face(case.folder / case.value["file"])
    mask = face.decode_mask()
    if "xseg_sum" not in case.value:
        assert mask is None
        return
    assert mask is not None
    assert list(mask.shape) == case.value["xseg_shape"]
    # JPEG decoders differ in the last bit.
    assert mask.sum() == pytest.approx(case.value["xseg_sum"], rel=1e-3)
    picture = case.folder / f"{Path(case.value['file']).stem}_xseg.png"
    if picture.exists():
        expected = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(np.rint(mask[..., 0] * 255), expected)


@pytest.mark.parametrize("case", CASES)
def test_segments_are_where_deepfacelab_wrote_them(case: Entry):
    data = (case.folder / case.value["file"]).read_bytes()
    header = read_header(io.BytesIO(data), "the file")
    offset, found = 2, []
    for segment in header.segments:
        found.append([hex(segment.marker), offset, len(segment.payload) + 2])
        offset += len(segment.payload) + 4
    expected = case.value["segments_marker_offset_length"]
    assert found == expected[: len(found)]
    assert len(header.last(APP15) or b"") == case.value["app15_payload_len"]


@pytest.mark.parametrize("case", CASES)
def test_written_again_the_file_has_deepfacelabs_form(case: Entry):
    data = (case.folder / case.value["file"]).read_bytes()
    record = read_record(case.folder / case.value["file"])
    assert record is not None

    again = embed(data, record)

    markers = [hex(s.marker) for s in read_header(io.BytesIO(again), "again").segments]
    assert markers[:2] == ["0xe0", "0xef"]
    assert again.endswith(b"\xff\xd9")
    payload = read_header(io.BytesIO(again), "again").last(APP15)
    assert payload is not None
    values = restricted_pickle.loads(payload, name="again")
    wanted = [k for k in KNOWN_KEYS if k in case.value["key_order"]]
    assert [k for k in values if k in KNOWN_KEYS] == wanted
    opcodes = list(pickletools.genops(payload))
    assert opcodes[0][1] in (3, 4)
    names = {argument for _, argument, _ in opcodes if isinstance(argument, str)}
    assert not any("numpy._core" in name for name in names)
    scan = read_header(io.BytesIO(data), "before").scan_offset
    assert again.endswith(data[scan:])  # the picture's data, byte for byte


@pytest.mark.parametrize("path", file_params("imaging", "dfljpg", "plain*.jpg"))
def test_an_ordinary_jpeg_has_no_metadata(path: Path):
    assert read_record(path) is None


@pytest.mark.parametrize("path", file_params("imaging", "dfljpg", "hostile*.jpg"))
def test_a_hostile_pickle_is_refused_and_runs_nothing(path: Path, capsys):
    with pytest.raises(UnsafeFileError, match=path.name):
        read_record(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("path", file_params("imaging", "meta", "*.dat"))
def test_a_metadata_backup_holds_records(path: Path):
    entries = restricted_pickle.loads(path.read_bytes(), name=path.name)
    expected = load_json(path.with_suffix(".json"))["entries"]
    assert list(entries) == list(expected)
    for name, (shape, values) in entries.items():
        assert list(shape) == expected[name]["shape"]
        record = record_from_dict(values, name)
        wanted = plain(expected[name]["dict"])
        np.testing.assert_allclose(record.landmarks, wanted["landmarks"], atol=5e-5)
        assert record.source_filename == wanted["source_filename"]
