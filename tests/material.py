"""Real faces for tests: the demo clips and one photograph, decoded once."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from dflcolab.media.frame_sequence import read_image
from dflcolab.media.video_reader import VideoReader

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "dflcolab" / "assets" / "demo"
WEBCAM_MAN = DEMO / "webcam_man.mp4"
STUDIO_WOMAN = DEMO / "studio_woman.mp4"
MULTI = Path(__file__).parent / "data" / "faces" / "multi.jpg"


@functools.cache
def frame_of(clip: Path, index: int) -> np.ndarray:
    """One frame of a clip, BGR. Do not change it."""
    frame = next(iter(VideoReader(clip).frames(index, index + 1))).image
    frame.flags.writeable = False
    return frame


@functools.cache
def five_people() -> np.ndarray:
    """The photograph of five people, BGR. Do not change it."""
    image = read_image(MULTI)
    image.flags.writeable = False
    return image


def shared_faces() -> Path:
    """The developers' pictures beside the repository; the test is skipped where they are absent."""
    folder = ROOT.parent / "shared" / "data" / "faces"
    if not folder.is_dir():
        pytest.skip("the developers' face pictures are not here (they are not part of the project)")
    return folder
