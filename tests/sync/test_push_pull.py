"""Copies go out and come back byte for byte, whatever fails in between."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dflcolab.errors import (
    Interrupted,
    MissingDependencyError,
    StorageError,
    SyncError,
    UnsafeFileError,
)
from dflcolab.progress import Progress
from dflcolab.sync import pieces as pieces_module
from dflcolab.sync.generations import status, verify
from dflcolab.sync.manifest import to_json
from dflcolab.sync.proof import DRIVE_ID, Proof
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.workspace.workspace import Workspace
from tests.sync.conftest import FaultyFileSystem, files_of

MADE_AGAIN = "data_src/aligned_debug/00001.jpg"


def travelling(workspace: Workspace) -> dict[str, bytes]:
    return {path: data for path, data in files_of(workspace.root).items() if path != MADE_AGAIN}


def test_a_workspace_comes_back_byte_for_byte(workspace: Workspace, remote: Remote, tmp_path: Path):
    pushed = push(workspace, remote)
    pulled = pull(remote, tmp_path / "back")

    assert files_of(tmp_path / "back") == travelling(workspace)
    assert pushed.generation == pulled.generation == 1
    assert pulled.files == len(travelling(workspace))


def test_a_second_push_copies_nothing(workspace: Workspace, remote: Remote):
    push(workspace, remote)
    again = push(workspace, remote)

    assert not again.new_copy
    assert (again.parts_copied, again.generation) == (0, 1)


def test_only_what_changed_is_copied_and_nothing_is_ever_overwritten(
    workspace: Workspace, tmp_path: Path
):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    before = files_of(shelf)
    (workspace.root / "result.mp4").write_bytes(b"a better result")

    second = push(workspace, shelf)

    after = files_of(shelf)
    assert second.bytes_copied == len(b"a better result")
    assert {path: after[path] for path in before} == before
    assert after["gen-000002/result.mp4"] == b"a better result"
    assert after["gen-000001/result.mp4"] == before["gen-000001/result.mp4"]


def test_people_find_videos_results_and_previews_as_plain_files(
    workspace: Workspace, tmp_path: Path
):
    push(workspace, tmp_path / "shelf")

    folder = tmp_path / "shelf" / "gen-000001"
    for name in ("result.mp4", "data_src.mp4", "model/first/ckpt-000000010/preview.jpg"):
        assert (folder / name).read_bytes() == (workspace.root / name).read_bytes()


def test_thousands_of_faces_travel_as_few_files(workspace: Workspace, tmp_path: Path):
    for number in range(3000):
        (workspace.root / "data_src" / "aligned" / f"{number:05d}_1.jpg").write_bytes(b"x" * 20)

    push(workspace, tmp_path / "shelf")

    assert len(files_of(tmp_path / "shelf")) < 20


def test_packs_are_cut_into_shards(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf", shard_bytes=2000)
    pull(tmp_path / "shelf", tmp_path / "back")

    assert len(list((tmp_path / "shelf" / "objects").glob("*.tar"))) > 4
    assert files_of(tmp_path / "back") == travelling(workspace)


@pytest.mark.parametrize(
    ("names", "travels"),
    [
        (["00001.png", "00002.png"], False),
        (["00001.png", "photo.jpg"], True),
        (["2-00001.png"], True),
    ],
)
def test_frames_travel_unless_a_video_can_give_them_again(
    workspace: Workspace, tmp_path: Path, names: list[str], travels: bool
):
    for name in names:
        (workspace.root / "data_src" / name).write_bytes(b"picture")
    push(workspace, tmp_path / "shelf")
    pull(tmp_path / "shelf", tmp_path / "back")

    assert (tmp_path / "back" / "data_src" / names[0]).exists() == travels
    assert (tmp_path / "back" / "data_src" / "extract.jsonl").exists()


def test_a_dry_run_writes_nothing(workspace: Workspace, tmp_path: Path):
    report = push(workspace, tmp_path / "shelf", dry_run=True)

    assert report.bytes_copied > 600_000
    assert not (tmp_path / "shelf").exists()


def test_incomplete_checkpoints_stay_at_home(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf", keep=lambda path: "ckpt-000000010" not in path)
    pull(tmp_path / "shelf", tmp_path / "back")

    assert not (tmp_path / "back" / "model" / "first").exists()
    assert (tmp_path / "back" / "model" / "old_SAEHD_decoder_src.npy").exists()


def test_a_half_written_copy_is_skipped_with_a_note(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    (workspace.root / "result.mp4").write_bytes(b"newer")
    push(workspace, shelf)
    manifest = shelf / "gen-000002" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-40])
    (shelf / "gen-000003").mkdir()

    report = pull(shelf, tmp_path / "back")

    assert report.generation == 1
    assert [note[:10] for note in report.notes] == ["gen-000003", "gen-000002"]
    assert [info.complete for info in status(Remote.open(shelf)).generations] == [
        False,
        False,
        True,
    ]


def test_a_copy_with_a_lost_file_is_skipped(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    (workspace.root / "result.mp4").write_bytes(b"newer")
    push(workspace, shelf)
    (shelf / "gen-000002" / "result.mp4").unlink()

    assert pull(shelf, tmp_path / "back").generation == 1


def test_a_silently_changed_byte_is_found_and_the_copy_before_it_used(
    workspace: Workspace, tmp_path: Path
):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    (workspace.root / "result.mp4").write_bytes(b"newer")
    push(workspace, shelf)
    (shelf / "gen-000002" / "result.mp4").write_bytes(b"NEWER")

    assert verify(Remote.open(shelf)).damaged == ("gen-000002/result.mp4",)
    report = pull(shelf, tmp_path / "back")
    assert report.generation == 1
    assert "gen-000002 was skipped" in report.notes[0]
    assert (tmp_path / "back" / "result.mp4").stat().st_size == 100_000


def test_the_push_after_a_damage_makes_a_whole_copy(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    (shelf / "gen-000001" / "result.mp4").unlink()

    report = push(workspace, shelf)

    assert report.generation == 2
    assert pull(shelf, tmp_path / "back").generation == 2
    assert files_of(tmp_path / "back") == travelling(workspace)


def test_no_copy_at_all_is_one_sentence(tmp_path: Path):
    with pytest.raises(SyncError, match="does not hold a whole copy"):
        pull(tmp_path / "shelf", tmp_path / "back")


def test_a_named_copy_can_be_pulled(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    (workspace.root / "result.mp4").write_bytes(b"newer")
    push(workspace, shelf)

    pull(shelf, tmp_path / "back", generation=1)

    assert (tmp_path / "back" / "result.mp4").stat().st_size == 100_000
    with pytest.raises(SyncError, match="whole copy 7"):
        pull(shelf, tmp_path / "other", generation=7)


def test_pulling_over_changed_files_sets_them_aside(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")
    back = tmp_path / "back"
    pull(tmp_path / "shelf", back)
    (back / "result.mp4").write_bytes(b"my own")
    (back / "data_src" / "aligned" / "00001_0.jpg").write_bytes(b"my face")
    (back / "data_src" / "aligned" / "new.jpg").write_bytes(b"new face")

    report = pull(tmp_path / "shelf", back)

    aside = back / "history" / "replaced" / "gen-000001"
    assert (aside / "result.mp4").read_bytes() == b"my own"
    assert (aside / "data_src" / "aligned" / "00001_0.jpg").read_bytes() == b"my face"
    assert (aside / "data_src" / "aligned" / "new.jpg").read_bytes() == b"new face"
    assert (report.files, len(report.set_aside)) == (2, 3)
    mine = {path: data for path, data in files_of(back).items() if "replaced" not in path}
    assert mine == travelling(workspace)


def test_pulling_loose_faces_sets_a_hiding_pack_aside(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")
    pak = tmp_path / "back" / "data_src" / "aligned" / "faceset.pak"
    pak.parent.mkdir(parents=True)
    pak.write_bytes(b"another faceset")

    report = pull(tmp_path / "shelf", tmp_path / "back")

    assert not pak.exists()
    assert report.set_aside == ("history/replaced/gen-000001/data_src/aligned/faceset.pak",)


def test_people_in_folders_travel_and_do_not_mix(workspace: Workspace, tmp_path: Path):
    aligned = workspace.root / "data_src" / "aligned"
    for number, path in enumerate(sorted(aligned.glob("*.jpg"))):
        person = aligned / ("anna" if number % 2 else "bert")
        person.mkdir(exist_ok=True)
        path.rename(person / path.name)
    before = {path.relative_to(aligned): path.read_bytes() for path in aligned.rglob("*.jpg")}
    push(workspace, tmp_path / "shelf")
    target = tmp_path / "elsewhere"
    strangers = [
        target / "data_src" / "aligned" / name for name in ("x.jpg", "anna/y.jpg", "carol/z.jpg")
    ]
    for path in strangers:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"another")

    report = pull(tmp_path / "shelf", target)

    found = {
        path.relative_to(target / "data_src" / "aligned"): path.read_bytes()
        for path in (target / "data_src" / "aligned").rglob("*.jpg")
    }
    assert found == before
    assert len(report.set_aside) == 3


# ---- failures of the mount ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EIO, "offline"),
        (errno.ENOTCONN, "offline"),
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EACCES, "does not allow"),
        (errno.ELOOP, "failed while"),
    ],
)
def test_every_operation_may_fail_and_the_next_push_heals_it(
    workspace: Workspace,
    faulty: tuple[Remote, FaultyFileSystem],
    tmp_path: Path,
    number: int,
    sentence: str,
):
    remote, filesystem = faulty
    before = files_of(workspace.root)
    filesystem.error = number
    sentences: list[str] = []
    # Fail at the 1st, 2nd, 4th, 7th … operation, until one push gets through.
    for step in range(200):
        filesystem.left = step * (step + 1) // 2
        try:
            push(workspace, remote)
        except SyncError as error:
            sentences.append(str(error))
        else:
            break

    filesystem.left = None
    assert len(sentences) > 10
    assert all(sentence in text and "\n" not in text for text in sentences)
    assert files_of(workspace.root) == before
    pull(remote, tmp_path / "back")
    assert files_of(tmp_path / "back") == travelling(workspace)


def test_a_pull_may_fail_at_every_operation_and_goes_on(
    workspace: Workspace, faulty: tuple[Remote, FaultyFileSystem], tmp_path: Path
):
    remote, filesystem = faulty
    push(workspace, remote)
    back = tmp_path / "back"
    sentences: list[str] = []
    for step in range(200):
        filesystem.left = step * (step + 1) // 2
        try:
            pull(remote, back)
        except SyncError as error:
            sentences.append(str(error))
        else:
            break
    filesystem.left = None

    assert len(sentences) > 5
    assert all("offline" in text for text in sentences)
    assert files_of(back) == travelling(workspace)


def test_a_drive_that_alters_what_it_takes_is_caught(
    workspace: Workspace, faulty: tuple[Remote, FaultyFileSystem], tmp_path: Path
):
    remote, filesystem = faulty
    filesystem.corrupt = True

    with pytest.raises(SyncError, match="differs from what was written"):
        push(workspace, remote)

    filesystem.corrupt = False
    push(workspace, remote)
    pull(remote, tmp_path / "back")
    assert files_of(tmp_path / "back") == travelling(workspace)


def test_a_full_disk_here_is_told_before_anything_is_fetched(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    push(workspace, tmp_path / "shelf")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))

    with pytest.raises(StorageError, match="free some space and pull again"):
        pull(tmp_path / "shelf", tmp_path / "back")
    (workspace.root / "result.mp4").write_bytes(os.urandom(5000))
    with pytest.raises(SyncError, match="empty its bin"):
        push(workspace, tmp_path / "shelf")


# ---- kills and changes while copying -----------------------------------------------------------


_PUSHER = """
import sys
from pathlib import Path
from dflcolab.sync.push import push
from dflcolab.workspace.workspace import Workspace
workspace = Workspace.open(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(1000):
    (workspace.root / "result.mp4").write_bytes(b"%d" % number * 200_000)
    push(workspace, sys.argv[2])
"""


@pytest.mark.parametrize("attempt", range(5))
def test_sigkill_during_push_leaves_only_whole_copies_or_skipped_ones(
    workspace: Workspace, tmp_path: Path, attempt: int
):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    process = subprocess.Popen(
        [sys.executable, "-c", _PUSHER, str(workspace.root), str(shelf)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.02 + 0.029 * attempt)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    for info in status(Remote.open(shelf)).generations:
        if info.complete:
            assert not verify(Remote.open(shelf), generation=info.generation).damaged
    pull(shelf, tmp_path / "before")
    push(workspace, shelf)
    pull(shelf, tmp_path / "after")
    assert files_of(tmp_path / "after") == travelling(workspace)


def test_what_a_killed_push_left_whole_is_used(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    objects = files_of(shelf / "objects")
    shutil.rmtree(shelf / "gen-000001")

    push(workspace, shelf)

    assert files_of(shelf / "objects") == objects


def test_a_cut_object_of_a_killed_push_is_left_and_written_anew(
    workspace: Workspace, tmp_path: Path
):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    shutil.rmtree(shelf / "gen-000001")
    victim = max((shelf / "objects").iterdir(), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-1])

    push(workspace, shelf)
    pull(shelf, tmp_path / "back")

    assert files_of(tmp_path / "back") == travelling(workspace)
    assert victim.exists()


def test_a_file_that_changes_while_it_is_read_is_planned_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target = workspace.root / "result.mp4"
    original = pieces_module.Piece.sha256
    changes = iter([b"changed meanwhile"])

    def sha256(self, **kwargs):
        digest = original(self, **kwargs)
        if self.path == "result.mp4":
            for data in changes:
                target.write_bytes(data)
        return digest

    monkeypatch.setattr(pieces_module.Piece, "sha256", sha256)
    push(workspace, tmp_path / "shelf")
    pull(tmp_path / "shelf", tmp_path / "back")

    assert (tmp_path / "back" / "result.mp4").read_bytes() == b"changed meanwhile"


def test_a_log_that_grows_while_it_is_copied_goes_as_far_as_it_was(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log = workspace.root / "history" / "run" / "losses.f32"
    original = pieces_module.Piece.chunks

    def chunks(self):
        with log.open("ab") as stream:
            stream.write(b"more")
        yield from original(self)

    monkeypatch.setattr(pieces_module.Piece, "chunks", chunks)
    report = push(workspace, tmp_path / "shelf")
    pull(tmp_path / "shelf", tmp_path / "back")

    assert report.generation == 1
    assert (tmp_path / "back" / "history" / "run" / "losses.f32").read_bytes() == b"1234"


def test_the_wish_to_stop_a_training_does_not_travel(workspace: Workspace, tmp_path: Path):
    (workspace.root / "STOP").write_text("")

    push(workspace, tmp_path / "shelf")
    pull(tmp_path / "shelf", tmp_path / "back")

    assert not (tmp_path / "back" / "STOP").exists()


def test_a_file_that_never_rests_is_one_sentence(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    original = pieces_module.Piece.sha256

    def sha256(self, **kwargs):
        digest = original(self, **kwargs)
        if self.path == "result.mp4":
            self.files[0].path.write_bytes(os.urandom(100))
        return digest

    monkeypatch.setattr(pieces_module.Piece, "sha256", sha256)

    with pytest.raises(SyncError, match="keeps changing"):
        push(workspace, tmp_path / "shelf")


def test_a_stop_request_ends_both_ways_safely(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")
    progress = Progress()
    progress.request_stop()

    with pytest.raises(Interrupted):
        push(workspace, tmp_path / "shelf", progress)
    with pytest.raises(Interrupted):
        pull(tmp_path / "shelf", tmp_path / "back", progress)
    pull(tmp_path / "shelf", tmp_path / "back")
    assert files_of(tmp_path / "back") == travelling(workspace)


# ---- trust and addresses ---------------------------------------------------------------------


def test_a_link_out_of_the_workspace_is_not_followed(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "model").symlink_to(outside)

    with pytest.raises(UnsafeFileError, match="leads out of the workspace"):
        pull(tmp_path / "shelf", tmp_path / "back")
    assert not list(outside.iterdir())


def test_a_manifest_of_another_number_is_not_believed(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    remote = Remote.open(shelf)
    manifest = remote.read_manifest(1)
    (shelf / "gen-000009").mkdir()
    (shelf / "gen-000009" / "manifest.json").write_bytes(to_json(manifest))

    assert pull(shelf, tmp_path / "back").generation == 1


def test_a_manifest_is_plain_json(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")

    read = json.loads((tmp_path / "shelf" / "gen-000001" / "manifest.json").read_text())
    assert read["format"] == "dflcolab generation"
    assert {entry["kind"] for entry in read["entries"]} == {"file", "pack"}


def test_an_unknown_address_is_one_sentence():
    with pytest.raises((SyncError, MissingDependencyError), match="nosuch"):
        Remote.open("nosuch://place")


# ---- proof -----------------------------------------------------------------------------------


def test_a_folder_proves_that_it_was_read_back(workspace: Workspace, tmp_path: Path):
    assert push(workspace, tmp_path / "shelf").proof is Proof.READ_BACK


def test_an_object_store_confirms(workspace: Workspace):
    from fsspec.implementations.memory import MemoryFileSystem

    MemoryFileSystem.store.clear()
    assert push(workspace, "memory://proof").proof is Proof.CONFIRMED


@pytest.mark.parametrize(
    ("marks", "proof"),
    [
        (["local-1", "local-2"], Proof.HANDED_TO_DRIVE),
        (["1abc", "local-2"], Proof.HANDED_TO_DRIVE),
        (["1abc", "2def"], Proof.UPLOADED),
    ],
)
def test_drive_is_believed_only_what_its_marks_say(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marks, proof
):
    def getxattr(path: Path, name: str) -> bytes:
        assert name == DRIVE_ID
        return marks[hash(Path(path).name) % 2 if Path(path).suffix else 0].encode()

    monkeypatch.setattr(os, "getxattr", getxattr, raising=False)
    report = push(workspace, tmp_path / "shelf")

    assert report.proof in (proof, Proof.HANDED_TO_DRIVE)
    if len({mark[:5] == "local" for mark in marks}) == 1:
        assert report.proof is proof


@pytest.mark.parametrize(
    "path",
    ["what? now.txt", "dot.", "data_src/aligned/shot: 1_0.jpg", "model/first/a|b.npy",
     "history/run/back\\slash.json", os.fsdecode(b"latin-\xe9.txt")],
)  # fmt: skip
def test_a_name_that_no_pull_would_take_is_refused_before_anything_is_copied(
    workspace: Workspace, tmp_path: Path, path: str
):
    (workspace.root / path).write_bytes(b"x")

    with pytest.raises(SyncError, match="rename it") as refused:
        push(workspace, tmp_path / "shelf")

    str(refused.value).encode()  # can be shown on any terminal
    assert not (tmp_path / "shelf").exists()
