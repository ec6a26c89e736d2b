"""Sound carried over: the same packets, at the same distance from the pictures."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from dflcolab.media.config import VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.probe import probe
from dflcolab.media.sound import SoundFate
from dflcolab.media.timeline import read_timeline
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter, nominal_rate, shift_to_zero
from tests.media.clips import make_video, sound_packets

MOVIE = {"movie_timescale": "48000"}


def again(source, target):
    """Write the pictures and sound of `source` to `target`, as encode does."""
    reader = VideoReader(source)
    info, timeline = reader.info, read_timeline(source)
    shift = shift_to_zero(timeline.times[0], [track.start_s for track in info.audio],
                          keeps_offsets="mp4" in info.container)  # fmt: skip
    writer = VideoWriter(target, width=info.width, height=info.height,
                         encoder=choose_encoder(VideoCodec.H264), rate=nominal_rate(info.average_rate, timeline.times),
                         time_base=timeline.time_base, sound=source, shift=shift)  # fmt: skip
    with writer:
        for frame, duration in zip(reader.frames(), timeline.durations, strict=True):
            writer.write(frame.image, frame.time, duration)
    return writer


def heard_start(path) -> Fraction:
    """Time of the first sample that a player lets hear (after the encoder's run-in)."""
    with av.open(str(path)) as container:
        frame = next(container.decode(audio=0))
        return frame.pts * frame.time_base


def first_picture(path) -> Fraction:
    return read_timeline(path).times[0]


@pytest.mark.parametrize("name", ["src", "dst"])
def test_the_sound_of_a_real_clip_is_copied_bit_for_bit(tmp_path, clips, name):
    target = tmp_path / "out.mp4"
    writer = again(clips[name], target)
    assert writer.sound_fate is SoundFate.COPIED
    assert writer.messages == []
    before, after = sound_packets(clips[name]), sound_packets(target)
    assert [data for _, data in after] == [data for _, data in before]
    assert [time for time, _ in after] == [time for time, _ in before]


@pytest.mark.parametrize(
    ("suffix", "codec", "time_base"),
    [
        (".mp4", "aac", Fraction(1, 12800)),
        (".mp4", "libmp3lame", Fraction(1, 12800)),
        (".mov", "pcm_s16le", Fraction(1, 12800)),
        (".mkv", "flac", Fraction(1, 1000)),
        (".mkv", "libopus", Fraction(1, 1000)),
        (".mkv", "ac3", Fraction(1, 1000)),
        (".ts", "aac", Fraction(1, 90000)),
    ],
)
@pytest.mark.parametrize(
    "start", [Fraction(0), Fraction(311, 1000)], ids=["together", "late sound"]
)
def test_sound_keeps_its_distance_from_the_pictures(tmp_path, suffix, codec, time_base, start):
    muxer = MOVIE if suffix in (".mp4", ".mov") else {}
    source = make_video(tmp_path / f"in{suffix}", n_frames=40, audio=codec, audio_start=start,
                        time_base=time_base, muxer=muxer)  # fmt: skip
    target = tmp_path / "out.mp4"
    writer = again(source, target)
    assert writer.sound_fate is SoundFate.COPIED
    moved = first_picture(target) - first_picture(source)
    late = Fraction(lag(samples(source), samples(target)), 48000) - moved
    assert abs(late) < Fraction(1, 1000)
    if suffix != ".ts":  # AAC in MPEG-TS carries a header per packet that MP4 keeps elsewhere
        assert [data for _, data in sound_packets(source)] == [
            data for _, data in sound_packets(target)
        ]
    assert list(read_timeline(target).durations) == list(read_timeline(source).durations)


def test_pictures_that_start_after_the_sound_still_do(tmp_path):
    ticks = [6400 + 512 * k for k in range(30)]
    source = make_video(tmp_path / "in.mp4", ticks=ticks, audio="aac", muxer=MOVIE)
    target = tmp_path / "out.mp4"
    again(source, target)
    assert first_picture(target) == Fraction(1, 2)
    assert heard_start(target) == heard_start(source) == 0


def test_a_recording_that_starts_late_begins_at_zero_and_stays_in_sync(tmp_path):
    ticks = [600_000 + 40 * k for k in range(30)]
    source = make_video(tmp_path / "in.mkv", ticks=ticks, time_base=Fraction(1, 1000),
                        audio="flac", audio_start=Fraction(6001, 10))  # fmt: skip
    target = tmp_path / "out.mp4"
    again(source, target)
    assert first_picture(target) == 0
    assert abs(heard_start(target) - Fraction(1, 10)) < Fraction(1, 1000)


def test_sound_that_does_not_fit_is_converted_and_said(tmp_path):
    source = make_video(tmp_path / "in.mkv", n_frames=40, audio="wavpack", time_base=Fraction(1, 1000),
                        audio_start=Fraction(1, 5))  # fmt: skip
    target = tmp_path / "out.mp4"
    writer = again(source, target)
    assert writer.sound_fate is SoundFate.REENCODED
    assert any("AAC" in text for text in writer.messages)
    assert [track.codec for track in probe(target).audio] == ["aac"]
    shift = lag(samples(source), samples(target))
    assert abs(shift) < 48  # a millisecond at 48 kHz


def samples(path) -> np.ndarray:
    """What is heard on the first channel, from time zero on, at the track's own rate."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    rate = frames[0].sample_rate
    end = frames[-1].pts * frames[-1].time_base * rate + frames[-1].samples
    heard = np.zeros(int(end) + 1, np.float32)
    for frame in frames:
        data = frame.to_ndarray()[0]
        begin = round(frame.pts * frame.time_base * rate)
        heard[begin : begin + len(data)] = data[: len(heard) - begin]
    return heard


def lag(one: np.ndarray, other: np.ndarray) -> int:
    """By how many samples `other` comes later, from the cross-correlation."""
    n = 1 << 17
    product = np.fft.irfft(np.conj(np.fft.rfft(one, n)) * np.fft.rfft(other, n), n)
    best = int(product.argmax())
    return best - n if best > n // 2 else best
