"""`dflcolab sync` from the command line, with a real model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dflcolab.engine.model_lock import training_alone
from dflcolab.errors import ConfigError, ModelError, SyncError, WorkspaceError
from dflcolab.pipeline.sync import sync
from dflcolab.pipeline.travelling_checkpoints import TravellingCheckpoints
from dflcolab.sync.config import SyncConfig
from dflcolab.workspace.workspace import Side, Workspace
from tests.conftest import CommandLine
from tests.faceset.kills import killed_sort


def test_a_trained_workspace_goes_on_training_on_another_machine(
    cli: CommandLine, trained_workspace: Path, tmp_path: Path
):
    shelf = tmp_path / "shelf"
    pushed = cli.report("sync", "push", "-w", trained_workspace, "--remote", shelf)
    assert pushed["new_copy"]
    assert pushed["proof"] == "written and read back"
    # The remote is remembered from here on.
    status = cli.report("sync", "status", "-w", trained_workspace)
    assert [info["complete"] for info in status["generations"]] == [True]
    (model,) = cli.report("sync", "log", "-w", trained_workspace)["generations"][0]["models"]
    assert (model["name"], model["iteration"]) == ("tiny", 6)
    assert not cli.report("sync", "verify", "-w", trained_workspace)["damaged"]

    # One command on an empty machine: fetch, train, and copy back.
    other = tmp_path / "other"
    trained = cli.report("train", "-w", other, "--model", "tiny", "--target-iter", 8,
                         "--remote", shelf)  # fmt: skip

    assert trained["iteration"] == 8
    assert trained["resumed_from"] == 6
    assert (trained["copy"]["iteration"], trained["copy"]["proof"]) == (8, "written and read back")

    assert not cli.report("sync", "push", "-w", other)["new_copy"]
    assert cli.report("sync", "prune", "-w", other, "--dry-run", "--keep-last", 1, "--keep-days", 0,
                      "--no-keep-best")["removed"]  # fmt: skip
    assert cli.report("sync", "restore", "-w", other, "--generation", 1)["generation"] == 1
    assert cli.report("model", "info", "-w", other, "--model", "tiny")["iteration"] == 6


def test_what_a_training_process_writes_is_not_pulled_away(face_workspace: Path, tmp_path: Path):
    remote = str(tmp_path / "shelf")
    sync(face_workspace, SyncConfig(action="push", remote=remote))
    model_dir = Workspace.open(face_workspace).model_dir("mine")
    model_dir.mkdir(parents=True)

    with training_alone(model_dir), pytest.raises(ModelError, match="is training mine; wait"):
        sync(face_workspace, SyncConfig(action="pull"))
    sync(face_workspace, SyncConfig(action="pull"))


@pytest.mark.bad_day("copies-away")
def test_a_folder_that_is_not_connected_is_not_made_anew(face_workspace: Path, tmp_path: Path):
    shelf = tmp_path / "shelf"
    sync(face_workspace, SyncConfig(action="push", remote=str(shelf)))
    shelf.rename(tmp_path / "away")

    for action in ("push", "pull", "status"):
        with pytest.raises(SyncError, match="is not on this machine; connect it"):
            sync(face_workspace, SyncConfig(action=action))
    assert not shelf.exists()


def test_a_push_that_fails_does_not_change_where_the_copies_are(
    face_workspace: Path, tmp_path: Path
):
    good = str(tmp_path / "shelf")
    sync(face_workspace, SyncConfig(action="push", remote=good))
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(SyncError):
        sync(face_workspace, SyncConfig(action="push", remote=str(tmp_path / "file")))
    assert Workspace.open(face_workspace).settings.remote == good


def test_faces_of_a_sort_killed_midway_travel(face_workspace: Path, tmp_path: Path):
    workspace = Workspace.open(face_workspace)
    aligned = workspace.aligned_dir(Side.SRC)
    n_faces = len(list(aligned.glob("*.jpg")))
    killed_sort(aligned)

    remote = str(tmp_path / "shelf")
    sync(face_workspace, SyncConfig(action="push", remote=remote))
    sync(tmp_path / "other", SyncConfig(action="pull", remote=remote))

    arrived = Workspace.open(tmp_path / "other").aligned_dir(Side.SRC)
    assert len(list(arrived.glob("*.jpg"))) == n_faces


def test_half_written_checkpoints_do_not_travel(trained_workspace: Path, tmp_path: Path):
    workspace = Workspace.open(trained_workspace)
    (whole,) = workspace.model_dir("tiny").glob("ckpt-*")
    broken = whole.with_name("ckpt-000000099")
    shutil.copytree(whole, broken)
    (broken / "complete.json").unlink()

    keep = TravellingCheckpoints.of(workspace).keeps

    assert keep(f"model/tiny/{whole.name}/weights.safetensors")
    assert not keep(f"model/tiny/{broken.name}/weights.safetensors")
    assert keep("model/tiny/index.json")
    assert keep("model/old_SAEHD_inter.npy")


def test_the_remote_is_asked_for_once(face_workspace: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="--remote"):
        sync(face_workspace, SyncConfig(action="push"))

    sync(face_workspace, SyncConfig(action="push", remote=str(tmp_path / "shelf")))

    assert not sync(face_workspace, SyncConfig(action="push")).new_copy
    with pytest.raises(ConfigError, match="--generation NUMBER"):
        sync(face_workspace, SyncConfig(action="restore"))


@pytest.mark.parametrize(
    ("action", "options"),
    [("push", {"generation": "3"}), ("status", {"dry_run": True}), ("pull", {"keep_last": 5})],
)
def test_what_an_action_would_ignore_is_refused(tmp_path: Path, action, options: dict):
    with pytest.raises(ConfigError, match="leave it out"):
        sync(tmp_path, SyncConfig(action=action, **options))


def test_a_push_keeps_copies_by_the_policy(face_workspace: Path, tmp_path: Path):
    config = SyncConfig(
        action="push", remote=str(tmp_path / "shelf"), keep_last=2, keep_days=0, keep_best=False
    )
    for number in range(4):
        (face_workspace / "result.mp4").write_text(str(number))
        report = sync(face_workspace, config)

    assert "Removed older copies: 000002" in " ".join(report.notes)
    found = sync(face_workspace, SyncConfig(action="log")).generations
    assert [info.generation for info in found] == [4, 3]
    results = (tmp_path / "shelf" / "files").glob("result*.mp4")
    assert sorted(path.read_text() for path in results) == ["2", "3"]


@pytest.mark.parametrize("place", ["inside", "same"])
def test_a_remote_inside_the_workspace_is_refused(face_workspace: Path, place: str):
    remote = face_workspace / "copies" if place == "inside" else face_workspace

    with pytest.raises(WorkspaceError, match="lies inside the workspace"):
        sync(face_workspace, SyncConfig(action="push", remote=str(remote)))


def test_an_empty_remote_is_one_sentence(cli: CommandLine, tmp_path: Path):
    sentence = cli.refusal("sync", "pull", "-w", tmp_path / "w", "--remote", tmp_path / "empty")

    assert "holds no copy of a workspace yet" in sentence


def test_a_missing_workspace_is_one_sentence(cli: CommandLine, tmp_path: Path):
    sentence = cli.refusal("sync", "push", "-w", tmp_path / "w", "--remote", tmp_path / "shelf")

    assert "dflcolab init" in sentence
