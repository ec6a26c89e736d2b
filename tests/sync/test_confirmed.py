"""On a mounted Drive only a fresh look confirms; `sync` takes one where it can, and says what it proved."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from dflcolab.pipeline import sync as pipeline
from dflcolab.pipeline.sync import SyncReport, sync
from dflcolab.sync.config import SyncConfig
from dflcolab.workspace.workspace import Workspace


@pytest.mark.parametrize("in_kernel", [False, True])
def test_verify_connects_the_drive_anew_where_it_can(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_kernel: bool
):
    shelf = tmp_path / "shelf"
    monkeypatch.setattr(os, "getxattr", lambda *_: b"1abc", raising=False)
    monkeypatch.setattr(pipeline, "find_out", lambda: SimpleNamespace(can_mount_drive=in_kernel))
    looks: list[str] = []
    drive = SimpleNamespace(fresh_look=lambda: looks.append("afresh"))
    monkeypatch.setattr(pipeline, "ColabDrive", lambda: drive)
    monkeypatch.setattr("dflcolab.sync.writing.SETTLE_S", 0.0)

    def say(action: str) -> str:
        report: SyncReport = sync(workspace.root, SyncConfig(action=action, remote=str(shelf)))  # pyright: ignore[reportArgumentType]
        return report.summary()

    say("push")
    assert "It is uploaded." in say("status")
    assert "Until it has been confirmed, older copies stay" in say("status")
    read = say("verify")

    assert looks == ["afresh"] * in_kernel
    if in_kernel:
        assert "That is confirmed." in read
        assert "It is confirmed." in say("status")
        assert "older copies stay" not in say("status")
        assert "has everything already" in say("push")
        assert "confirmed" in say("push")
    else:
        assert "from the cache of this machine's Drive mount" in read
        assert "It is uploaded." in say("status")
