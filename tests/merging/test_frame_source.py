"""The dst frames, from pictures or from videos."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import MediaError, WorkspaceError
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.config import FrameSource
from dflcolab.merging.frame_source import DstFrames, dst_frames
from dflcolab.workspace.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "data_dst").mkdir()
    return Workspace(tmp_path)


def _add_pictures(workspace: Workspace, *names: str) -> None:
    for i, name in enumerate(names):
        picture = np.full((8, 8, 3), i, np.uint8)
        cv2.imwrite(str(workspace.root / "data_dst" / name), picture)


def _walk(frames: DstFrames, start: int = 0, stop: int | None = None) -> list[str]:
    return [frame.stem for frame in frames.walk(start, stop, lambda _: True)]


def test_pictures_come_before_the_video_unless_asked_otherwise(workspace: Workspace, clips):
    shutil.copy(clips["dst"], workspace.root / "data_dst.mp4")
    _add_pictures(workspace, "a.png", "b.jpg")

    assert _walk(dst_frames(workspace, FrameSource.AUTO)) == ["a", "b"]
    assert len(_walk(dst_frames(workspace, FrameSource.VIDEO), 0, 5)) == 5


def test_a_corrupt_picture_is_named_and_skipped(workspace: Workspace):
    _add_pictures(workspace, "a.png", "b.png", "c.png")
    (workspace.root / "data_dst" / "b.png").write_bytes(b"no picture")
    frames = dst_frames(workspace, FrameSource.AUTO)

    assert _walk(frames) == ["a", "c"]
    assert len(frames.problems) == 1
    assert "b.png" in frames.problems[0]


def test_frames_of_a_video_have_the_names_that_extract_gives(workspace: Workspace, clips):
    shutil.copy(clips["dst"], workspace.root / "data_dst.mp4")
    frames = dst_frames(workspace, FrameSource.AUTO)

    assert _walk(frames)[:2] == ["00001", "00002"]
    assert _walk(frames) == frames.stems
    (third,) = frames.walk(2, 3, lambda _: True)
    (expected,) = VideoReader(clips["dst"]).frames(2, 3)
    assert third.stem == "00003"
    assert np.array_equal(third.image, expected.image)


def test_ranges_count_over_several_videos(workspace: Workspace, clips):
    shutil.copy(clips["dst"], workspace.root / "data_dst.mp4")
    shutil.copy(clips["dst"], workspace.root / "data_dst_2.mp4")
    frames = dst_frames(workspace, FrameSource.AUTO)
    n_first = len(_walk(dst_frames(workspace, FrameSource.AUTO))) // 2

    assert _walk(frames, n_first - 1, n_first + 2) == [f"{n_first:05d}", "2-00001", "2-00002"]


def test_unwanted_frames_are_passed_over(workspace: Workspace, clips):
    shutil.copy(clips["dst"], workspace.root / "data_dst.mp4")
    frames = dst_frames(workspace, FrameSource.AUTO)

    found = [frame.stem for frame in frames.walk(0, None, lambda stem: stem.endswith("7"))]

    assert found[:3] == ["00007", "00017", "00027"]


@pytest.mark.parametrize("source", list(FrameSource))
def test_no_footage_is_one_sentence(workspace: Workspace, source: FrameSource):
    with pytest.raises(WorkspaceError, match="no dst frames") as caught:
        dst_frames(workspace, source)

    assert "put" in str(caught.value)


def test_a_video_that_is_none_is_named(workspace: Workspace):
    (workspace.root / "data_dst.mp4").write_text("no video")

    with pytest.raises(MediaError, match=r"data_dst\.mp4"):
        dst_frames(workspace, FrameSource.AUTO)


def test_the_same_frame_as_png_and_jpg_is_refused(workspace: Workspace):
    _add_pictures(workspace, "a.png", "a.jpg")

    with pytest.raises(WorkspaceError, match="same frame twice"):
        dst_frames(workspace, FrameSource.AUTO)


def test_the_identity_changes_with_the_pictures(workspace: Workspace):
    _add_pictures(workspace, "a.png", "b.png")
    before = dst_frames(workspace, FrameSource.AUTO)
    old = (before.identity("a"), before.identity("b"), before.whole_identity())

    cv2.imwrite(str(workspace.root / "data_dst" / "b.png"), np.zeros((30, 40, 3), np.uint8))
    after = dst_frames(workspace, FrameSource.AUTO)

    assert after.identity("a") == old[0]
    assert after.identity("b") != old[1]
    assert after.whole_identity() != old[2]
