"""Videos joined from parts, and what that asks of those who write the parts."""

from __future__ import annotations

import gc
import weakref
from fractions import Fraction
from pathlib import Path

import pytest

from dflcolab.errors import MediaError
from dflcolab.media.config import VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.joined_video import decoding_ticks, join_videos
from dflcolab.media.timeline import Timeline, read_timeline
from dflcolab.media.video_writer import VideoWriter
from tests.media.clips import numbered_frame

TICK = Fraction(1, 25)


def writer_of(path: Path, codec: VideoCodec = VideoCodec.H264, size=(96, 64)) -> VideoWriter:
    return VideoWriter(path, width=size[0], height=size[1], encoder=choose_encoder(codec),
                       rate=Fraction(25), time_base=TICK)  # fmt: skip


def part(path: Path, n_frames: int, **how) -> Path:
    size = how.get("size", (96, 64))
    with writer_of(path, **how) as writer:
        for k in range(n_frames):
            writer.write(numbered_frame(k, *size), k * TICK)
    return path


@pytest.mark.parametrize(
    ("shown", "decoded"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 4, 2, 1, 3], [-2, -1, 0, 1, 2]),
        ([0, 2, 1, 10, 30, 20], [-1, 0, 1, 2, 10, 20]),
        ([7], [7]),
    ],
    ids=["in order", "two ahead", "uneven", "one"],
)
def test_a_picture_is_decoded_before_it_is_shown(shown: list[int], decoded: list[int]):
    found = decoding_ticks(shown)

    assert found == decoded
    assert all(early <= late for early, late in zip(found, shown, strict=True))


@pytest.mark.parametrize("n_frames", [1, 2])
def test_a_very_short_h265_video_is_written(tmp_path: Path, n_frames: int):
    path = part(tmp_path / "a.mp4", n_frames, codec=VideoCodec.H265)

    assert len(read_timeline(path, decode=True).times) == n_frames


def test_parts_of_two_sizes_are_not_joined(tmp_path: Path):
    parts = [part(tmp_path / "a.mp4", 2), part(tmp_path / "b.mp4", 2, size=(64, 64))]
    timeline = Timeline(tuple(k * TICK for k in range(4)), 4 * TICK, TICK)

    with pytest.raises(MediaError, match=r"b\.mp4 and a\.mp4 were encoded in different ways"):
        join_videos(tmp_path / "c.mp4", parts, timeline)

    assert not (tmp_path / "c.mp4").exists()


def test_another_number_of_pictures_is_refused(tmp_path: Path):
    timeline = Timeline((Fraction(0),), TICK, TICK)

    with pytest.raises(MediaError, match="hold 2 pictures instead of 1"):
        join_videos(tmp_path / "c.mp4", [part(tmp_path / "a.mp4", 2)], timeline)


def test_a_writer_goes_at_once_when_it_is_done(tmp_path: Path):
    # An encoder holds tens of megabytes, and a long merge opens hundreds of them.
    writer = writer_of(tmp_path / "a.mp4")
    with writer:
        writer.write(numbered_frame(0), Fraction(0))
    seen = weakref.ref(writer)
    gc.disable()
    try:
        del writer
        assert seen() is None
    finally:
        gc.enable()
