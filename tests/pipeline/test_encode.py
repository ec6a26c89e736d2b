"""Merged frames to the signed result: frames, times, sound, gaps, refusals."""

from __future__ import annotations

import errno
import json
import os
from fractions import Fraction

import av
import numpy as np
import pytest

from dflcolab.config import to_plain
from dflcolab.errors import Interrupted, MediaError, RightsError, StorageError, WorkspaceError
from dflcolab.media.certificate import _identity_in
from dflcolab.media.config import EncodeConfig, FramesConfig, VideoCodec
from dflcolab.media.frame_sequence import list_frames, write_image
from dflcolab.media.probe import probe
from dflcolab.media.provenance import SOURCE_TYPE, read_provenance
from dflcolab.media.timeline import read_timeline
from dflcolab.media.video_mux import VideoMux
from dflcolab.media.video_reader import VideoReader
from dflcolab.pipeline.encode import encode
from dflcolab.pipeline.encode_jobs import exact_rate
from dflcolab.pipeline.frames import frames
from dflcolab.pipeline.init import init
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import RightsBasis, Side, Workspace
from tests.media.clips import make_video, number_of, numbered_frame, sound_packets

UNEVEN = [0, 512, 600, 1900, 1901, 4000, 4512, 9000, 9001, 9500, 20000, 20512]
RIGHTS = {"src_rights": RightsBasis.LICENSED, "dst_rights": RightsBasis.LICENSED}


@pytest.fixture(autouse=True)
def own_configuration(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
    _identity_in.cache_clear()


def merged_workspace(root, video, n_frames: int, *, size=(96, 64), rights=RIGHTS) -> Workspace:
    """A workspace whose merge left frames with the numbers 100, 101 …"""
    init(root, InitConfig(dst=(video,), **rights))
    workspace = Workspace.open(root)
    workspace.merged_dir.mkdir(parents=True)
    for k in range(n_frames):
        write_image(workspace.merged_dir / f"{k + 1:05d}.png", numbered_frame(100 + k, *size))
    return workspace


@pytest.fixture
def workspace(tmp_path):
    video = make_video(tmp_path / "clip.mp4", ticks=UNEVEN, audio="aac",
                       options={"crf": "10", "bf": "0"})  # fmt: skip
    return merged_workspace(tmp_path / "w", video, len(UNEVEN))


def shown(path) -> list[int]:
    return [number_of(frame.image) for frame in VideoReader(path).frames()]


def test_the_result_has_the_frames_times_and_sound_of_the_dst_video(workspace):
    report = encode(workspace, EncodeConfig())
    result, source = workspace.result_path(), workspace.videos(Side.DST)[0]
    assert shown(result) == [100 + k for k in range(len(UNEVEN))]
    assert read_timeline(result) == read_timeline(source)
    assert sound_packets(result) == sound_packets(source)
    (video,) = report.videos
    assert (video.frames, video.sound, video.provenance, video.kind) == (
        12,
        "copied",
        "valid",
        "result",
    )
    json.dumps(to_plain(report))
    assert "result.mp4" in report.summary()


def test_the_result_is_signed_and_tagged_as_synthetic(workspace):
    encode(workspace, EncodeConfig())
    note = read_provenance(workspace.result_path())
    assert (note.state, note.source_type) == ("valid", SOURCE_TYPE)
    assert note.parents == ("data_dst.mp4",)
    with av.open(str(workspace.result_path())) as container:
        assert "compositeWithTrainedAlgorithmicMedia" in container.metadata["comment"]


def test_a_real_clip_keeps_count_length_and_sound(tmp_path, clips):
    init(tmp_path / "w", InitConfig(dst=(clips["dst"],), **RIGHTS))
    workspace = Workspace.open(tmp_path / "w")
    frames(workspace, FramesConfig(side="dst"))
    workspace.merged_dir.mkdir(parents=True)
    for path in list_frames(workspace.frames_dir(Side.DST)):
        os.replace(path, workspace.merged_dir / path.name)
    encode(workspace, EncodeConfig())
    before, after = read_timeline(clips["dst"]), read_timeline(workspace.result_path())
    assert after == before
    assert len(after.times) == 72
    assert sound_packets(workspace.result_path()) == sound_packets(clips["dst"])
    # Containers count in ticks of 1/44100 s or coarser; a frame is 33 ms.
    with av.open(str(clips["dst"])) as one, av.open(str(workspace.result_path())) as other:
        assert abs(one.duration - other.duration) < 2000  # microseconds


def test_what_a_killed_run_left_unsigned_is_removed(workspace):
    left = workspace.root / ".result.0123abcd.unsigned.mp4"
    left.write_bytes(b"half a video")

    encode(workspace, EncodeConfig())

    assert not left.exists()


@pytest.mark.parametrize("codec", list(VideoCodec))
def test_every_codec_gives_a_signed_file(workspace, codec):
    (video,) = encode(workspace, EncodeConfig(codec=codec)).videos
    assert video.path.suffix == (".mov" if codec is VideoCodec.PRORES else ".mp4")
    assert read_provenance(video.path).state == "valid"
    assert shown(video.path) == [100 + k for k in range(len(UNEVEN))]


def test_lossless_keeps_every_pixel_of_the_merged_frames(workspace):
    encode(workspace, EncodeConfig(lossless=True))
    for frame in VideoReader(workspace.result_path()).frames():
        np.testing.assert_array_equal(frame.image, numbered_frame(100 + frame.index))


def test_masks_become_a_video_of_the_same_frames(workspace):
    workspace.merged_mask_dir.mkdir()
    for k in range(len(UNEVEN)):
        if k != 3:
            write_image(
                workspace.merged_mask_dir / f"{k + 1:05d}.png", numbered_frame(200 + k)[..., 2]
            )
    report = encode(workspace, EncodeConfig())
    path = workspace.root / "result_mask.mp4"
    assert read_timeline(path) == read_timeline(workspace.result_path())
    masks = [frame.image for frame in VideoReader(path).frames()]
    assert number_of(masks[4]) == 204
    assert masks[3].max() < 6  # black, as far as h264 keeps it
    assert read_provenance(path).state == "valid"
    assert [video.kind for video in report.videos] == ["result", "mask"]
    assert any("have no mask" in text for text in report.messages)
    path.unlink()
    encode(workspace, EncodeConfig(mask=False))
    assert not path.exists()


@pytest.mark.bad_day("merged-missing")
def test_missing_merged_frames_are_refused_with_number_and_name(workspace):
    for k in (4, 7):
        (workspace.merged_dir / f"{k:05d}.png").unlink()
    with pytest.raises(
        WorkspaceError, match=r"2 of 12 merged frames.*00004, 00007.*--allow-missing"
    ):
        encode(workspace, EncodeConfig())
    assert not workspace.result_path().exists()


def test_missing_merged_frames_may_be_filled_from_the_original(workspace):
    for k in (1, 7, 12):
        (workspace.merged_dir / f"{k:05d}.png").unlink()
    (video,) = encode(workspace, EncodeConfig(allow_missing=True)).videos
    numbers = [100 + k for k in range(12)]
    numbers[0], numbers[6], numbers[11] = 0, 6, 11
    assert shown(workspace.result_path()) == numbers
    assert video.filled == 3


@pytest.mark.bad_day("no-merged")
def test_without_merged_frames_it_says_what_to_do(workspace):
    for path in list_frames(workspace.merged_dir):
        path.unlink()
    with pytest.raises(WorkspaceError, match="dflcolab merge"):
        encode(workspace, EncodeConfig())


def test_without_recorded_rights_it_refuses(tmp_path):
    video = make_video(tmp_path / "clip.mp4")
    workspace = merged_workspace(tmp_path / "w", video, 24, rights={})
    with pytest.raises(RightsError, match="--src-rights"):
        encode(workspace, EncodeConfig())


def test_a_damaged_merged_frame_is_named_and_the_old_result_stays(workspace):
    workspace.result_path().write_bytes(b"yesterday")
    (workspace.merged_dir / "00006.png").write_bytes(b"damaged")
    with pytest.raises(MediaError, match=r"00006\.png"):
        encode(workspace, EncodeConfig())
    assert workspace.result_path().read_bytes() == b"yesterday"
    assert not [path for path in workspace.root.iterdir() if path.name.startswith(".")]


def test_a_merged_frame_of_another_size_is_refused(workspace):
    write_image(workspace.merged_dir / "00006.png", numbered_frame(0, 80, 64))
    with pytest.raises(MediaError, match=r"result\.mp4 has 80x64"):
        encode(workspace, EncodeConfig())


def test_merged_frames_may_be_larger_than_the_video(tmp_path):
    video = make_video(tmp_path / "clip.mp4", n_frames=8)
    workspace = merged_workspace(tmp_path / "w", video, 8, size=(192, 128))
    (result,) = encode(workspace, EncodeConfig()).videos
    assert (result.width, result.height) == (192, 128)
    assert len(read_timeline(result.path).times) == 8


def test_stopped_in_the_middle_it_leaves_the_old_result(workspace):
    class StopsSoon(Progress):
        n_looks = 0

        def raise_if_stopped(self, what="stopped"):
            self.n_looks += 1
            if self.n_looks > 5:
                raise Interrupted(what)

    workspace.result_path().write_bytes(b"yesterday")
    with pytest.raises(Interrupted):
        encode(workspace, EncodeConfig(), progress=StopsSoon())
    assert workspace.result_path().read_bytes() == b"yesterday"
    assert not [path for path in workspace.root.iterdir() if path.name.startswith(".")]


def test_pictures_as_dst_follow_each_other_at_the_given_rate(tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for k in range(7):
        write_image(pictures / f"shot{k + 8}.png", numbered_frame(k))
    init(tmp_path / "w", InitConfig(dst=(pictures,), **RIGHTS))
    workspace = Workspace.open(tmp_path / "w")
    workspace.merged_dir.mkdir(parents=True)
    for k in range(7):
        write_image(workspace.merged_dir / f"shot{k + 8}.png", numbered_frame(50 + k))
    (video,) = encode(workspace, EncodeConfig(fps=23.976)).videos
    assert list(read_timeline(video.path).times) == [Fraction(1001 * k, 24000) for k in range(7)]
    assert shown(video.path) == [50 + k for k in range(7)]
    assert video.sound == "none"
    (workspace.merged_dir / "shot9.png").unlink()
    with pytest.raises(WorkspaceError, match="1 of 7"):
        encode(workspace, EncodeConfig())
    encode(workspace, EncodeConfig(allow_missing=True))
    assert shown(video.path)[1] == 1


def test_pictures_named_unlike_the_videos_frames_are_shown_without_sound_and_it_is_said(workspace):
    for k, path in enumerate(list_frames(workspace.merged_dir)):
        path.rename(path.with_name(f"shot{k}.png"))
    report = encode(workspace, EncodeConfig())
    assert [video.sound for video in report.videos] == ["none"]
    assert any("not named like frames" in text for text in report.messages)


def test_a_second_dst_video_gives_a_second_result(workspace):
    make_video(workspace.root / "data_dst_2.mp4", n_frames=5)
    report = encode(workspace, EncodeConfig())
    assert any("data_dst_2.mp4 has no merged frames" in text for text in report.messages)
    for k in range(5):
        write_image(workspace.merged_dir / f"2-{k + 1:05d}.png", numbered_frame(80 + k))
    report = encode(workspace, EncodeConfig())
    assert [video.path.name for video in report.videos] == ["result.mp4", "result_2.mp4"]
    assert shown(workspace.root / "result_2.mp4") == [80 + k for k in range(5)]


def test_a_truncated_dst_video_is_encoded_as_far_as_it_decodes(tmp_path):
    whole = make_video(tmp_path / "whole.mp4", n_frames=60, muxer={"movflags": "+faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    n_frames = len(read_timeline(cut).times)
    workspace = merged_workspace(tmp_path / "w", cut, n_frames)
    (video,) = encode(workspace, EncodeConfig()).videos
    assert video.frames == n_frames < 60


def test_odd_frame_sizes_are_padded_and_said(tmp_path):
    video = make_video(tmp_path / "clip.mkv", n_frames=5, size=(97, 65), pix_fmt="yuv444p",
                       time_base=Fraction(1, 1000))  # fmt: skip
    workspace = merged_workspace(tmp_path / "w", video, 5, size=(97, 65))
    report = encode(workspace, EncodeConfig())
    assert any("result.mp4 is 98x66" in text for text in report.messages)
    encode(workspace, EncodeConfig(pixel_format="yuv444p"))
    assert probe(workspace.result_path()).width == 97


def test_a_full_disk_is_one_sentence(workspace, monkeypatch):
    def full(self, packet):
        raise av.error.OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(VideoMux, "add", full)
    with pytest.raises(StorageError, match=r"disk is full while writing .*/result\.mp4"):
        encode(workspace, EncodeConfig())
    assert not [path for path in workspace.root.iterdir() if path.name.startswith(".")]


def test_rounded_rates_mean_the_exact_ones():
    assert exact_rate(23.976) == Fraction(24000, 1001)
    assert exact_rate(29.97) == Fraction(30000, 1001)
    assert exact_rate(59.94) == Fraction(60000, 1001)
    assert exact_rate(25) == 25
    assert exact_rate(12.5) == Fraction(25, 2)
