"""Jumping to a frame gives the frame that a walk gives under that number, or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.media.frame_seek import FrameSeeker
from dflcolab.media.video_reader import VideoReader
from tests.media.clips import make_video, number_of, set_display_matrix

UNEVEN = [700 + 512 * k + 37 * (k % 3) for k in range(60)]
BFRAMES = {"crf": "10", "g": "20", "bf": "3", "preset": "veryfast"}
OPEN = {**BFRAMES, "x264-params": "open-gop=1:scenecut=0"}
OPEN_HEVC = {"crf": "10", "x265-params": "open-gop=1:keyint=20:bframes=3:log-level=none"}


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("plain.mp4", {"n_frames": 60}),
        ("uneven.mp4", {"ticks": UNEVEN, "options": BFRAMES}),
        ("open.mp4", {"n_frames": 60, "options": OPEN}),
        ("open.mkv", {"n_frames": 60, "options": OPEN}),
        ("hevc.mp4", {"n_frames": 60, "codec": "libx265", "options": OPEN_HEVC}),
    ],
)
def test_every_frame_that_is_jumped_to_is_that_of_a_walk(tmp_path, name: str, how: dict):
    path = make_video(tmp_path / name, **how)
    walked = [frame.image for frame in VideoReader(path).frames()]
    assert [number_of(image) for image in walked] == list(range(60))
    seeker = FrameSeeker(path)
    order = np.random.default_rng(1).permutation(60).tolist()

    jumped = {index: seeker.image(index) for index in order}

    found = {index: image for index, image in jumped.items() if image is not None}
    # In an open group of pictures some frames need a walk; elsewhere none does.
    assert len(found) == 60 if "open" not in str(how) else len(found) > 30
    for index, image in found.items():
        np.testing.assert_array_equal(image, walked[index])
    assert seeker.image(60) is None


def test_a_video_that_asks_to_be_turned_is_turned(tmp_path):
    path = make_video(tmp_path / "turned.mp4")
    set_display_matrix(path, (0, 1, -1, 0))
    (walked,) = VideoReader(path).frames(5, 6)
    np.testing.assert_array_equal(FrameSeeker(path).image(5), walked.image)


def test_a_container_whose_packets_tell_no_times_is_left_to_a_walk(tmp_path):
    path = make_video(tmp_path / "old.avi", codec="mpeg4", pix_fmt="yuv420p", options={})
    assert FrameSeeker(path).image(3) is None
