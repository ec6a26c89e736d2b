"""Frames with their numbers, times and colors, from good videos and bad ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from dflcolab.media.clock import Clock
from dflcolab.media.timeline import read_timeline
from dflcolab.media.video_reader import VideoReader
from tests.media.clips import make_video, number_of, set_display_matrix

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "faces" / "video"
UNEVEN = [0, 512, 600, 1900, 1901, 4000, 4512, 9000, 9001, 9500, 20000, 20512]


def read(path: Path, **how) -> tuple[list[int], list[Fraction], list[int]]:
    """Indices, times, and the numbers that the frames show."""
    found = list(VideoReader(path).frames(**how))
    return (
        [frame.index for frame in found],
        [frame.time for frame in found],
        [number_of(frame.image) for frame in found],
    )


def test_times_of_a_variable_rate_are_exact(tmp_path):
    path = make_video(tmp_path / "vfr.mp4", ticks=UNEVEN)
    indices, times, numbers = read(path)
    assert times == [Fraction(tick, 12800) for tick in UNEVEN]
    assert indices == numbers == list(range(len(UNEVEN)))
    assert list(read_timeline(path).times) == times


def test_a_late_start_of_the_pictures_is_kept(tmp_path):
    ticks = [3200 + 512 * k for k in range(10)]
    path = make_video(tmp_path / "late.mp4", ticks=ticks, audio="aac",
                      muxer={"movie_timescale": "48000"})  # fmt: skip
    _, times, _ = read(path)
    assert times[0] == Fraction(1, 4)
    assert list(read_timeline(path).times) == times


def test_a_negative_start_is_kept(tmp_path):
    # Times before zero come out of MPEG-4 files whose B-frames are moved by a negative offset.
    path = make_video(tmp_path / "negative.mp4", muxer={"movflags": "negative_cts_offsets"})
    times = read_timeline(path, decode=True).times
    assert list(times) == read(path)[1]
    assert times[1] - times[0] == Fraction(1, 25)


def test_frames_without_a_time_or_with_the_same_time_get_rising_ones():
    clock = Clock(Fraction(1, 1000), Fraction(25))
    times = [clock.time_of(pts) for pts in (0, None, 80, 80, None, 160)]
    assert times == [Fraction(ms, 1000) for ms in (0, 40, 80, 81, 121, 160)]
    assert clock.n_guessed == 3


def test_times_that_jump_back_go_on_behind_the_part_before():
    clock = Clock(Fraction(1, 1000), Fraction(25))
    times = [clock.time_of(pts) for pts in (5000, 5040, 0, 40)]
    assert times == [Fraction(ms, 1000) for ms in (5000, 5040, 5080, 5120)]
    assert clock.n_jumps == 1


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
    ],
    ids=["90 clockwise", "180", "90 counter-clockwise", "mirrored", "upside down"],
)
def test_pictures_are_turned_as_the_video_asks(tmp_path, matrix, turned):
    path = make_video(tmp_path / "clip.mp4", n_frames=3)
    upright = [frame.image for frame in VideoReader(path).frames()]
    set_display_matrix(path, matrix)
    seen = [frame.image for frame in VideoReader(path).frames()]
    for before, after in zip(upright, seen, strict=True):
        np.testing.assert_array_equal(after, turned(before))
        assert after.flags.c_contiguous
        assert after.flags.writeable


@pytest.mark.parametrize(
    ("size", "codec", "pix_fmt"),
    [
        ((97, 65), "libx264", "yuv444p"),
        ((97, 65), "ffv1", "yuv420p"),
        ((98, 66), "libx265", "yuv420p10le"),
        ((96, 64), "libx264", "yuv420p10le"),
        ((96, 64), "prores_ks", "yuv422p10le"),
        ((96, 64), "mjpeg", "yuvj420p"),
        ((96, 64), "ffv1", "bgr0"),
        ((96, 64), "ffv1", "gray"),
    ],
)
def test_odd_sizes_depths_and_formats_read_as_8_bit_bgr(tmp_path, size, codec, pix_fmt):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else None
    path = make_video(tmp_path / "clip.mkv", n_frames=5, size=size, codec=codec, pix_fmt=pix_fmt,
                      options=options, time_base=Fraction(1, 1000))  # fmt: skip
    images = [frame.image for frame in VideoReader(path).frames()]
    assert [image.shape for image in images] == [(size[1], size[0], 3)] * 5
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}
    assert [number_of(image) for image in images] == list(range(5))
    if pix_fmt != "gray":  # plain areas come back within what compression costs
        corner = images[0][-size[1] // 4 :, : size[0] // 4].reshape(-1, 3).mean(0)
        np.testing.assert_allclose(corner, (60, 90, 200), atol=4)


def test_a_truncated_video_gives_what_decodes_and_says_so(tmp_path):
    whole = make_video(tmp_path / "whole.mp4", n_frames=60, muxer={"movflags": "+faststart"})
    times = read(whole)[1]
    path = tmp_path / "cut.mp4"
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    reader = VideoReader(path)
    frames = list(reader.frames())
    assert 15 < len(frames) < 59
    assert [frame.time for frame in frames] == times[: len(frames)]
    assert [number_of(frame.image) for frame in frames[:-2]] == list(range(len(frames) - 2))
    assert any("ends early" in problem for problem in reader.problems)
    assert len(read_timeline(path).times) == len(frames)


def test_a_damaged_video_gives_the_same_frames_each_time(tmp_path):
    path = make_video(tmp_path / "clip.mp4", n_frames=80, muxer={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(1)
    for place in (0.5, 0.7, 0.9):
        begin = int(len(data) * place)
        data[begin : begin + 300] = noise.bytes(300)
    path.write_bytes(bytes(data))
    walks = []
    for _ in range(3):
        reader = VideoReader(path)
        walks.append([(frame.index, frame.time, frame.image.sum()) for frame in reader.frames()])
        assert reader.problems == [] or all(path.name in text for text in reader.problems)
    assert walks[0] == walks[1] == walks[2]
    assert len(walks[0]) > 40
    assert [time for _, time, _ in walks[0]] == list(read_timeline(path, decode=True).times)


def test_thinning_takes_the_first_frame_of_every_interval(tmp_path):
    path = make_video(tmp_path / "clip.mp4", n_frames=50)
    indices, times, _ = read(path, fps=10)
    assert indices == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28, 30, 33, 35, 38, 40, 43, 45, 48]
    assert times == [Fraction(index, 25) for index in indices]
    assert read(path, fps=1000)[0] == list(range(50))


def test_thinning_chooses_the_same_frames_wherever_one_starts(tmp_path):
    path = make_video(tmp_path / "clip.mp4", n_frames=50)
    chosen = read(path, fps=7)[0]
    assert read(path, fps=7, start=11)[0] == [index for index in chosen if index >= 11]


def test_start_stop_and_wanted_keep_the_numbers(tmp_path):
    path = make_video(tmp_path / "clip.mp4", n_frames=50)
    indices, _, numbers = read(path, start=9, stop=30, wanted=lambda index: index % 4 == 0)
    assert indices == numbers == [12, 16, 20, 24, 28]


def test_several_walks_may_run_at_once(tmp_path):
    path = make_video(tmp_path / "clip.mp4", n_frames=40)
    reader = VideoReader(path)
    with ThreadPoolExecutor(4) as pool:
        walks = list(pool.map(lambda _: [number_of(f.image) for f in reader.frames()], range(6)))
    assert walks == [list(range(40))] * 6


def rational_bgr(planes, matrix: int, full: bool, depth: int) -> np.ndarray:
    """BGR from YUV by the standards' own formula (ITU-T H.273, 8.3), in floating point."""
    kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}[
        matrix
    ]
    y, u, v = (plane.astype(float) / 2 ** (depth - 8) for plane in planes)
    if full:
        y, u, v = y / 255, (u - 128) / 255, (v - 128) / 255
    else:
        y, u, v = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([blue, green, red], -1) * 255, 0, 255)


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [1, 5, 6, 9], ids=["709", "601 PAL", "601 NTSC", "2020"])
@pytest.mark.parametrize("depth", [8, 10])
def test_matrix_and_range_of_the_video_are_honoured(tmp_path, matrix, full, depth):
    # 16-pixel squares of one color each: chroma interpolation plays no part inside of them.
    random = np.random.default_rng(matrix + 10 * full)
    size, dtype = 64, np.uint8 if depth == 8 else np.uint16
    scale = 2 ** (depth - 8)
    squares = random.uniform([60, 90, 90], [180, 160, 160], (4, 4, 3)) * scale
    yuv = squares.astype(dtype).repeat(16, 0).repeat(16, 1)
    pix_fmt = "yuv420p" if depth == 8 else "yuv420p10le"
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        context = stream.codec_context
        context.width = context.height = size
        context.pix_fmt = pix_fmt
        context.colorspace, context.color_range = matrix, 2 if full else 1
        frame = av.VideoFrame(size, size, pix_fmt)
        for plane, k in zip(frame.planes, range(3), strict=True):
            step = 1 if k == 0 else 2
            rows = np.zeros((plane.height, plane.line_size // dtype().itemsize), dtype)
            rows[:, : plane.width] = yuv[::step, ::step, k]
            plane.update(rows.tobytes())
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    image = next(VideoReader(path).frames()).image
    wanted = rational_bgr((yuv[..., 0], yuv[..., 1], yuv[..., 2]), matrix, full, depth)
    inner = np.zeros((size, size), bool)
    inner.reshape(4, 16, 4, 16)[:, 3:13, :, 3:13] = True
    # One level: rounding of swscale's 14-bit coefficients; for ten bits also of its dither.
    assert np.abs(image - wanted)[inner].max() <= 1.01
    assert abs((image - wanted)[inner].mean()) < 0.3


@pytest.mark.parametrize(
    "name",
    ["studio_woman", "webcam_man", "carphone", "speech_man", "address_woman2"],
)
def test_real_videos_have_the_frames_and_times_that_their_packets_promise(name):
    path = SHARED / f"{name}.mp4"
    if not path.exists():
        pytest.skip("the developers' face videos are not beside this repository")
    quick, slow = read_timeline(path), read_timeline(path, decode=True)
    assert quick == slow
    reader = VideoReader(path)
    assert len(quick.times) == reader.info.n_frames_estimate
    frames = list(reader.frames(stop=20))
    assert [frame.time for frame in frames] == list(quick.times[:20])
    assert frames[0].image.shape == (reader.info.height, reader.info.width, 3)
    assert reader.problems == []
