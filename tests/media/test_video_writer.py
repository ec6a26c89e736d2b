"""Videos written: times, pixels, colors, sizes, and nothing half-finished."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.codec.codec import UnknownCodecError

from dflcolab.errors import ConfigError, MediaError
from dflcolab.media.color import ColorTags
from dflcolab.media.config import EncodeConfig, PixelFormat, VideoCodec
from dflcolab.media.encoders import choose_encoder, mask_encoder
from dflcolab.media.probe import probe
from dflcolab.media.thread_priority import real_time_threads
from dflcolab.media.timeline import read_timeline
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter, nominal_rate, shift_to_zero
from tests.media.clips import make_video, number_of, numbered_frame

UNEVEN = [Fraction(tick, 90000) for tick in (0, 3003, 3010, 9999, 40000, 40001, 80000, 90000)]
ENCODERS = {
    "h264": (VideoCodec.H264, {}),
    "h265": (VideoCodec.H265, {}),
    "av1": (VideoCodec.AV1, {}),
    "ffv1": (VideoCodec.FFV1, {}),
    "prores": (VideoCodec.PRORES, {}),
    "h264 lossless": (VideoCodec.H264, {"lossless": True}),
    "h265 lossless": (VideoCodec.H265, {"lossless": True}),
    "h264 4:4:4": (VideoCodec.H264, {"pixel_format": PixelFormat.YUV444}),
    "h265 10 bit": (VideoCodec.H265, {"source_depth": 10}),
    "prores 4444": (VideoCodec.PRORES, {"pixel_format": PixelFormat.YUV444_10}),
}


def written(path, encoder, times=UNEVEN, size=(128, 96), **how):
    how = {"rate": Fraction(30), "time_base": Fraction(1, 90000)} | how
    writer = VideoWriter(path, width=size[0], height=size[1], encoder=encoder, **how)
    ends = [*times[1:], times[-1] + Fraction(1, 10)]
    with writer:
        for k, (time, end) in enumerate(zip(times, ends, strict=True)):
            writer.write(numbered_frame(k, *size), time, end - time)
    return writer


@pytest.mark.parametrize("name", ENCODERS)
def test_every_codec_keeps_frames_and_exact_times(tmp_path, name):
    codec, options = ENCODERS[name]
    encoder = choose_encoder(codec, **options)
    path = tmp_path / f"clip{encoder.suffix}"
    written(path, encoder)
    assert list(read_timeline(path, decode=True).times) == UNEVEN
    images = [frame.image for frame in VideoReader(path).frames()]
    assert [number_of(image) for image in images] == list(range(len(UNEVEN)))
    if "lossless" in name or name == "ffv1":
        np.testing.assert_array_equal(
            images, [numbered_frame(k, 128, 96) for k in range(len(UNEVEN))]
        )


@pytest.mark.parametrize("name", ENCODERS)
def test_the_last_frame_lasts_as_long_as_asked(tmp_path, name):
    codec, options = ENCODERS[name]
    encoder = choose_encoder(codec, **options)
    path = tmp_path / f"clip{encoder.suffix}"
    times = [Fraction(k, 25) for k in range(12)]
    written(path, encoder, times, rate=Fraction(25), time_base=Fraction(1, 12800))
    timeline = read_timeline(path)
    assert list(timeline.times) == times
    # written() shows the last frame for a tenth of a second
    assert timeline.end == times[-1] + Fraction(1, 10)


@pytest.mark.parametrize("name", ENCODERS)
def test_no_encoder_makes_threads_that_stop_all_others(tmp_path, name):
    # As root, as on Colab, SVT-AV1 would: the thread that opens it, and some forty of its own.
    codec, options = ENCODERS[name]
    encoder = choose_encoder(codec, **options)
    before = real_time_threads()
    written(tmp_path / f"clip{encoder.suffix}", encoder)
    assert real_time_threads() == before


def test_ten_bits_stay_ten_bits(tmp_path):
    encoder = choose_encoder(VideoCodec.H265, source_depth=10)
    written(tmp_path / "clip.mp4", encoder)
    assert probe(tmp_path / "clip.mp4").bit_depth == 10


@pytest.mark.parametrize("codec", [VideoCodec.H264, VideoCodec.H265, VideoCodec.AV1])
@pytest.mark.parametrize(
    "tags",
    [ColorTags(1, 1, 1, 1), ColorTags(2, 1, 13, 1), ColorTags(1, 6, 6, 6), ColorTags(1, 9, 16, 9)],
    ids=["709", "709 full range", "601", "2020 PQ"],
)
def test_color_tags_are_carried_over_and_colors_survive(tmp_path, codec, tags):
    path = tmp_path / "clip.mp4"
    written(path, choose_encoder(codec, quality=10), color=tags)
    assert probe(path).color == tags
    image = next(VideoReader(path).frames()).image
    for column, color in ((32, (60, 90, 200)), (96, (180, 120, 50))):
        # What coding at a high quality costs on a plain area.
        np.testing.assert_allclose(
            image[60:85, column - 12 : column + 12].mean((0, 1)), color, atol=2
        )


def test_untagged_stays_untagged(tmp_path):
    written(tmp_path / "clip.mp4", choose_encoder(VideoCodec.H264))
    assert probe(tmp_path / "clip.mp4").color == ColorTags()


def test_odd_sizes_get_one_more_row_and_column_and_it_is_said(tmp_path):
    path = tmp_path / "clip.mp4"
    writer = written(path, choose_encoder(VideoCodec.H264), size=(127, 95))
    assert writer.padded
    assert any("128x96" in text for text in writer.messages)
    info = probe(path)
    assert (info.width, info.height) == (128, 96)
    image = next(VideoReader(path).frames()).image
    # The added column repeats the last one.
    np.testing.assert_allclose(image[:, -1].astype(int), image[:, -2], atol=12)


@pytest.mark.parametrize("name", ["h264 4:4:4", "h264 lossless", "ffv1"])
def test_odd_sizes_stay_where_color_is_stored_in_full(tmp_path, name):
    codec, options = ENCODERS[name]
    path = tmp_path / "clip.mp4"
    writer = written(path, choose_encoder(codec, **options), size=(127, 95))
    assert not writer.padded
    assert (probe(path).width, probe(path).height) == (127, 95)


def test_pixels_that_are_not_square_stay_so(tmp_path):
    written(tmp_path / "clip.mp4", choose_encoder(VideoCodec.H264),
            sample_aspect_ratio=Fraction(16, 11))  # fmt: skip
    assert probe(tmp_path / "clip.mp4").sample_aspect_ratio == Fraction(16, 11)


@pytest.mark.bad_day("frame-other-size")
def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "result.mp4"
    path.write_bytes(b"the result of yesterday")
    writer = VideoWriter(path, width=96, height=64, encoder=choose_encoder(VideoCodec.H264),
                         rate=Fraction(25), time_base=Fraction(1, 25))  # fmt: skip
    with pytest.raises(MediaError, match="96x64"), writer:
        writer.write(numbered_frame(0), Fraction(0))
        writer.write(numbered_frame(1, 80, 64), Fraction(1, 25))
    assert path.read_bytes() == b"the result of yesterday"
    assert [p.name for p in tmp_path.iterdir()] == ["result.mp4"]


def test_times_that_do_not_rise_are_refused(tmp_path):
    writer = VideoWriter(tmp_path / "a.mp4", width=96, height=64,
                         encoder=choose_encoder(VideoCodec.FFV1),
                         rate=Fraction(25), time_base=Fraction(1, 25))  # fmt: skip
    with pytest.raises(MediaError, match="must rise"), writer:
        writer.write(numbered_frame(0), Fraction(1))
        writer.write(numbered_frame(1), Fraction(1))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_encoder_is_one_sentence(monkeypatch):
    def missing(name, mode):
        raise UnknownCodecError(name)

    monkeypatch.setattr(av, "Codec", missing)
    with pytest.raises(MediaError, match="cannot write av1") as refused:
        choose_encoder(VideoCodec.AV1)
    assert "\n" not in str(refused.value)


def test_a_pixel_format_that_the_codec_lacks_is_refused():
    with pytest.raises(ConfigError, match="yuv444p"):
        choose_encoder(VideoCodec.AV1, pixel_format=PixelFormat.YUV444)


@pytest.mark.parametrize(
    "wrong",
    [
        {"codec": "prores", "quality": 10},
        {"codec": "h264", "quality": 60},
        {"codec": "av1", "lossless": True},
        {"lossless": True, "quality": 5},
        {"codec": "prores", "container": "mp4"},
        {"codec": "ffv1", "container": "mov"},
        {"container": "mkv"},
    ],
)
def test_options_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(ConfigError):
        EncodeConfig(**wrong)


def test_starts_are_shifted_only_where_they_mean_nothing():
    assert shift_to_zero(Fraction(1), [Fraction(2)], keeps_offsets=True) == 0
    assert shift_to_zero(Fraction(60), [Fraction(59)], keeps_offsets=False) == -59
    assert shift_to_zero(Fraction(0), [Fraction(-1, 50)], keeps_offsets=False) == 0
    assert shift_to_zero(Fraction(-1, 25), [Fraction(0)], keeps_offsets=True) == Fraction(1, 25)


def test_an_implausible_rate_is_taken_from_the_times():
    times = tuple(Fraction(k, 24) for k in range(49))
    assert nominal_rate(Fraction(90000), times) == 24
    assert nominal_rate(None, times) == 24
    assert nominal_rate(Fraction(30000, 1001), times) == Fraction(30000, 1001)


def test_an_untouched_frame_comes_out_as_it_went_in(tmp_path, clips):
    # YUV -> BGR -> YUV has no bias: ten generations of lossless coding do not drift.
    source = VideoReader(clips["src"])
    image = next(source.frames()).image
    first = image.astype(float).mean()
    encoder = choose_encoder(VideoCodec.H264, quality=0)
    for generation in range(4):
        path = tmp_path / f"{generation}.mp4"
        with VideoWriter(path, width=640, height=360, encoder=encoder, rate=Fraction(25),
                         time_base=Fraction(1, 25), color=source.info.color) as writer:  # fmt: skip
            writer.write(image, Fraction(0))
        image = next(VideoReader(path).frames()).image
    # swscale's quick path loses 1.6 levels per generation here.
    assert abs(image.astype(float).mean() - first) < 0.1


def test_the_container_of_a_source_without_sound_stays_silent(tmp_path):
    silent = make_video(tmp_path / "silent.mp4")
    writer = written(tmp_path / "out.mp4", choose_encoder(VideoCodec.H264), sound=silent)
    assert writer.sound_fate.value == "none"
    assert not probe(tmp_path / "out.mp4").has_audio


def test_a_gray_picture_is_one_of_three_equal_channels(tmp_path):
    gray = np.tile(np.arange(128, dtype=np.uint8) * 2, (64, 1))
    shown = []
    for name, picture in (("gray", gray), ("bgr", np.repeat(gray[..., None], 3, axis=2))):
        for lossless in (False, True):
            path = tmp_path / f"{name}{lossless}.mp4"
            encoder = mask_encoder(choose_encoder(VideoCodec.H264, quality=1, lossless=lossless))
            with VideoWriter(path, width=128, height=64, encoder=encoder, rate=Fraction(25),
                             time_base=Fraction(1, 25)) as writer:  # fmt: skip
                writer.write(picture, Fraction(0))
            shown.append(next(VideoReader(path).frames()).image.astype(int))

    lossy_gray, exact_gray, lossy, exact = shown
    assert np.array_equal(exact_gray, exact)
    assert np.abs(lossy_gray - lossy).max() <= 1
    assert np.abs(lossy_gray - gray[..., None]).max() <= 2
