"""`doctor` says where this is, what is missing, and what a file's note says."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.config import to_plain
from dflcolab.media.provenance import sign_file
from dflcolab.pipeline.doctor import DoctorReport, doctor
from dflcolab.pipeline.doctor_workspace import look_at_workspace
from dflcolab.pipeline.init import init
from dflcolab.runtime.description import Runtime
from dflcolab.runtime.versions import Unmet
from dflcolab.workspace.config import DoctorConfig, InitConfig
from dflcolab.workspace.settings import RightsBasis
from dflcolab.workspace.workspace import Workspace
from tests.conftest import CommandLine
from tests.runtime.runtimes import (
    BLACKWELL,
    COLAB,
    GB,
    KAGGLE,
    TERMINAL,
    with_machine,
    with_versions,
)
from tests.runtime.test_newest import index, page, saying
from tests.troubleshooting.said import said

KAGGLE_COMMAND = replace(KAGGLE, where=replace(KAGGLE.where, kernel_generation=None))
QUICK = DoctorConfig(gpu=False, online=False)


def new_workspace(root: Path, clips: dict[str, Path]) -> Path:
    rights = RightsBasis.LICENSED
    config = InitConfig(
        src=(clips["src"],), dst=(clips["dst"],), src_rights=rights, dst_rights=rights
    )
    init(root, config, where=TERMINAL.where)
    return root


def look(root: Path, runtime: Runtime = TERMINAL) -> DoctorReport:
    return doctor(root, QUICK, runtime=runtime)


def test_the_report_of_this_machine_names_everything(cli: CommandLine, face_workspace: Path):
    report = cli.report("doctor", "-w", face_workspace, "--no-gpu", "--no-online")
    text = doctor(face_workspace, QUICK).summary()

    assert report["runtime"]["where"]["place"] == "terminal"
    assert report["runtime"]["machine"]["cores"] >= 1
    assert report["runtime"]["versions"]["unmet"] == []
    assert "src 1 video" in report["workspace"]["sentence"]
    for word in ("terminal", "TensorFlow 2.", "OpenCV", "numpy", "libavcodec", "Memory", "GPU"):
        assert word in text


def test_on_colab_the_page_shows_card_rules_and_what_to_do(tmp_path: Path, clips):
    root = new_workspace(tmp_path / "w", clips)

    report = look(root, with_machine(COLAB, gpus=(BLACKWELL,)))
    lines = report.summary().splitlines()

    assert lines[0] == "dflcolab    0.1.0 on Python 3.13.5"
    assert "Place       hosted Colab; Google Drive can be mounted" in lines
    assert "Notebook    ipykernel 6, ipywidgets 7" in lines
    assert "GPU         NVIDIA RTX PRO 6000 Blackwell with 95.6 GB" in lines
    assert any("creating deepfakes" in line for line in lines)
    assert lines[lines.index("What to do:") + 1].startswith(" 1. NVIDIA RTX PRO 6000")
    assert lines[-1].startswith(" 2. Training and merging on hosted Colab wait for your choice")
    json.dumps(to_plain(report))


def test_all_well_is_said(tmp_path: Path, clips):
    report = look(new_workspace(tmp_path / "w", clips))

    assert report.advice == ()
    assert report.summary().endswith("Nothing is wrong.")


def test_missing_rights_are_advised(tmp_path: Path):
    init(tmp_path / "w", InitConfig(), where=TERMINAL.where)

    assert any("--src-rights" in sentence for sentence in look(tmp_path / "w").advice)


def test_no_workspace_is_said_and_no_failure(tmp_path: Path):
    assert "no workspace" in look(tmp_path / "none").workspace.sentence


@pytest.mark.bad_day("frames-outgrow-disk")
def test_a_disk_too_small_for_what_will_be_written(tmp_path: Path, clips):
    root = new_workspace(tmp_path / "w", clips)
    view = look_at_workspace(root, TERMINAL)
    needs, size = view.needs, (root / "data_dst.mp4").stat().st_size

    # 72 frames of 640 x 360 at half their raw size; checkpoints as the preset standard makes them.
    straight, by_frames = 2 * size, 72 * 640 * 360 * 3 // 2
    assert [*view.merging.values()] == [straight, by_frames]
    assert needs["checkpoints"] == 5 * (1300 << 20)
    assert needs["faces"] == (472 + 72) * 70_000
    assert needs["the result"] == 2 * size

    def advice(free: int) -> tuple[str, ...]:
        return look(root, with_machine(TERMINAL, free_disk_bytes=sum(needs.values()) + free)).advice

    (sentence,) = advice(straight - 1)
    assert "will need about 6.4 GB (checkpoints 6.3 GB" in sentence
    assert "for merging 0.4 MB straight to the video or 23.7 MB by single frames; free" in sentence
    (sentence,) = advice(by_frames - 1)
    said(sentence)
    assert advice(by_frames) == ()


def test_what_is_there_needs_no_room_again(trained_workspace: Path):
    view = look_at_workspace(trained_workspace, TERMINAL)

    assert "faces" not in view.needs  # extracted
    assert view.needs["checkpoints"] < 1 << 30  # of the tiny model that is there
    parts = Workspace.open(trained_workspace).merged_parts_dir
    parts.mkdir(parents=True)
    (parts / "00001.mp4").write_bytes(bytes(100))
    before, after = view.merging, look_at_workspace(trained_workspace, TERMINAL).merging
    assert [before[way] - after[way] for way in before] == [100, 0]
    (trained_workspace / "result.mp4").touch()
    assert not look_at_workspace(trained_workspace, TERMINAL).merging


def test_many_faces_that_memory_does_not_hold_take_room_on_the_disk(tmp_path: Path, clips):
    root = new_workspace(tmp_path / "w", clips)
    decoded = 544 * 5 * 192**2

    assert "decoded faces" not in look_at_workspace(root, TERMINAL).needs
    runtime = with_machine(TERMINAL, free_memory_bytes=decoded * 4 - 4)
    assert look_at_workspace(root, runtime).needs["decoded faces"] == decoded


@pytest.mark.parametrize(("gpus", "enough"), [(TERMINAL.machine.gpus, 3.4), ((), 4.6)])
def test_too_little_memory_for_the_model(tmp_path: Path, clips, gpus, enough: float):
    root = new_workspace(tmp_path / "w", clips)

    def sentences(free: float) -> list[str]:
        runtime = with_machine(TERMINAL, gpus=gpus, free_memory_bytes=int(free * GB))
        return [text for text in look(root, runtime).advice if "--preset light`)" in text]

    assert [text for text in sentences(enough) if "of memory" in text] == []
    (sentence,) = [text for text in sentences(enough - 0.3) if "of memory" in text]
    assert "preset standard" in sentence


def test_a_workspace_on_drive_and_its_many_files(tmp_path: Path, clips):
    root = new_workspace(tmp_path / "drive" / "MyDrive" / "w", clips)
    for k in range(1001):
        (root / "data_src" / "aligned" / f"{k:05d}_0.jpg").touch()
        (root / "data_dst" / f"{k:05d}.png").touch()

    advice = look_at_workspace(root, TERMINAL, drive=tmp_path / "drive").advice

    assert "lies on Google Drive" in advice[0]
    assert f"`dflcolab pack -w {root} --side src`" in advice[1]
    assert str(root / "data_dst") in advice[2]
    assert len(advice) == 3
    assert look_at_workspace(root, TERMINAL).advice == ()  # on another disk that is fine


def test_damaged_parts_of_a_workspace_are_named(tmp_path: Path, clips):
    root = new_workspace(tmp_path / "w", clips)
    (root / "data_dst.mp4").write_bytes(b"no video")
    (root / "data_src" / "aligned" / "faceset.pak").write_bytes(b"no pack")

    advice = look(root).advice

    assert any("data_dst.mp4" in sentence for sentence in advice)
    assert any("faceset.pak" in sentence for sentence in advice)


def test_the_recorded_choice_ends_the_advice(tmp_path: Path, clips):
    root = new_workspace(tmp_path / "w", clips)
    (before,) = look(root, KAGGLE_COMMAND).advice
    assert f"read them here, then decide with `dflcolab init -w {root} --platform-choice" in before

    init(root, InitConfig(platform_choice="go-on"), where=KAGGLE.where)

    assert look(root, KAGGLE_COMMAND).advice == ()


def test_a_newer_version_is_told_with_the_command(tmp_path: Path, clips):
    root = new_workspace(tmp_path / "w", clips)
    config = DoctorConfig(gpu=False)
    with index(saying(page("9.1"))) as url:
        here = doctor(root, config, runtime=TERMINAL, index=url)
        on_colab = doctor(root, config, runtime=COLAB, index=url)
        offline = doctor(root, QUICK, runtime=TERMINAL, index=url)

    assert here.newer_version == "9.1"
    assert "`pip install --upgrade dflcolab`" in here.advice[-1]
    assert "`pip install --upgrade --no-deps dflcolab`" in on_colab.advice[-1]
    assert offline.newer_version is None


def test_a_gpu_that_tensorflow_does_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from dflcolab.engine import gpu_trial

    monkeypatch.setattr(gpu_trial.tf.config, "list_logical_devices", lambda _kind: [])
    report = doctor(tmp_path, DoctorConfig(online=False), runtime=TERMINAL)

    assert report.gpu_works is False
    assert "does not see Tesla T4" in report.advice[0]
    assert 'pip install "tensorflow[and-cuda]"' in report.advice[0]
    assert "it does not compute" in report.summary()


def test_a_library_that_does_not_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tomlkit", None)  # what a broken installation does
    needed = (Unmet("dflcolab 0.1.0", "tomlkit>=0.13", None),)

    assert "`pip install --force-reinstall --no-deps tomlkit`" in look(tmp_path).advice[0]
    (sentence,) = look(tmp_path, with_versions(TERMINAL, unmet=needed)).advice
    assert 'pip install "tomlkit>=0.13"' in sentence  # said once


def test_a_signed_picture_is_read_back_and_a_changed_one_found(tmp_path: Path):
    plain, signed = tmp_path / "plain.png", tmp_path / "signed.png"
    cv2.imwrite(str(plain), np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    sign_file(plain, signed, title="test")

    def state(path: Path) -> object:
        found = doctor(tmp_path, replace(QUICK, file=path), runtime=TERMINAL).provenance
        assert found is not None
        return found["state"]

    assert state(plain) == "no signed note"
    assert state(signed) == "valid"
    data = bytearray(signed.read_bytes())
    data[-40] ^= 1
    signed.write_bytes(data)
    assert state(signed) == "invalid"


def test_doctor_changes_nothing(face_workspace: Path, tmp_path: Path):
    before = tmp_path / "before"
    shutil.copytree(face_workspace, before)

    look(face_workspace, COLAB)

    def files(root: Path) -> dict[str, bytes]:
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }

    assert files(face_workspace) == files(before)
