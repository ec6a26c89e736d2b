"""Face files: what is kept, what is refused, and that a face is never lost."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dflcolab.errors import DFLColabError, FormatError, UnsafeFileError
from dflcolab.faces.face_record import PROVENANCE_KEY, Polygon
from dflcolab.formats import dfl_jpeg, pickle_writer, restricted_pickle
from dflcolab.formats.dfl_jpeg import (
    decode_xseg_mask,
    embed,
    encode_xseg_mask,
    face_from_bytes,
    read_face,
    read_record,
    read_record_bytes,
    replace_record,
    write_face,
)
from dflcolab.formats.dfl_metadata import mask_bytes
from dflcolab.formats.jpeg_segments import (
    APP15,
    LARGEST_PAYLOAD,
    end_of_picture,
    read_header,
    with_app15,
)
from tests.formats.face_files import REAL_FACE, VECTORS, face_file, jpeg, record


def pixels(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def markers(data: bytes) -> list[int]:
    return [segment.marker for segment in read_header(io.BytesIO(data), "it").segments]


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def test_a_record_comes_back_as_it_was_written(tmp_path: Path):
    written = record(mask=True, polygons=True, eyebrows_expand_mod=1.25)
    path = tmp_path / "00042_0.jpg"
    write_face(path, jpeg(), written)

    face = read_face(path)

    found = face.record
    assert (face.width, face.height) == (64, 64)
    assert found.face_type is written.face_type
    assert found.source_filename == "00042.png"
    assert found.eyebrows_expand_mod == 1.25
    for name in ("landmarks", "source_landmarks", "source_rect", "image_to_face_mat"):
        np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
    assert found.xseg_mask == written.xseg_mask
    assert [p.include for p in found.polygons] == [True, False]
    for a, b in zip(found.polygons, written.polygons, strict=True):
        np.testing.assert_array_equal(a.points, b.points)
    mask = face.decode_mask()
    assert mask is not None
    np.testing.assert_array_equal(mask[..., 0], np.eye(32))


def test_other_metadata_leaves_every_pixel_alone(tmp_path: Path):
    path = tmp_path / "face.jpg"
    path.write_bytes(REAL_FACE.read_bytes())
    before = pixels(path.read_bytes())

    replace_record(path, read_face(path).record.replace(polygons=(), xseg_mask=None))
    replace_record(path, read_face(path).record.replace(source_filename="x.png"))

    assert np.array_equal(pixels(path.read_bytes()), before)
    assert read_face(path).record.source_filename == "x.png"
    assert markers(path.read_bytes()).count(APP15) == 1


def test_keys_nobody_knows_survive(tmp_path: Path):
    ours = {"video": "data_dst.mp4", "frame_index": 41, "time_s": 1.64, "score": 0.9}
    extra = {PROVENANCE_KEY: ours, "fanseg_mask": np.arange(3), "pitch_yaw_roll": (0.1, 0.2, 0.3)}
    path = face_file(tmp_path, "a.jpg", extra=extra)

    replace_record(path, read_face(path).record.replace(eyebrows_expand_mod=0.5))

    found = read_face(path).record
    assert found.provenance == ours
    assert list(found.extra) == list(extra)
    assert found.extra["pitch_yaw_roll"] == (0.1, 0.2, 0.3)
    np.testing.assert_array_equal(found.extra["fanseg_mask"], [0, 1, 2])


def test_keys_stand_in_deepfacelabs_order():
    payload = read_header(
        io.BytesIO(embed(jpeg(), record(mask=True, polygons=True, eyebrows_expand_mod=2.0))), "it"
    ).last(APP15)
    assert payload is not None
    values = restricted_pickle.loads(payload, name="it")
    assert list(values) == [
        "face_type",
        "landmarks",
        "source_filename",
        "source_rect",
        "source_landmarks",
        "image_to_face_mat",
        "eyebrows_expand_mod",
        "seg_ie_polys",
        "xseg_mask",
    ]
    assert b"numpy._core" not in payload


def test_our_own_key_holds_texts_and_numbers_only():
    data = embed(
        jpeg(), record(extra={PROVENANCE_KEY: {"score": np.float32(0.5), "n": np.int64(3)}})
    )
    found = read_record_bytes(data, "it")
    assert found is not None
    assert {key: type(value) for key, value in found.provenance.items()} == {
        "score": float,
        "n": int,
    }
    with pytest.raises(FormatError, match="neither a text nor a number"):
        embed(jpeg(), record(extra={PROVENANCE_KEY: {"video": Path("x.mp4")}}))


def test_a_full_disk_leaves_the_old_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = face_file(tmp_path, "a.jpg")
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DFLColabError, match="disk is full"):
        replace_record(path, record(mask=True))
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


# --- room -----------------------------------------------------------------------------------------


def noisy_mask(side: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (side, side, 1)).astype(np.float32)


def outline(n: int) -> Polygon:
    return Polygon(True, np.random.default_rng(1).uniform(0, 64, (n, 2)).astype(np.float32))


def test_a_large_mask_is_stored_within_deepfacelabs_limit():
    encoded = encode_xseg_mask(noisy_mask(400))
    assert len(encoded) <= 50_000
    assert encoded.startswith(b"\xff\xd8")
    assert decode_xseg_mask(encoded).shape == (400, 400, 1)


def test_a_plain_mask_is_a_png_cut_to_bytes_not_rounded():
    encoded = encode_xseg_mask(np.array([[0.0, 0.999, 1.0, 2.0, -1.0, 0.5]], np.float32))
    assert encoded.startswith(b"\x89PNG")
    found = decode_xseg_mask(encoded)[0, :, 0] * 255
    assert found.tolist() == pytest.approx([0, 254, 255, 255, 0, 127])


def test_a_mask_that_leaves_no_room_is_stored_coarser():
    mask = noisy_mask(400)
    full = record(xseg_mask=encode_xseg_mask(mask), polygons=False).replace(
        polygons=(outline(3000),)
    )
    data = embed(jpeg(), full)
    found = read_record_bytes(data, "it")
    assert found is not None
    assert len(found.polygons[0].points) == 3000
    assert found.xseg_mask is not None
    stored = decode_xseg_mask(found.xseg_mask)
    assert stored.mean() == pytest.approx(mask.mean(), abs=0.02)


def test_metadata_that_cannot_fit_is_refused_and_the_file_stays(tmp_path: Path):
    path = face_file(tmp_path, "a.jpg")
    before = path.read_bytes()
    with pytest.raises(FormatError, match=f"{LARGEST_PAYLOAD} fit in a face file"):
        replace_record(path, record().replace(polygons=(outline(9000),)))
    assert path.read_bytes() == before


def test_values_that_are_no_data_are_refused_before_writing(tmp_path: Path):
    with pytest.raises(FormatError, match="cannot be stored"):
        write_face(tmp_path / "a.jpg", jpeg(), record(extra={"odd": object()}))
    assert list(tmp_path.iterdir()) == []


# --- tolerant reading -----------------------------------------------------------------------------


def with_record_at(data: bytes, place: int) -> bytes:
    payload = pickle_writer.dumps(dfl_jpeg.record_to_dict(record()))
    return data[:place] + segment(APP15, payload) + data[place:]


ODD_FILES = {
    "restart markers": lambda: embed(jpeg(64, 0, cv2.IMWRITE_JPEG_RST_INTERVAL, 2), record()),
    "progressive": lambda: embed(jpeg(64, 0, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), record()),
    "no JFIF": lambda: with_record_at(b"\xff\xd8" + jpeg()[20:], 2),
    "Exif instead of JFIF": lambda: with_record_at(
        b"\xff\xd8" + segment(0xE1, b"Exif\0\0") + jpeg()[20:], 2
    ),
    "JFXX thumbnail": lambda: with_record_at(
        jpeg()[:20] + segment(0xE0, b"JFXX\0\x10" + jpeg(16)) + jpeg()[20:], 20
    ),
    "fill bytes": lambda: with_record_at(jpeg()[:20] + b"\xff\xff\xff" + jpeg()[20:], 20),
    "data behind the end": lambda: embed(jpeg(), record()) + b"trailing data",
    "zeros behind the end": lambda: embed(jpeg(), record()) + bytes(5000),
    "comment": lambda: embed(jpeg()[:20] + segment(0xFE, b"hello") + jpeg()[20:], record()),
}


@pytest.mark.parametrize("make", ODD_FILES.values(), ids=ODD_FILES.keys())
def test_odd_but_valid_files_are_read_and_put_in_order(make, tmp_path: Path):
    path = tmp_path / "odd.jpg"
    path.write_bytes(make())
    face = read_face(path)
    assert face.record.source_filename == "00042.png"
    before = face.decode()
    assert before.shape == (64, 64, 3)

    replace_record(path, face.record)

    data = path.read_bytes()
    assert np.array_equal(pixels(data), before)
    assert data.endswith(b"\xff\xd9")
    assert markers(data)[0] == 0xE0
    assert data[6:10] == b"JFIF"
    apps = [marker for marker in markers(data) if 0xE0 <= marker <= 0xEF]
    assert apps[-1] == APP15
    assert apps.count(APP15) == 1


def test_the_last_of_several_records_counts():
    first = embed(jpeg(), record(source_filename="first.png"))
    payload = pickle_writer.dumps(dfl_jpeg.record_to_dict(record(source_filename="last.png")))
    scan = read_header(io.BytesIO(first), "it").scan_offset
    found = read_record_bytes(first[:scan] + segment(APP15, payload) + first[scan:], "it")
    assert found is not None
    assert found.source_filename == "last.png"


def test_an_end_marker_inside_of_a_segment_is_not_the_end():
    data = jpeg()[:20] + segment(0xE2, jpeg(16)) + jpeg()[20:]
    scan = read_header(io.BytesIO(data), "it").scan_offset
    assert end_of_picture(data, scan) == len(data)
    assert np.array_equal(pixels(with_app15(data, b"N.", "it")), pixels(data))


def test_a_grey_picture_gives_three_channels():
    grey = cv2.imencode(".jpg", np.full((32, 32), 90, np.uint8))[1].tobytes()
    face = face_from_bytes(embed(grey, record()), "grey.jpg")
    assert face.decode().shape == (32, 32, 3)


def test_a_cameras_orientation_note_is_ignored():
    # Orientation 6 (turned by a quarter) in a minimal Exif block.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    plain = cv2.imencode(".jpg", np.zeros((32, 48, 3), np.uint8))[1].tobytes()
    turned = embed(plain[:20] + segment(0xE1, exif) + plain[20:], record())
    face = face_from_bytes(turned, "it")
    assert face.decode().shape == (32, 48, 3) == (face.height, face.width, 3)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: b"", "is not a JPEG"),
        (lambda: b"\x89PNG\r\n\x1a\n", "is not a JPEG"),
        (lambda: b"\xff\xd8\xff", "damaged or truncated"),
        (lambda: embed(jpeg(), record())[:500], "damaged or truncated"),
        (lambda: embed(jpeg(), record())[:-300], "truncated"),
        (lambda: jpeg(), "without face metadata"),
        (lambda: with_app15(jpeg(), b"}.", "it"), "without face metadata"),
        (lambda: with_app15(jpeg(), b"N.", "it"), "damaged face metadata"),
        (lambda: with_app15(jpeg(), b"hello", "it"), "damaged"),
        (lambda: with_app15(jpeg(), pickle_writer.dumps({"a": 1}), "it"), "landmarks"),
    ],
)
def test_files_that_are_no_faces_are_named_in_one_sentence(make, sentence: str, tmp_path: Path):
    path = tmp_path / "bad.jpg"
    path.write_bytes(make())
    with pytest.raises(FormatError, match=sentence) as error:
        read_face(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.bad_day("face-unreadable")
def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path):
    for read in (read_face, read_record):
        with pytest.raises(FormatError, match=r"gone\.jpg cannot be read"):
            read(tmp_path / "gone.jpg")


BAD_VALUES = {
    "landmarks": [
        [[1, 2]] * 67,
        [[1, float("nan")]] * 68,
        [[1, 1e30]] * 68,
        "text",
        None,
        [[1, 2, 3]] * 68,
        [["a", "b"]] * 68,
        np.zeros((68, 3)),
        [[10**400, 0]] * 68,
    ],
    "source_landmarks": [[[1, 2]] * 67, 3],
    "source_rect": [[1, 2, 3], "abcd", [1, 2, 3, float("inf")], np.zeros((2, 2))],
    "image_to_face_mat": [[[1, 0, 0]], np.full((2, 3), np.nan)],
    "eyebrows_expand_mod": ["1", float("inf"), [1.0]],
    "face_type": ["hole_face", 3.5, "x" * 10_000, 10**500],
    "seg_ie_polys": [
        3,
        {"polys": 3},
        {"polys": [{"type": 7, "pts": []}]},
        {"polys": [[]]},
        {"polys": [{"type": 1, "pts": [[1, float("nan")]]}]},
    ],
    "xseg_mask": [3, np.zeros(4, np.float32)],
}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(key, value, id=f"{key}-{i}")
        for key, values in BAD_VALUES.items()
        for i, value in enumerate(values)
    ],
)
def test_values_out_of_all_reason_are_refused(key: str, value: object):
    values = dfl_jpeg.record_to_dict(record()) | {key: value}
    data = with_app15(jpeg(), pickle_writer.dumps(values), "it")
    with pytest.raises(FormatError, match="face metadata") as error:
        read_record_bytes(data, "face.jpg")
    assert len(str(error.value)) < 400


def test_types_of_other_programs_are_accepted():
    values = dfl_jpeg.record_to_dict(record()) | {
        "face_type": "WHOLE_FACE",
        "landmarks": np.ones((68, 2), np.int64),
        "source_rect": (1, 2, 3, 4),
        "eyebrows_expand_mod": np.float64(0.75),
        "seg_ie_polys": [(1, [[1, 2], [3, 4]]), (0, [])],
        "xseg_mask": np.frombuffer(encode_xseg_mask(np.ones((4, 4))), np.uint8)[:, None],
        "source_filename": "C:\\frames\\00007.png",
    }
    found = read_record_bytes(with_app15(jpeg(), pickle_writer.dumps(values), "it"), "it")
    assert found is not None
    assert found.source_filename == "00007.png"
    assert found.eyebrows_expand_mod == 0.75
    assert [len(p.points) for p in found.polygons] == [2, 0]
    assert found.has_points
    assert found.xseg_mask is not None
    assert decode_xseg_mask(found.xseg_mask).min() == 1


@pytest.mark.bad_day("face-metadata-damaged")
def test_values_shared_without_end_are_refused_quickly():
    # Ten references to ten references ...: 10**30 values in 300 bytes.
    bomb = b"]q\x00" + b"".join(
        b"](" + b"h" + bytes([i]) + (b"h" + bytes([i])) * 9 + b"e" + b"q" + bytes([i + 1])
        for i in range(30)
    )
    good = pickle_writer.dumps(dfl_jpeg.record_to_dict(record()))
    for key in (b"odd", b"landmarks"):
        name = b"X" + struct.pack("<I", len(key)) + key
        payload = good[:-1] + name + b"(" + bomb + b"l" + b"s."
        data = with_app15(jpeg(), payload, "it")
        with pytest.raises(FormatError, match="face metadata"):
            read_record_bytes(data, "bomb.jpg")


def test_one_value_referred_to_without_end_is_refused():
    """64 KB of file, and a gigabyte if every reference became a copy."""
    good = pickle_writer.dumps(dfl_jpeg.record_to_dict(record()))
    points = pickle_writer.dumps({"type": 1, "pts": np.zeros((8000, 2), np.uint8)})[2:-1]
    text = b"X" + struct.pack("<I", 30_000) + b"a" * 30_000
    for key, value in ((b"seg_ie_polys", points), (b"odd", text)):
        name = b"X" + struct.pack("<I", len(key)) + key
        many = b"]" + value + b"q\xfe0(" + b"h\xfe" * 9000 + b"e"
        data = with_app15(jpeg(), good[:-1] + name + many + b"s.", "it")
        with pytest.raises(FormatError, match="too m"):
            read_record_bytes(data, "bomb.jpg")


def test_a_mask_is_not_copied_for_every_face_that_refers_to_it():
    found = read_record_bytes(embed(jpeg(), record(mask=True)), "a.jpg")
    assert found is not None
    raw = bytes(found.xseg_mask or b"")
    assert mask_bytes(np.frombuffer(raw, np.uint8)[:, None]) is raw
    assert mask_bytes(np.frombuffer(raw, np.uint8)[:-1]) == raw[:-1]


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_masks_that_promise_too_many_pixels_are_refused(kind: str):
    if kind == "png":
        data = bytearray(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())
        data[16:24] = struct.pack(">II", 60_000, 60_000)
    else:
        data = bytearray(cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes())
        start = data.index(b"\xff\xc0") + 5
        data[start : start + 4] = struct.pack(">HH", 60_000, 60_000)
    with pytest.raises(FormatError):
        decode_xseg_mask(bytes(data))


@pytest.mark.bad_day("face-not-jpeg")
def test_a_mask_that_is_no_picture_is_refused():
    for data in (b"", b"hello", b"BM" + bytes(60), b"\x89PNG\r\n\x1a\n" + bytes(30)):
        with pytest.raises(FormatError):
            decode_xseg_mask(data)


FILES = [path.read_bytes() for path in sorted(VECTORS.glob("dfljpg/*.jpg"))]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 8000), st.integers(0, 255)), min_size=1, max_size=12),
    st.floats(0.05, 1.0),
    st.binary(max_size=20),
)
def test_mutated_files_end_in_a_face_or_in_one_sentence(data, changes, keep, tail):
    mutated = bytearray(data)
    for place, value in changes:
        mutated[place % len(mutated)] = value
    for candidate in (bytes(mutated), bytes(mutated[: int(keep * len(mutated))]) + tail):
        try:
            face = face_from_bytes(candidate, "mutated.jpg")
            face.decode_mask()
            again = face_from_bytes(embed(candidate, face.record), "again.jpg")
            np.testing.assert_array_equal(again.record.landmarks, face.record.landmarks)
            face.decode()
        except DFLColabError:
            continue  # the one kind of failure that is allowed


@pytest.mark.bad_day("pickle-unsafe")
def test_a_hostile_file_is_refused_by_every_way_of_reading():
    hostile = VECTORS / "dfljpg" / "hostile_pickle.jpg"
    for read in (read_face, read_record):
        with pytest.raises(UnsafeFileError, match="was not opened"):
            read(hostile)


@pytest.mark.bad_day("face-other")
def test_a_face_whose_name_another_one_got_is_not_mistaken_for_it(tmp_path: Path):
    """A sort by another program, between reading the metadata and decoding the picture."""
    one, other = tmp_path / "0.jpg", tmp_path / "1.jpg"
    write_face(one, jpeg(), record())
    write_face(other, jpeg(), record().replace(landmarks=record().landmarks + 3))
    face, own = read_face(one), one.read_bytes()
    assert face.jpeg() == own

    other.replace(one)

    with pytest.raises(FormatError, match="another face than before"):
        face.decode()


def test_a_face_whose_mask_was_changed_meanwhile_is_still_that_face(tmp_path: Path):
    path = tmp_path / "0.jpg"
    write_face(path, jpeg(), record())
    face = read_face(path)

    replace_record(path, record().replace(eyebrows_expand_mod=1.5))

    assert face.jpeg() == path.read_bytes()
