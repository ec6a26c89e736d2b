"""Signed notes: written, read back, broken by any change, dropped by re-encoding."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import cv2
import numpy as np
import pytest

from dflcolab.errors import MediaError
from dflcolab.media.certificate import local_identity, make_identity
from dflcolab.media.config import VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.frame_sequence import decode_image, encode_image
from dflcolab.media.provenance import SOURCE_TYPE, read_provenance, sign_file, sign_still
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter
from dflcolab.media.xmp import with_source_type
from tests.media.clips import make_video, number_of, numbered_frame, sound_packets

PICTURE = cv2.resize(numbered_frame(9), (200, 140), interpolation=cv2.INTER_NEAREST)


def changed(path, place: int):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    other = path.with_name("changed" + path.suffix)
    other.write_bytes(bytes(data))
    return other


@pytest.fixture(params=[".mp4", ".mov"])
def signed_video(request, tmp_path):
    source = make_video(tmp_path / f"plain{request.param}", n_frames=30, audio="aac",
                        muxer={"movflags": "+faststart"})  # fmt: skip
    parent = make_video(tmp_path / "data_dst.mp4")
    path = tmp_path / f"result{request.param}"
    sign_file(source, path, title=path.name, parent=parent)
    return source, path


def test_a_signed_video_says_that_it_is_synthetic_and_from_what(signed_video):
    _, path = signed_video
    note = read_provenance(path)
    assert note is not None
    assert note.state == "valid"
    assert note.source_type == SOURCE_TYPE
    assert note.generator.startswith("dflcolab ")
    assert note.title == path.name
    assert note.parents == ("data_dst.mp4",)
    assert note.failures == ()


def test_signing_changes_neither_pictures_nor_sound(signed_video):
    source, path = signed_video
    assert sound_packets(path) == sound_packets(source)
    for before, after in zip(VideoReader(source).frames(), VideoReader(path).frames(), strict=True):
        assert before.time == after.time
        np.testing.assert_array_equal(before.image, after.image)


def test_the_note_of_a_signed_parent_goes_along(signed_video, tmp_path):
    source, parent = signed_video
    path = tmp_path / f"second{parent.suffix}"
    sign_file(source, path, title=path.name, parent=parent)
    note = read_provenance(path)
    assert (note.state, note.parents) == ("valid", (parent.name,))
    assert path.read_bytes().count(b"data_dst.mp4") > 0  # the parent's own parent


def test_any_changed_byte_of_the_content_makes_the_note_invalid(signed_video):
    _, path = signed_video
    size = path.stat().st_size
    media = path.read_bytes().index(b"mdat") + 20
    for place in (media, (media + size) // 2, size - 1):
        note = read_provenance(changed(path, place))
        assert note is not None
        assert note.state == "invalid"
        assert note.failures


def test_a_changed_note_is_invalid(signed_video):
    _, path = signed_video
    place = path.read_bytes().index(b"compositeWithTrainedAlgorithmicMedia")
    assert read_provenance(changed(path, place)).state == "invalid"


def test_re_encoding_drops_the_note(signed_video, tmp_path):
    _, path = signed_video
    again = tmp_path / "again.mp4"
    reader = VideoReader(path)
    with VideoWriter(again, width=96, height=64, encoder=choose_encoder(VideoCodec.H264),
                     rate=Fraction(25), time_base=Fraction(1, 12800)) as writer:  # fmt: skip
        for frame in reader.frames():
            writer.write(frame.image, frame.time)
    assert read_provenance(again) is None


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_signed_still_reads_back_and_shows_the_same_picture(tmp_path, suffix):
    plain = encode_image(PICTURE, suffix)
    path = tmp_path / f"00010{suffix}"
    path.write_bytes(sign_still(plain, path.name))
    note = read_provenance(path)
    assert (note.state, note.source_type, note.title) == ("valid", SOURCE_TYPE, path.name)
    np.testing.assert_array_equal(
        decode_image(path.read_bytes(), name="signed"), decode_image(plain, name="plain")
    )
    pixels = path.read_bytes().rindex(
        {".png": b"IDAT", ".jpg": b"\xff\xda", ".webp": b"VP8"}[suffix]
    )
    assert read_provenance(changed(path, pixels + 40)).state == "invalid"


def test_a_re_encoded_still_has_no_note(tmp_path):
    path = tmp_path / "a.png"
    image = decode_image(sign_still(encode_image(PICTURE, ".png"), "a"), name="a")
    path.write_bytes(encode_image(image, ".png"))
    assert read_provenance(path) is None


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_stills_carry_the_plain_note_too(suffix):
    plain = encode_image(PICTURE, suffix)
    assert SOURCE_TYPE.encode() not in plain
    assert SOURCE_TYPE.encode() in sign_still(plain, "a")
    noted = with_source_type(plain)
    assert with_source_type(noted) == noted
    np.testing.assert_array_equal(decode_image(noted, name="a"), decode_image(plain, name="a"))


def test_the_plain_note_alone_is_no_signed_note(tmp_path):
    for suffix in (".png", ".jpg"):
        path = tmp_path / f"noted{suffix}"
        path.write_bytes(with_source_type(encode_image(PICTURE, suffix)))
        assert read_provenance(path) is None


def test_a_file_may_be_signed_in_its_own_place(tmp_path):
    path = make_video(tmp_path / "clip.mp4")
    sign_file(path, path, title="clip")
    assert read_provenance(path).state == "valid"
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def test_ones_own_root_makes_it_trusted_and_a_strangers_does_not(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(sign_still(encode_image(PICTURE, ".png"), "a"))
    assert read_provenance(path, anchors=local_identity().root).state == "trusted"
    assert read_provenance(path, anchors=make_identity().root).state == "valid"


def test_many_threads_may_sign_at_once(tmp_path):
    def sign(k: int) -> str:
        path = tmp_path / f"{k}.png"
        path.write_bytes(sign_still(encode_image(np.roll(PICTURE, k, 0), ".png"), path.name))
        note = read_provenance(path)
        return f"{note.state} {note.title}"

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(sign, range(24))) == [f"valid {k}.png" for k in range(24)]


def test_signing_and_reading_need_no_network(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("asked for the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    path = tmp_path / "a.png"
    path.write_bytes(sign_still(encode_image(PICTURE, ".png"), "a"))
    assert read_provenance(path).state == "valid"


def test_an_unsigned_file_has_no_note(clips, tmp_path):
    assert read_provenance(clips["dst"]) is None
    other = tmp_path / "notes.txt"
    other.write_text("text")
    assert read_provenance(other) is None


def test_a_file_that_cannot_carry_a_note_is_refused(tmp_path):
    path = make_video(tmp_path / "clip.mkv", time_base=Fraction(1, 1000))
    with pytest.raises(MediaError, match=r"clip\.mkv"):
        sign_file(path, tmp_path / "signed.mkv", title="a")
    with pytest.raises(MediaError, match="PNG"):
        sign_still(b"GIF89a", "a")


def test_a_missing_or_damaged_file_is_one_sentence(tmp_path):
    with pytest.raises(MediaError, match=r"gone\.mp4"):
        read_provenance(tmp_path / "gone.mp4")
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"not an mp4")
    with pytest.raises(MediaError, match=r"broken\.mp4"):
        sign_file(path, tmp_path / "signed.mp4", title="a")
    assert [p.name for p in tmp_path.iterdir()] == ["broken.mp4"]


def test_the_tag_of_the_picture_still_shows_its_number():
    assert number_of(decode_image(sign_still(encode_image(PICTURE, ".png"), "a"), name="a")) == 9
