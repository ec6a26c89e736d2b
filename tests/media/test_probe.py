"""What a video is, and what is said about files that are none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from dflcolab.errors import MediaError
from dflcolab.media.probe import probe
from tests.media.clips import make_video, set_display_matrix


def refusal_of(path) -> str:
    with pytest.raises(MediaError) as refused:
        probe(path)
    text = str(refused.value)
    assert path.name in text
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_tells_the_facts_of_a_shipped_clip(clips):
    info = probe(clips["src"])
    assert (info.width, info.height) == (640, 360)
    assert info.codec == "h264"
    assert info.average_rate == Fraction(24000, 1001)
    assert info.n_frames_estimate == 472
    assert info.rotation == 0
    assert [track.codec for track in info.audio] == ["aac"]
    assert info.color.matrix == 6


@pytest.mark.bad_day("video-not-one")
def test_a_text_file_called_mp4_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("This is not a video, whatever its name says.\n" * 50)
    assert "not a video" in refusal_of(path)


@pytest.mark.bad_day("video-empty")
def test_an_empty_file_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "empty.mp4"
    path.write_bytes(b"")
    assert "empty" in refusal_of(path)


@pytest.mark.bad_day("video-not-there")
def test_a_missing_file_is_refused_in_one_sentence(tmp_path):
    assert "no video" in refusal_of(tmp_path / "gone.mp4")


def test_a_folder_is_refused_in_one_sentence(tmp_path):
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    refusal_of(folder)


@pytest.mark.bad_day("video-picture")
def test_a_picture_called_mp4_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "picture.mp4"
    path.write_bytes(cv2.imencode(".png", np.zeros((20, 30, 3), np.uint8))[1].tobytes())
    assert "picture" in refusal_of(path)


@pytest.mark.bad_day("video-sound-only")
def test_sound_without_video_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "song.mp4"
    source = make_video(tmp_path / "whole.mp4", audio="aac")
    with av.open(str(source)) as given, av.open(str(path), "w") as kept:
        stream = kept.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(audio=0):
            if packet.size:
                packet.stream = stream
                kept.mux(packet)
    assert "sound but no video" in refusal_of(path)


@pytest.mark.bad_day("video-incomplete")
def test_a_video_whose_index_is_cut_off_is_called_incomplete(tmp_path):
    whole = make_video(tmp_path / "whole.mp4")
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert "incomplete" in refusal_of(path)


def test_random_bytes_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "noise.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    assert "not a video" in refusal_of(path)


@pytest.mark.parametrize(
    ("matrix", "angle"),
    [((0, 1, -1, 0), 90), ((-1, 0, 0, -1), 180), ((0, -1, 1, 0), 270), ((1, 0, 0, 1), 0)],
)
def test_rotation_comes_from_the_display_matrix(tmp_path, matrix, angle):
    path = make_video(tmp_path / "clip.mp4", size=(96, 64))
    set_display_matrix(path, matrix)
    info = probe(path)
    assert info.rotation == angle
    assert (info.width, info.height) == ((64, 96) if angle in (90, 270) else (96, 64))


def test_starts_of_picture_and_sound_are_told_exactly(tmp_path):
    path = make_video(tmp_path / "clip.mkv", audio="libopus", audio_start=Fraction(1, 2),
                      time_base=Fraction(1, 1000))  # fmt: skip
    info = probe(path)
    assert info.start_s == 0
    assert info.audio[0].start_s is not None
    # Opus has a run-in of 6.5 ms that Matroska counts before the stated start.
    assert abs(info.audio[0].start_s - Fraction(1, 2)) < Fraction(1, 100)


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "12:30.mp4")

    assert probe(Path("12:30.mp4")).n_frames_estimate > 0
