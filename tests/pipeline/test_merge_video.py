"""Straight from video to video: the same pictures, times and sound; stopped, killed and going on."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from dflcolab.errors import ConfigError, Interrupted, WorkspaceError
from dflcolab.media.config import EncodeConfig
from dflcolab.media.probe import probe
from dflcolab.media.provenance import SOURCE_TYPE, read_provenance
from dflcolab.media.timeline import read_timeline
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.config import MergeConfig
from dflcolab.merging.look import Look, RangeOfFrames
from dflcolab.merging.merger import merge_frames
from dflcolab.merging.networks import Networks
from dflcolab.pipeline.encode import encode
from dflcolab.pipeline.merge_video import MergedVideos, merge_to_videos, video_options
from dflcolab.pipeline.merged_straight import merged_straight, straight_results
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace
from tests.media.clips import make_video, number_of, sound_packets
from tests.pipeline.straight import (
    EXACT,
    PART,
    PLAIN,
    SIZE,
    GreenPredictor,
    job_of,
    workspace_with,
)
from tests.stopping import StopAfter
from tests.troubleshooting.said import said

UNEVEN = [0, 512, 600, 1900, 1901, 4000, 4512, 9000, 9001, 9500, 20000, 20512]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Twelve frames that last differently long; sound begins a quarter of a second later."""
    video = make_video(
        tmp_path / "clip.mp4",
        ticks=UNEVEN,
        size=SIZE,
        audio="aac",
        audio_start=Fraction(1, 4),
        options={"crf": "10", "bf": "0"},
    )
    return workspace_with(tmp_path / "w", video)


def straight(workspace: Workspace, config: EncodeConfig = EXACT, **more) -> MergedVideos:
    progress = more.pop("progress", Progress())
    return merge_to_videos(
        workspace, job_of(workspace, **more), config, progress=progress, part_frames=PART
    )


def by_pictures(workspace: Workspace) -> tuple[dict[str, np.ndarray], list]:
    """Frames of result and mask and the sound as `merge` and `encode` make them; the files are removed."""
    for folder in (workspace.merged_dir, workspace.merged_mask_dir):
        folder.mkdir(parents=True, exist_ok=True)
    merge_frames(job_of(workspace), progress=Progress())
    found = {}
    videos = encode(workspace, EXACT).videos
    sound = sound_packets(workspace.result_path())
    for video in videos:
        found[video.path.name] = shown(video.path)
        video.path.unlink()
    return found, sound


def shown(path: Path, *, deep: bool = False) -> np.ndarray:
    frames = VideoReader(path).frames(deep=deep)
    return np.stack([frame.deep if deep else frame.image for frame in frames])


def parts_of(workspace: Workspace) -> dict[str, int]:
    folder = workspace.merged_dir / "parts"
    return {path.name: path.stat().st_mtime_ns for path in sorted(folder.glob("*.mp4"))}


def hidden(workspace: Workspace) -> list[Path]:
    return [path for path in workspace.root.rglob(".*") if path.is_file()]


def test_pictures_times_and_sound_are_those_of_merge_and_encode(workspace: Workspace):
    expected, sound = by_pictures(workspace)

    done = straight(workspace)

    result, source = workspace.result_path(), workspace.videos(Side.DST)[0]
    assert [video.path.name for video in done.videos] == ["result.mp4", "result_mask.mp4"]
    for video in done.videos:
        assert np.array_equal(shown(video.path), expected[video.path.name])
        assert read_timeline(video.path) == read_timeline(source)
    assert sound_packets(result) == sound
    # The source's own container rounds the beginning of its sound to a millisecond.
    assert abs(sound[0][0] - sound_packets(source)[0][0]) < Fraction(1, 1000)
    assert (done.counts.merged, done.counts.passed) == (8, 4)
    assert len(parts_of(workspace)) == 2


def test_result_and_parts_are_signed(workspace: Workspace):
    straight(workspace)

    note = read_provenance(workspace.result_path())
    assert note is not None
    assert (note.state, note.source_type) == ("valid", SOURCE_TYPE)
    assert note.parents == ("data_dst.mp4",)
    with av.open(str(workspace.result_path())) as container:
        assert "compositeWithTrainedAlgorithmicMedia" in container.metadata["comment"]
    for path in (workspace.merged_dir / "parts").rglob("*.mp4"):
        part = read_provenance(path)
        assert part is not None
        assert part.state == "valid"
    assert not hidden(workspace)


def test_pictures_out_of_order_within_the_parts_come_in_order(tmp_path: Path):
    # H.264 with pictures that refer forwards: packets lie in another order than pictures are shown.
    video = make_video(tmp_path / "clip.mp4", n_frames=24, size=SIZE)
    workspace = workspace_with(tmp_path / "w", video)

    straight(workspace, EncodeConfig())

    result = workspace.result_path()
    assert [number_of(image[:160]) for image in _bars(result)] == list(range(24))
    assert read_timeline(result) == read_timeline(video)
    assert read_timeline(result, decode=True).times == read_timeline(video).times
    assert len(parts_of(workspace)) == 5


def _bars(path: Path) -> np.ndarray:
    """The upper half holds the number as a frame of half the height does."""
    images = shown(path)
    return np.concatenate([images[:, :160], images[:, :160]], axis=1)


def test_one_part_is_what_encode_writes_with_ten_bits_too(tmp_path: Path):
    video = make_video(
        tmp_path / "clip.mp4",
        n_frames=PART,
        size=SIZE,
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": "log-level=none"},
    )
    workspace = workspace_with(tmp_path / "w", video)
    for folder in (workspace.merged_dir, workspace.merged_mask_dir):
        folder.mkdir(parents=True)
    merge_frames(job_of(workspace), progress=Progress())
    encode(workspace, EncodeConfig(mask=False))
    expected = shown(workspace.result_path(), deep=True)

    (video,) = straight(workspace, EncodeConfig(mask=False)).videos

    assert video.bit_depth == 10
    assert probe(video.path).bit_depth == 10
    assert np.array_equal(shown(video.path, deep=True), expected)


def test_a_killed_run_goes_on_with_the_next_part(workspace: Workspace):
    journal = workspace.merged_dir / "parts" / "merge.jsonl"
    process = subprocess.Popen([sys.executable, "-m", "tests.pipeline.straight", workspace.root])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and journal.read_text()):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not workspace.result_path().exists()
    before = parts_of(workspace)

    done = straight(workspace)

    assert list(before) == ["00001.mp4"]
    assert done.counts.kept == PART
    assert parts_of(workspace)["00001.mp4"] == before["00001.mp4"]
    assert not hidden(workspace)
    expected, _ = by_pictures(workspace)
    straight(workspace)
    assert np.array_equal(shown(workspace.result_path()), expected["result.mp4"])


def test_a_stop_keeps_whole_parts_and_leaves_no_others(tmp_path: Path):
    video = make_video(tmp_path / "clip.mp4", n_frames=30, size=SIZE, options={"bf": "0"})
    workspace = workspace_with(tmp_path / "w", video)

    with pytest.raises(Interrupted, match="same command"):
        straight(workspace, progress=StopAfter(8, title="Merging"), pause_s=0.05, threads=1)

    kept = parts_of(workspace)
    assert 1 <= len(kept) <= 4
    assert not hidden(workspace)
    assert straight(workspace).counts.kept == PART * len(kept)


def test_a_changed_look_of_a_range_makes_only_its_parts_anew(workspace: Workspace):
    straight(workspace)
    before, first = parts_of(workspace), shown(workspace.result_path())
    look = Look(PLAIN, ranges=(RangeOfFrames(7, 9, {"mode": "original"}),))
    progress = StopAfter()

    done = straight(workspace, look=look, progress=progress)

    after = parts_of(workspace)
    assert [name for name in after if after[name] != before[name]] == ["00006.mp4"]
    assert done.counts.kept == PART
    changed = (shown(workspace.result_path()) != first).any(axis=(1, 2, 3))
    assert np.flatnonzero(changed).tolist() == [7, 8]  # of 7 to 9, those with a face
    assert any("7 frames were merged with other settings" in text for text in progress.messages)


@pytest.mark.bad_day("parts-missing")
def test_a_range_makes_its_parts_and_the_rest_is_named(workspace: Workspace):
    done = straight(workspace, start=1, stop=3)

    assert done.counts.total == PART
    assert not done.videos
    (message,) = done.messages
    said(message)
    assert "result.mp4 is not put together yet: 1 of its 2 parts" in message
    assert "begins with frame 5" in message
    assert straight(workspace).counts.kept == PART


def test_two_videos_give_two_results(tmp_path: Path):
    videos = [
        make_video(tmp_path / f"{n}.mp4", n_frames=n, size=SIZE, options={"crf": "10"})
        for n in (8, 12)
    ]
    workspace = workspace_with(tmp_path / "w", *videos)

    done = straight(workspace, EncodeConfig(mask=False))

    assert [(video.path.name, video.frames) for video in done.videos] == [
        ("result.mp4", 8),
        ("result_2.mp4", 12),
    ]
    assert [number_of(image) for image in _bars(done.videos[1].path)] == list(range(12))


def test_a_video_that_promises_more_frames_than_it_has_is_made_as_far_as_it_goes(tmp_path: Path):
    path = make_video(tmp_path / "clip.mp4", n_frames=12, size=SIZE, options={"bf": "0"})
    with av.open(str(path)) as container:
        last = [packet for packet in container.demux(video=0) if packet.size][-1]
        place, size = last.pos, last.size
    data = bytearray(path.read_bytes())
    data[place : place + size] = bytes(size)
    path.write_bytes(bytes(data))
    workspace = workspace_with(tmp_path / "w", path)

    (video,) = straight(workspace, EncodeConfig(mask=False)).videos

    assert video.frames == 11
    assert [number_of(image) for image in _bars(video.path)] == list(range(11))


@pytest.mark.bad_day("video-for-straight")
def test_pictures_alone_are_refused_in_one_sentence(workspace: Workspace):
    workspace.videos(Side.DST)[0].unlink()
    picture = np.zeros((*SIZE, 3), np.uint8)
    cv2.imwrite(str(workspace.frames_dir(Side.DST) / "00001.png"), picture)

    with pytest.raises(WorkspaceError, match=r"no data_dst video.*without --video.*encode"):
        video_options(workspace, MergeConfig(model="m", video=True))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"video": True, "encode": ("clip=gif",)}, "clip of encode needs the merged pictures"),
        ({"video": True, "encode": ("qualty=best",)}, "did you mean 'quality'"),
        ({"encode": ("quality=best",)}, "add --video"),
        ({"video": True, "source": "pictures"}, "leave out --video"),
    ],
)
def test_what_cannot_go_straight_is_refused(workspace: Workspace, options, sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        video_options(workspace, MergeConfig(model="m", **options))


@pytest.mark.bad_day("straight-unfinished", "merged-straight")
def test_what_comes_after_knows_which_way_the_last_merge_went(workspace: Workspace):
    workspace.result_path().write_bytes(b"of an earlier merge")
    os.utime(workspace.result_path(), (1, 1))
    straight(workspace, start=PART)
    assert merged_straight(workspace)
    with pytest.raises(WorkspaceError, match="result is not put together yet"):
        straight_results(workspace)

    straight(workspace)
    assert straight_results(workspace) == [workspace.result_path()]
    with pytest.raises(WorkspaceError, match="went straight to the video"):
        encode(workspace, EXACT)

    by_pictures(workspace)
    assert not merged_straight(workspace)


def test_networks_are_not_asked_about_what_stands(workspace: Workspace):
    straight(workspace)
    job, predictor = job_of(workspace), GreenPredictor()
    job = dataclasses.replace(job, networks=Networks(predictor, batch=2))

    done = merge_to_videos(workspace, job, EXACT, progress=Progress(), part_frames=PART)

    assert (predictor.n_faces, done.counts.kept, len(done.videos)) == (0, 12, 2)
