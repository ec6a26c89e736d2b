"""`doctor` says where this is, what is missing, and what a file's note says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.media.provenance import sign_file
from dflcolab.pipeline.doctor import doctor
from dflcolab.workspace.config import DoctorConfig
from tests.conftest import CommandLine


def test_the_report_names_machine_libraries_and_workspace(face_workspace: Path):
    report = doctor(face_workspace, DoctorConfig(gpu=False))

    assert report.place == "terminal"
    assert report.machine.cores >= 1
    assert all(report.libraries.values())
    assert "src: 1 videos" in report.workspace
    assert "Libraries: numpy" in report.summary()


def test_missing_rights_are_advised(cli: CommandLine, tmp_path: Path):
    cli.report("init", "-w", tmp_path / "w")

    report = cli.report("doctor", "-w", tmp_path / "w", "--no-gpu")

    assert any("--src-rights" in sentence for sentence in report["advice"])


def test_no_workspace_is_said_and_no_failure(tmp_path: Path):
    assert "no workspace" in doctor(tmp_path / "none", DoctorConfig(gpu=False)).workspace


def test_a_signed_picture_is_read_back_and_a_changed_one_found(tmp_path: Path):
    plain, signed = tmp_path / "plain.png", tmp_path / "signed.png"
    cv2.imwrite(str(plain), np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    sign_file(plain, signed, title="test")

    def state(path: Path) -> object:
        found = doctor(tmp_path, DoctorConfig(gpu=False, file=path)).provenance
        assert found is not None
        return found["state"]

    assert state(plain) == "no signed note"
    assert state(signed) == "valid"
    data = bytearray(signed.read_bytes())
    data[-40] ^= 1
    signed.write_bytes(data)
    assert state(signed) == "invalid"


def test_a_numpy_replaced_under_way_asks_for_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(np, "__version__", "1.0.0")

    report = doctor(tmp_path, DoctorConfig(gpu=False))

    assert any("restart the runtime" in sentence for sentence in report.advice)
