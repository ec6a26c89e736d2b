"""The verb `merge` on a real workspace with a real (hardly trained) model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.errors import (
    ConfigError,
    ContentGuardError,
    FacesetError,
    ModelError,
    RightsError,
    WorkspaceError,
)
from dflcolab.formats.dfl_jpeg import read_record
from dflcolab.media.provenance import SOURCE_TYPE, read_provenance
from dflcolab.media.timeline import read_timeline
from dflcolab.media.video_reader import VideoReader
from dflcolab.merging.config import MergeConfig
from dflcolab.pipeline.merge import merge
from dflcolab.workspace.workspace import Side, Workspace
from tests.xseg.test_apply import make_model

# The hull of the landmarks shows every face, also with a model that has learned no mask yet.
LOOK = ("mask_mode=dst", "blur_mask_modifier=20")


@pytest.fixture
def workspace(trained_workspace: Path) -> Workspace:
    return Workspace.open(trained_workspace)


def _config(**changes) -> MergeConfig:
    return MergeConfig(**{"model": "tiny", "set": LOOK, **changes})


def _frame(workspace: Workspace, index: int) -> np.ndarray:
    (found,) = VideoReader(workspace.videos(Side.DST)[0]).frames(index, index + 1)
    return found.image


def _merged(workspace: Workspace, stem: str) -> np.ndarray:
    return cv2.imread(str(workspace.merged_dir / f"{stem}.png"))


def _faces_of(workspace: Workspace, stem: str) -> list[Path]:
    return [
        path
        for path in sorted(workspace.aligned_dir(Side.DST).glob("*.jpg"))
        if Path(read_record(path).source_filename).stem == stem
    ]


def test_all_frames_of_the_video_are_merged_and_signed(workspace: Workspace):
    report = merge(workspace, _config())

    n_frames = sum(1 for _ in VideoReader(workspace.videos(Side.DST)[0]).frames())
    assert report.frames == n_frames
    assert report.merged > 0.9 * n_frames
    assert report.iteration == 6
    assert not report.problems
    changed = _merged(workspace, "00010") != _frame(workspace, 9)
    assert 0.01 < changed.any(axis=2).mean() < 0.5
    note = read_provenance(workspace.merged_dir / "00010.png")
    assert note is not None
    assert note.state == "valid"
    assert note.source_type == SOURCE_TYPE
    json.dumps(json.loads((workspace.merged_dir / "merge.json").read_text()))


def test_a_deleted_face_leaves_its_frame_as_it_was(workspace: Workspace):
    for path in _faces_of(workspace, "00003"):
        path.unlink()

    report = merge(workspace, _config(frames="0:5"))

    assert report.frames == 5
    assert report.passed >= 1
    assert np.array_equal(_merged(workspace, "00003"), _frame(workspace, 2))


@pytest.mark.bad_day("xseg-for-merge")
def test_a_mask_mode_with_xseg_needs_a_model_of_that_kind(workspace: Workspace):
    look = ("mask_mode=XSeg-prd*XSeg-dst",)
    with pytest.raises(ModelError, match=r"XSeg-prd\*XSeg-dst needs.*'xseg'.*mask train.*--xseg"):
        merge(workspace, _config(set=look))
    make_model(workspace, "other")

    report = merge(workspace, _config(set=look, frames="0:2", xseg="other"))

    assert (report.merged, report.problems) == (2, ())
    mask = cv2.imread(str(workspace.merged_mask_dir / "00001.png"), cv2.IMREAD_UNCHANGED)
    assert mask.any()  # what a network with fresh weights thinks of the face


def test_a_preview_of_one_frame_leaves_all_results_as_they_are(
    workspace: Workspace, tmp_path: Path
):
    picture = tmp_path / "new folder" / "look.jpg"

    report = merge(workspace, _config(frames="9:10", preview=picture))

    assert str(picture) in report.summary()
    assert not workspace.merged_dir.exists()
    before, after = np.split(cv2.imread(str(picture)).astype(int), 2, axis=1)
    # JPEG at quality 95 is off by some grey levels; the face by more.
    difference = np.abs(before - _frame(workspace, 9)).mean()
    assert difference < 3
    assert np.abs(after - before).max() > 40
    note = read_provenance(picture)
    assert note is not None
    assert note.state == "valid"


@pytest.mark.parametrize(
    ("smooth", "told"),
    [
        (("smooth_masks=2", "smooth_colors=3"), "smooth_masks and smooth_colors"),
        (("smooth_colors=3",), "smooth_colors"),
        (("smooth_landmarks=3",), None),
    ],
)
def test_a_preview_says_what_a_single_frame_cannot_show(
    workspace: Workspace, tmp_path: Path, smooth: tuple[str, ...], told: str | None
):
    config = _config(frames="9:10", preview=tmp_path / "look.jpg", set=(*LOOK, *smooth))

    sentences = [
        line for line in merge(workspace, config).summary().splitlines() if "smooth_" in line
    ]

    assert sentences == (
        [f"{told} cannot be seen in a single frame; the merge applies them."] if told else []
    )


def test_the_result_can_be_made_straight_from_the_video(workspace: Workspace):
    config = _config(video=True, encode=("quality=draft", "mask=false"))

    report = merge(workspace, config)

    (video,) = report.videos
    assert (video.path, video.frames) == (workspace.result_path(), report.frames)
    assert (video.sound, video.provenance) == ("copied", "valid")
    assert not list(workspace.merged_dir.glob("*.png"))
    source = workspace.videos(Side.DST)[0]
    assert read_timeline(video.path) == read_timeline(source)
    assert str(video.path) in report.summary()
    assert merge(workspace, config).kept == report.frames


def test_provenance_can_be_left_to_the_video(workspace: Workspace):
    merge(workspace, _config(frames="0:2", provenance=False))

    assert read_provenance(workspace.merged_dir / "00001.png") is None


def test_pictures_of_the_side_are_merged_into_as_well(workspace: Workspace):
    folder = workspace.frames_dir(Side.DST)
    for index in (0, 1):
        cv2.imwrite(str(folder / f"{index + 1:05d}.png"), _frame(workspace, index))

    report = merge(workspace, _config())

    assert report.frames == 2
    assert "named by dst faces are not in 2 pictures" in report.problems[0]


def test_a_face_whose_file_is_renamed_is_still_found(workspace: Workspace):
    (path,) = _faces_of(workspace, "00001")[:1]
    path.rename(path.with_name("renamed.jpg"))

    report = merge(workspace, _config(frames="0:1"))

    assert report.merged == 1


@pytest.mark.parametrize("side", ["src", "dst"])
def test_without_rights_nothing_is_read_or_written(workspace: Workspace, side: str):
    workspace.update(**{f"rights_{side}": None})

    with pytest.raises(RightsError, match=f"{side} person.*dflcolab init"):
        merge(workspace, _config(model="nosuch"))

    assert not workspace.merged_dir.exists()


def test_explicit_footage_is_refused_whatever_the_rights_say(workspace: Workspace):
    merge(workspace, _config(frames="0:1"))
    verdicts = workspace.history_dir / "content_guard.json"
    text = verdicts.read_text().replace('"allowed": true', '"allowed": false')
    verdicts.write_text(text)

    with pytest.raises(ContentGuardError, match=r"data_dst\.mp4"):
        merge(workspace, _config())

    assert len(list(workspace.merged_dir.glob("*.png"))) == 1


def test_a_model_that_was_never_trained_is_one_sentence(workspace: Workspace):
    with pytest.raises(ModelError, match=r"nosuch.*dflcolab train"):
        merge(workspace, _config(model="nosuch"))


def test_no_dst_faces_is_one_sentence(workspace: Workspace):
    shutil.rmtree(workspace.aligned_dir(Side.DST))

    with pytest.raises(FacesetError, match="aligned"):
        merge(workspace, _config())


def test_no_dst_footage_is_one_sentence(workspace: Workspace):
    workspace.videos(Side.DST)[0].unlink()

    with pytest.raises(WorkspaceError, match=r"put data_dst\.mp4"):
        merge(workspace, _config())


def test_a_wrong_option_is_refused_before_any_work(workspace: Workspace):
    with pytest.raises(ConfigError, match="blur_mask_modifier"):
        merge(workspace, _config(set=("blur_mask=3",)))

    assert not workspace.merged_dir.exists()


def test_a_truncated_video_is_merged_as_far_as_it_goes(workspace: Workspace, clips, tmp_path: Path):
    # The end of the file is lost; its index stands at the front or the demuxer rebuilds it.
    video = workspace.videos(Side.DST)[0]
    remuxed = tmp_path / "front.ts"
    subprocess.run(
        [sys.executable, "-c", _REMUX, str(video), str(remuxed)], check=True, capture_output=True
    )
    data = remuxed.read_bytes()
    video.unlink()
    (workspace.root / "data_dst.ts").write_bytes(data[: len(data) // 2])

    report = merge(workspace, _config())

    assert 10 < report.frames < 72


_REMUX = """
import sys, av
with av.open(sys.argv[1]) as source, av.open(sys.argv[2], "w") as target:
    stream = source.streams.video[0]
    copy = target.add_stream_from_template(stream)
    for packet in source.demux(stream):
        if packet.dts is not None:
            packet.stream = copy
            target.mux(packet)
"""


@pytest.mark.slow
def test_a_killed_merge_goes_on_and_ends_as_an_undisturbed_one(
    workspace: Workspace, tmp_path: Path
):
    other = tmp_path / "undisturbed"
    shutil.copytree(workspace.root, other)
    words = [
        "merge",
        "-w",
        str(workspace.root),
        "--model",
        "tiny",
        "--set",
        *LOOK,
        "--threads",
        "1",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "dflcolab", *words, "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while len(list(workspace.merged_dir.glob("0*.png"))) < 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    report = merge(workspace, _config())
    merge(Workspace.open(other), _config())

    assert report.kept >= 7
    assert report.merged > 0
    for path in sorted(workspace.merged_dir.glob("*.png")):
        twin = other / "data_dst" / "merged" / path.name
        assert np.array_equal(cv2.imread(str(path)), cv2.imread(str(twin))), path.name
    assert not list(workspace.merged_dir.glob(".*"))
