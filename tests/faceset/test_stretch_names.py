"""Stretches are called what a user finds them by."""

from __future__ import annotations

import math

import pytest

from dflcolab.faceset.stretch_names import frames_words, head_words
from dflcolab.faceset.stretches import Stretch, frame_of


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("/00120.png", "frames 120 to 140"),
        ("/2-00120.png", "frames 120 to 140 of video 2"),
        ("clips/night_00120.png", "frames 120 to 140 of clips/night"),
        ("/IMG_0120.jpg", "frames 120 to 140 of IMG"),
    ],
)
def test_frames_are_named_with_their_video(key: str, words: str):
    frame = frame_of(key)
    assert frames_words(Stretch(frame.video, frame.number, 140, 118, 142)) == words


def test_single_frames_and_whole_videos():
    assert frames_words(Stretch("/3-", 7, 7, 5, 9)) == "frame 7 of video 3"
    assert frames_words(Stretch.whole("/3-")) == "all frames of video 3"
    assert (
        frames_words(Stretch.whole(frame_of("/portrait.jpg").video)) == "all frames of portrait.jpg"
    )


@pytest.mark.parametrize(
    ("yaw", "pitch", "words"),
    [
        (5, -10, "facing the camera"),
        (25, 0, "turned to the picture's left"),
        (-50, 20, "in profile to the right, looking up"),
        (0, -16, "looking down"),
    ],
)
def test_how_a_head_is_held_is_said_as_in_the_report(yaw: float, pitch: float, words: str):
    assert head_words(math.radians(yaw), math.radians(pitch)) == words
