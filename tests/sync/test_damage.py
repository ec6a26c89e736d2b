"""What was found damaged on the remote is written anew by the next push, and never referred to."""

from __future__ import annotations

from pathlib import Path

import pytest

from dflcolab.pipeline.sync import sync
from dflcolab.sync.config import SyncConfig
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.sync.verify import VerifyReport, verify
from dflcolab.workspace.workspace import Workspace
from tests.sync.conftest import files_of


@pytest.mark.parametrize("part", ["packs/*.tar", "files/result.mp4"])
def test_after_verify_the_next_push_is_whole_again(workspace: Workspace, tmp_path: Path, part: str):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    for path in shelf.glob(part):
        data = path.read_bytes()
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    before = files_of(workspace.root)

    found = sync(workspace.root, SyncConfig(action="verify", remote=str(shelf)))
    assert isinstance(found, VerifyReport)
    again = push(workspace, shelf)

    assert found.damaged
    assert again.new_copy
    assert not verify(Remote.open(shelf)).damaged
    pulled = pull(shelf, tmp_path / "back")
    assert pulled.generation == 2
    assert (tmp_path / "back" / "result.mp4").read_bytes() == before["result.mp4"]
