"""Pictures of every kind in, BGR out; damaged ones are named."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dflcolab.errors import MediaError
from dflcolab.media.frame_sequence import (
    encode_image,
    list_frames,
    read_ahead,
    read_image,
    write_image,
)
from tests.media.clips import numbered_frame

PICTURE = numbered_frame(37)


def stored(path, array, options=()):
    path.write_bytes(cv2.imencode(path.suffix, array, list(options))[1].tobytes())
    return path


def test_png_gives_back_every_pixel(tmp_path):
    write_image(tmp_path / "a.png", PICTURE)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PICTURE)


def test_grey_pictures_get_three_equal_channels(tmp_path):
    grey = PICTURE[..., 1]
    image = read_image(stored(tmp_path / "grey.png", grey))
    np.testing.assert_array_equal(image, np.dstack([grey] * 3))


def test_alpha_is_dropped(tmp_path):
    alpha = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 7, np.uint8)])
    np.testing.assert_array_equal(read_image(stored(tmp_path / "alpha.png", alpha)), PICTURE)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_are_rounded_to_eight(tmp_path, suffix):
    deep = PICTURE.astype(np.uint16) * 257 + 100  # + 100 rounds down, 128 would round up
    np.testing.assert_array_equal(read_image(stored(tmp_path / f"deep{suffix}", deep)), PICTURE)


def test_sixteen_bit_grey_with_alpha_reads_as_bgr(tmp_path):
    deep = np.dstack([PICTURE.astype(np.uint16) * 257, np.full(PICTURE.shape[:2], 9, np.uint16)])
    image = read_image(stored(tmp_path / "deep.png", deep))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, PICTURE)


def test_a_cameras_rotation_note_is_followed(tmp_path):
    jpeg = encode_image(PICTURE, ".jpg")
    # One entry: tag 0x112 (orientation), a short, value 6 = turn 90 degrees clockwise to view.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "plain.jpg").write_bytes(jpeg)
    (tmp_path / "turned.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    plain, turned = read_image(tmp_path / "plain.jpg"), read_image(tmp_path / "turned.jpg")
    np.testing.assert_array_equal(turned, np.rot90(plain, -1))


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_pictures_come_back_nearly(tmp_path, suffix):
    write_image(tmp_path / f"a{suffix}", PICTURE, 95)
    # Chroma is stored at half size: colors bleed at the edges, areas stay.
    assert np.abs(read_image(tmp_path / f"a{suffix}").astype(int) - PICTURE).mean() < 4


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_cut_off_picture_is_refused_by_name(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = encode_image(noise, suffix)
    path = tmp_path / f"00007{suffix}"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match="00007"):
        read_image(path)


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xd9"]
)
def test_what_is_no_picture_is_refused_by_name(tmp_path, content):
    path = tmp_path / "00008.png"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"00008\.png"):
        read_image(path)


def test_a_missing_picture_is_refused_by_name(tmp_path):
    with pytest.raises(MediaError, match=r"gone\.png"):
        read_image(tmp_path / "gone.png")


def test_frames_are_listed_in_natural_order_without_other_files(tmp_path):
    for name in ("10.png", "9.jpg", "frames.json", ".hidden.png", "2-00001.PNG", "00001.webp"):
        (tmp_path / name).write_bytes(b"x")
    names = [path.name for path in list_frames(tmp_path)]
    assert names == ["00001.webp", "2-00001.PNG", "9.jpg", "10.png"]
    assert list_frames(tmp_path / "nowhere") == []


@pytest.mark.bad_day("frame-damaged")
def test_reading_ahead_keeps_the_order_and_stops_at_the_damaged_one(tmp_path):
    paths = [tmp_path / f"{k:05d}.png" for k in range(12)]
    for k, path in enumerate(paths):
        write_image(path, np.full((4, 4, 3), k, np.uint8))
    assert [int(image[0, 0, 0]) for image in read_ahead(paths)] == list(range(12))
    paths[5].write_bytes(b"damaged")
    seen = []
    with pytest.raises(MediaError, match=r"00005\.png"):
        seen.extend(int(image[0, 0, 0]) for image in read_ahead(paths))
    assert seen == [0, 1, 2, 3, 4]


def test_an_unknown_ending_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(MediaError, match=r"png or \.jpg"):
        write_image(tmp_path / "a.xyz", PICTURE)
    assert list(tmp_path.iterdir()) == []
