"""What is written here passes a reader that is as narrow as DeepFaceLab's own."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.faces.face_record import Polygon
from dflcolab.formats import pickle_writer
from dflcolab.formats.dfl_jpeg import embed, read_record, replace_record
from dflcolab.formats.jpeg_segments import obstacles
from tests.formats.face_files import VECTORS, face_file, jpeg, record
from tests.formats.strict_reader import Refused, strict_face, strict_file, unpickle


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_empty_restart_interval() -> bytes:
    data = jpeg()
    return data[:20] + segment(0xDD, b"\0\0") + data[20:]


SOURCES = {
    "plain": jpeg,
    "progressive": lambda: jpeg(64, 0, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "grey": lambda: cv2.imencode(".jpg", np.full((32, 32), 90, np.uint8))[1].tobytes(),
    "optimised": lambda: jpeg(64, 0, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "no JFIF": lambda: b"\xff\xd8" + jpeg()[20:],
    "Exif instead of JFIF": lambda: b"\xff\xd8" + segment(0xE1, b"Exif\0\0") + jpeg()[20:],
    "JFXX before JFIF": lambda: b"\xff\xd8" + segment(0xE0, b"JFXX\0\x10" + jpeg(16)) + jpeg()[2:],
    "other APP0": lambda: jpeg()[:20] + segment(0xE0, b"AVI1\0\0\0\0") + jpeg()[20:],
    "fill bytes": lambda: jpeg()[:20] + b"\xff\xff\xff" + jpeg()[20:],
    "bytes behind the end": lambda: jpeg() + b"trailing data",
    "a second picture behind the end": lambda: jpeg() + jpeg(32),
    "restart interval of zero": with_empty_restart_interval,
    "an APP segment behind the tables": lambda: (
        jpeg()[: jpeg().index(b"\xff\xc0")]
        + segment(0xE5, b"late")
        + jpeg()[jpeg().index(b"\xff\xc0") :]
    ),
    "two old APP15": lambda: (
        jpeg()[:20] + segment(0xEF, b"N.") + segment(0xEF, b"}.") + jpeg()[20:]
    ),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_every_source_becomes_a_file_that_the_strict_reader_takes(source):
    data = source()
    assert obstacles(data, "it") == []

    found = embed(data, record(mask=True, polygons=True))

    size, values = strict_face(found)
    assert size == cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2]
    assert values["source_filename"] == "00042.png"
    before = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    after = cv2.imdecode(np.frombuffer(found, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(before, after)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (lambda: jpeg(64, 0, cv2.IMWRITE_JPEG_RST_INTERVAL, 2), "restart markers"),
        # An Adobe segment that says RGB: with JFIF the colors would change.
        (
            lambda: b"\xff\xd8" + segment(0xEE, b"Adobe\0\x64" + bytes(5)) + jpeg()[20:],
            "RGB JPEG",
        ),
    ],
)
def test_what_only_a_new_compression_could_change_is_said_with_a_remedy(source, what, caplog):
    data = source()
    with caplog.at_level(logging.WARNING):
        found = embed(data, record(), name="face.jpg")
    assert any(what in part for part in obstacles(data, "it"))
    (message,) = [entry.getMessage() for entry in caplog.records]
    assert what in message
    assert "dflcolab resize" in message
    with pytest.raises(Refused):
        strict_face(found)


FACES = [
    path
    for path in sorted(VECTORS.glob("dfljpg/*.jpg"))
    if not path.name.startswith(("hostile", "plain"))
]


@pytest.mark.parametrize("path", FACES, ids=lambda path: path.name)
def test_deepfacelabs_own_files_stay_readable_when_written_again(path: Path, tmp_path: Path):
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    known = read_record(copy)
    assert known is not None

    replace_record(copy, known)

    _, values = strict_file(copy)
    np.testing.assert_allclose(values["landmarks"], known.landmarks, atol=1e-4)


points = st.lists(
    st.tuples(st.floats(-50, 300, width=32), st.floats(-50, 300, width=32)), min_size=1, max_size=9
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), points), max_size=4),
    st.floats(0, 4),
    st.one_of(st.none(), st.binary(min_size=1, max_size=50)),
    st.dictionaries(
        st.text(max_size=8).filter(lambda key: key not in ("", "dflcolab")),
        st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=9), st.booleans()),
        max_size=3,
    ),
    st.text(min_size=1, max_size=12),
)
def test_any_record_is_read_by_old_numpy(polygons, brows, mask, extra, name):
    from dflcolab.formats.dfl_metadata import KNOWN_KEYS

    drawn = tuple(Polygon(kind, np.array(pts, np.float32)) for kind, pts in polygons)
    written = embed(
        jpeg(),
        record(
            polygons=False,
            eyebrows_expand_mod=brows,
            xseg_mask=mask,
            source_filename=name,
            extra={key: value for key, value in extra.items() if key not in KNOWN_KEYS},
        ).replace(polygons=drawn),
    )
    _, values = strict_face(written)
    assert values["source_filename"] == name
    assert values.get("eyebrows_expand_mod", 1.0) == brows
    assert len(values.get("seg_ie_polys", {"polys": []})["polys"]) == len(drawn)
    assert bytes(values.get("xseg_mask", b"")) == (mask or b"")
    for key, value in extra.items():
        if key not in KNOWN_KEYS:
            assert values[key] == value


def test_the_strict_reader_refuses_new_numpys_pickles():
    with pytest.raises(Refused):
        unpickle(b"\x80\x04cnumpy._core.multiarray\n_reconstruct\n.")
    assert unpickle(pickle_writer.dumps({"a": np.arange(3)}))["a"].tolist() == [0, 1, 2]


def test_a_face_file_of_ours_is_one(tmp_path: Path):
    assert strict_file(face_file(tmp_path, "a.jpg", mask=True))[0] == (64, 64)
