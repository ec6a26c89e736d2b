"""Videos to pictures: names, resume, several videos, refusals."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from dflcolab.errors import Interrupted, MediaError, WorkspaceError
from dflcolab.media.config import FramesConfig
from dflcolab.media.frame_sequence import list_frames, read_image
from dflcolab.media.video_reader import VideoReader
from dflcolab.pipeline.frames import frames
from dflcolab.pipeline.init import init
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Side, Workspace
from tests.media.clips import make_video, number_of

SRC = FramesConfig(side="src")


@pytest.fixture
def workspace(tmp_path):
    video = make_video(tmp_path / "clip.mp4", n_frames=30)
    init(tmp_path / "w", InitConfig(src=(video,)))
    return Workspace.open(tmp_path / "w")


def names(workspace) -> list[str]:
    return [path.name for path in list_frames(workspace.frames_dir(Side.SRC))]


def test_every_frame_becomes_an_exact_picture_under_its_number(workspace):
    report = frames(workspace, SRC)
    assert report.written == 30
    assert names(workspace) == [f"{k + 1:05d}.png" for k in range(30)]
    folder = workspace.frames_dir(Side.SRC)
    for frame in VideoReader(workspace.videos(Side.SRC)[0]).frames():
        np.testing.assert_array_equal(
            read_image(folder / f"{frame.index + 1:05d}.png"), frame.image
        )


def test_a_second_run_writes_only_what_is_missing(workspace):
    frames(workspace, SRC)
    folder = workspace.frames_dir(Side.SRC)
    before = {path.name: path.stat().st_mtime_ns for path in list_frames(folder)}
    (folder / "00004.png").unlink()
    (folder / "00030.png").unlink()
    report = frames(workspace, SRC)
    assert (report.written, report.already_there) == (2, 28)
    after = {path.name: path.stat().st_mtime_ns for path in list_frames(folder)}
    assert {name for name in before if before[name] != after[name]} == {"00004.png", "00030.png"}
    assert number_of(read_image(folder / "00030.png")) == 29


def test_stopped_in_the_middle_it_leaves_whole_pictures_and_goes_on(workspace):
    class StopsSoon(Progress):
        n_looks = 0

        def raise_if_stopped(self, what="stopped"):
            self.n_looks += 1
            if self.n_looks > 12:
                raise Interrupted(what)

    with pytest.raises(Interrupted):
        frames(workspace, SRC, progress=StopsSoon())
    folder = workspace.frames_dir(Side.SRC)
    there = list_frames(folder)
    assert len(there) < 13
    for path in there:
        read_image(path)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    report = frames(workspace, SRC)
    assert report.written + report.already_there == 30
    assert len(names(workspace)) == 30


def test_a_frame_that_is_there_as_another_kind_is_not_doubled(workspace):
    frames(workspace, SRC)
    report = frames(workspace, FramesConfig(side="src", ext="jpg"))
    assert report.written == 0


def test_thinned_frames_keep_the_numbers_of_the_video(workspace):
    report = frames(workspace, FramesConfig(side="src", fps=5, ext="jpg"))
    assert report.written == 6
    assert names(workspace) == [f"{k:05d}.jpg" for k in (1, 6, 11, 16, 21, 26)]
    folder = workspace.frames_dir(Side.SRC)
    assert [number_of(read_image(path)) for path in list_frames(folder)] == [0, 5, 10, 15, 20, 25]


def test_a_second_video_gets_a_prefix_and_deletes_nothing(workspace, tmp_path):
    frames(workspace, SRC)
    make_video(workspace.root / "data_src_2.mp4", n_frames=4)
    report = frames(workspace, SRC)
    assert (report.written, report.already_there) == (4, 30)
    assert "2-00004.png" in names(workspace)
    record = json.loads((workspace.frames_dir(Side.SRC) / "frames.json").read_text())
    assert set(record["videos"]) == {"data_src.mp4", "data_src_2.mp4"}


@pytest.mark.bad_day("frames-of-earlier")
def test_frames_of_an_earlier_video_of_that_name_are_not_mixed_in(workspace):
    frames(workspace, SRC)
    make_video(workspace.root / "data_src.mp4", n_frames=9)
    with pytest.raises(WorkspaceError, match=r"earlier data_src\.mp4"):
        frames(workspace, SRC)
    shutil.rmtree(workspace.frames_dir(Side.SRC))
    assert frames(workspace, SRC).written == 9


@pytest.mark.bad_day("no-video")
def test_a_side_without_video_is_refused_with_the_remedy(workspace):
    with pytest.raises(WorkspaceError, match="--dst VIDEO"):
        frames(workspace, FramesConfig(side="dst"))


def test_what_is_no_video_is_refused_by_name(workspace):
    (workspace.root / "data_src.mp4").write_text("not a video\n" * 100)
    with pytest.raises(MediaError, match=r"data_src\.mp4"):
        frames(workspace, SRC)


def test_a_truncated_video_gives_what_decodes_and_says_so(workspace):
    path = workspace.root / "data_src.mp4"
    whole = make_video(workspace.root / "whole.mp4", n_frames=60, muxer={"movflags": "+faststart"})
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    report = frames(workspace, SRC)
    assert 15 < report.written < 60
    assert any("ends early" in problem for problem in report.problems)
    assert "ends early" in report.summary()
