"""Copies go out and come back byte for byte, whatever fails in between."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
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
from dflcolab.sync import streams, writing
from dflcolab.sync import travelling as travelling_module
from dflcolab.sync.generations import list_generations, stored_path
from dflcolab.sync.manifest import GenerationName
from dflcolab.sync.overview import log
from dflcolab.sync.proof import DRIVE_ID, Proof
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.sync.verify import verify
from dflcolab.workspace.placing import HIDDEN
from dflcolab.workspace.workspace import Workspace
from tests.sync.conftest import FaultyFileSystem, files_of

MADE_AGAIN = "data_src/aligned_debug/00001.jpg"


def travelling(workspace: Workspace) -> dict[str, bytes]:
    return {path: data for path, data in files_of(workspace.root).items() if path != MADE_AGAIN}


def remote_files(shelf: Path) -> dict[str, bytes]:
    """What is on a remote folder, but for leases."""
    return {path: data for path, data in files_of(shelf).items() if not path.startswith("leases/")}


def manifest_path(shelf: Path, number: int) -> Path:
    (name,) = (n for n in list_generations(Remote.open(shelf)) if n.number == number)
    return shelf / stored_path(name)


def two_generations(workspace: Workspace, shelf: Path) -> None:
    """The second one has another result."""
    push(workspace, shelf)
    (workspace.root / "result.mp4").write_bytes(b"newer")
    push(workspace, shelf)


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
    assert (again.objects_copied, again.bytes_copied, again.generation) == (0, 0, 1)


def test_only_what_changed_is_copied_and_nothing_is_ever_overwritten(
    workspace: Workspace, tmp_path: Path
):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    before = remote_files(shelf)
    (workspace.root / "result.mp4").write_bytes(b"a better result")

    second = push(workspace, shelf)

    after = remote_files(shelf)
    assert second.bytes_copied == len(b"a better result")
    assert {path: after[path] for path in before} == before
    assert after["files/result.mp4"] == before["files/result.mp4"]
    assert after["files/result.000002.mp4"] == b"a better result"


def test_a_changed_face_costs_one_small_pack_and_a_renamed_one_nothing(
    workspace: Workspace, tmp_path: Path
):
    push(workspace, tmp_path / "shelf")
    aligned = workspace.root / "data_src" / "aligned"
    (aligned / "00001_0.jpg").write_bytes(b"another face" * 10)
    (aligned / "00002_0.jpg").rename(aligned / "00099_0.jpg")

    report = push(workspace, tmp_path / "shelf")

    assert (report.files_copied, report.objects_copied) == (1, 1)
    assert report.bytes_copied < 3000  # 120 bytes in a tar file of three blocks and its end
    pull(tmp_path / "shelf", tmp_path / "back")
    assert files_of(tmp_path / "back") == travelling(workspace)


def test_people_find_videos_results_and_previews_as_plain_files(
    workspace: Workspace, tmp_path: Path
):
    push(workspace, tmp_path / "shelf")

    folder = tmp_path / "shelf" / "files"
    for name, stored in (
        ("result.mp4", "result.mp4"),
        ("data_src.mp4", "data_src.mp4"),
        ("model/first/ckpt-000000010/preview.jpg", "previews/first 10.jpg"),
    ):
        assert (folder / stored).read_bytes() == (workspace.root / name).read_bytes()


def test_a_pack_is_a_tar_file_that_anybody_can_open(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")

    (pack,) = (tmp_path / "shelf" / "packs").iterdir()
    assert pack.stem == hashlib.sha256(pack.read_bytes()).hexdigest()
    with tarfile.open(pack) as tar:
        tar.extractall(tmp_path / "by_hand", filter="data")
    assert files_of(tmp_path / "by_hand").items() <= travelling(workspace).items()
    assert (tmp_path / "by_hand" / "data_src" / "aligned" / "00001_0.jpg").exists()


def test_thousands_of_faces_travel_as_few_objects(workspace: Workspace, tmp_path: Path):
    for number in range(3000):
        face = workspace.root / "data_src" / "aligned" / f"{number:05d}_1.jpg"
        face.write_bytes(b"face %d" % number)

    push(workspace, tmp_path / "shelf")

    assert len(remote_files(tmp_path / "shelf")) < 10


def test_packs_and_large_files_are_cut_into_pieces(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf", pack_bytes=20_000)
    pull(tmp_path / "shelf", tmp_path / "back")

    # The weights' 50,000 bytes are three pieces.
    assert len(list((tmp_path / "shelf" / "objects").glob("*.safetensors"))) == 3
    assert files_of(tmp_path / "back") == travelling(workspace)


def test_packs_that_are_mostly_unused_are_copied_anew(workspace: Workspace, tmp_path: Path):
    aligned = workspace.root / "data_src" / "aligned"
    push(workspace, tmp_path / "shelf")
    (workspace.root / "model" / "first" / "ckpt-000000010" / "weights.safetensors").unlink()

    report = push(workspace, tmp_path / "shelf")

    assert report.files_copied >= len(list(aligned.iterdir()))  # though none of them changed
    manifest = json.loads(manifest_path(tmp_path / "shelf", 2).read_text())
    used = {row["path"] for row in manifest["objects"] if row["path"].startswith("packs/")}
    first = json.loads(manifest_path(tmp_path / "shelf", 1).read_text())
    assert used.isdisjoint(row["path"] for row in first["objects"])


def test_many_small_pushes_do_not_leave_many_packs(workspace: Workspace, tmp_path: Path):
    log_file = workspace.root / "history" / "run"
    for number in range(streams.MANY_PACKS + 5):
        (log_file / f"{number}.json").write_text(str(number))
        push(workspace, tmp_path / "shelf")

    manifest = json.loads(manifest_path(tmp_path / "shelf", streams.MANY_PACKS + 5).read_text())
    packs = [row for row in manifest["objects"] if row["path"].startswith("packs/")]
    assert len(packs) <= streams.MANY_PACKS
    pull(tmp_path / "shelf", tmp_path / "back")
    assert files_of(tmp_path / "back") == travelling(workspace)


def test_unchanged_files_are_not_read_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for path in workspace.root.rglob("*"):
        os.utime(path, (1e9, 1e9))
    push(workspace, tmp_path / "shelf")
    monkeypatch.setattr(travelling_module.LocalFile, "chunks", lambda *_, **__: pytest.fail("read"))

    assert not push(workspace, tmp_path / "shelf").new_copy


def test_times_of_files_come_back(workspace: Workspace, tmp_path: Path):
    os.utime(workspace.root / "result.mp4", (1e9, 1e9))
    push(workspace, tmp_path / "shelf")
    pull(tmp_path / "shelf", tmp_path / "back")

    assert (tmp_path / "back" / "result.mp4").stat().st_mtime == 1e9


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
    rows = {row.what: row for row in report.table}
    assert rows["data_src/aligned"].new_files == 30
    assert "data_src/aligned" in report.summary()

    push(workspace, tmp_path / "shelf")
    pulled = pull(tmp_path / "shelf", tmp_path / "back", dry_run=True)
    assert pulled.files == len(travelling(workspace))
    assert not (tmp_path / "back").exists()


def test_incomplete_checkpoints_stay_at_home(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf", keep=lambda path: "ckpt-000000010" not in path)
    pull(tmp_path / "shelf", tmp_path / "back")

    assert not (tmp_path / "back" / "model" / "first").exists()
    assert (tmp_path / "back" / "model" / "old_SAEHD_decoder_src.npy").exists()


def test_a_half_written_copy_is_skipped_with_a_note(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    two_generations(workspace, shelf)
    manifest = manifest_path(shelf, 2)
    manifest.write_bytes(manifest.read_bytes()[:-40])
    (shelf / stored_path(GenerationName(9, 3, "abcd0123"))).write_bytes(b"")

    report = pull(shelf, tmp_path / "back")

    assert report.generation == 1
    assert [note[:6] for note in report.notes] == ["000003", "000002"]
    assert [info.complete for info in log(Remote.open(shelf)).generations] == [False, False, True]


def test_a_copy_with_a_lost_file_is_skipped(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    two_generations(workspace, shelf)
    (shelf / "files" / "result.000002.mp4").unlink()

    assert pull(shelf, tmp_path / "back").generation == 1


def test_a_silently_changed_byte_is_found_and_the_copy_before_it_used(
    workspace: Workspace, tmp_path: Path
):
    shelf = tmp_path / "shelf"
    two_generations(workspace, shelf)
    (shelf / "files" / "result.000002.mp4").write_bytes(b"NEWER")

    found = verify(Remote.open(shelf))
    assert found.damaged == ("files/result.000002.mp4",)
    every = verify(Remote.open(shelf), every=True)
    assert [name[:6] for name in every.damaged_generations] == ["000002"]
    assert not verify(Remote.open(shelf), generation=1).damaged
    report = pull(shelf, tmp_path / "back")
    assert report.generation == 1
    assert "000002" in report.notes[0]
    assert "was skipped" in report.notes[0]
    assert (tmp_path / "back" / "result.mp4").stat().st_size == 100_000


def test_a_changed_byte_inside_of_a_pack_is_found(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    (pack,) = (shelf / "packs").iterdir()
    data = bytearray(pack.read_bytes())
    data[data.index(b"face 7")] ^= 1
    pack.write_bytes(data)

    assert len(verify(Remote.open(shelf)).damaged) == 1
    with pytest.raises(SyncError, match="no whole copy"):
        pull(shelf, tmp_path / "back")
    assert not files_of(tmp_path / "back")


def test_the_push_after_a_damage_makes_a_whole_copy(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    (shelf / "files" / "result.mp4").unlink()

    report = push(workspace, shelf)

    assert report.generation == 2
    assert pull(shelf, tmp_path / "back").generation == 2
    assert files_of(tmp_path / "back") == travelling(workspace)


def test_no_copy_at_all_is_one_sentence(tmp_path: Path):
    with pytest.raises(SyncError, match="holds no copy of a workspace yet"):
        pull(tmp_path / "shelf", tmp_path / "back")


def test_copies_of_the_test_version_are_refused(workspace: Workspace, tmp_path: Path):
    (tmp_path / "shelf" / "gen-000001").mkdir(parents=True)

    for step in (lambda: push(workspace, tmp_path / "shelf"),
                 lambda: pull(tmp_path / "shelf", tmp_path / "back")):  # fmt: skip
        with pytest.raises(SyncError, match="test version"):
            step()


def test_a_named_copy_can_be_pulled(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    two_generations(workspace, shelf)

    first = pull(shelf, tmp_path / "back", generation=1)

    assert (tmp_path / "back" / "result.mp4").stat().st_size == 100_000
    assert pull(shelf, tmp_path / "other", generation=first.name).generation == 1
    with pytest.raises(SyncError, match="holds no copy 7"):
        pull(shelf, tmp_path / "other", generation=7)


def test_a_pull_fetches_only_what_is_not_here(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    pull(shelf, tmp_path / "back")
    (workspace.root / "data_src" / "aligned" / "00001_0.jpg").write_bytes(b"another")
    push(workspace, shelf)

    report = pull(shelf, tmp_path / "back")

    assert (report.files, report.bytes_read) == (1, len(b"another"))
    assert pull(shelf, tmp_path / "back").files == 0


def test_pulling_over_changed_files_sets_them_aside(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")
    back = tmp_path / "back"
    pull(tmp_path / "shelf", back)
    (back / "result.mp4").write_bytes(b"my own")
    (back / "data_src" / "aligned" / "00001_0.jpg").write_bytes(b"my face")
    (back / "data_src" / "aligned" / "new.jpg").write_bytes(b"new face")

    report = pull(tmp_path / "shelf", back)

    aside = back / "history" / "replaced" / pull(tmp_path / "shelf", tmp_path / "new").name
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
    assert report.set_aside == (f"history/replaced/{report.name}/data_src/aligned/faceset.pak",)


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

    with pytest.raises(StorageError, match="free some space and run again"):
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


@pytest.mark.parametrize("attempt", range(3))
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
    time.sleep(0.02 + 0.047 * attempt)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    remote = Remote.open(shelf)
    for info in log(remote).generations:
        if info.complete:
            assert not verify(remote, generation=info.name).damaged
    pull(shelf, tmp_path / "before")
    push(workspace, shelf)
    pull(shelf, tmp_path / "after")
    assert files_of(tmp_path / "after") == travelling(workspace)


def test_what_a_killed_push_left_whole_is_used(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    shutil.rmtree(workspace.root / HIDDEN)  # another machine does not know what was written
    objects = remote_files(shelf)
    manifest_path(shelf, 1).unlink()

    push(workspace, shelf)

    assert remote_files(shelf).keys() - objects.keys() <= {
        path for path in remote_files(shelf) if path.startswith("generations/")
    }


def test_a_push_goes_on_where_it_was_cut_off_though_files_changed(
    workspace: Workspace, faulty: tuple[Remote, FaultyFileSystem]
):
    remote, filesystem = faulty
    for number in range(30):  # packs of about three faces
        (workspace.root / "data_dst" / "aligned" / f"{number}.jpg").write_bytes(os.urandom(3000))
    filesystem.left = 220  # a slow machine renews its claim meanwhile, which counts
    with pytest.raises(SyncError):
        push(workspace, remote, pack_bytes=10_000)
    filesystem.left = None
    written = {path for path in files_of(Path(remote.root)) if path.startswith("packs/")}
    noted = workspace.root / HIDDEN / "uploads.jsonl"
    noted.write_bytes(b'\xff\xfe\n[]\n{"remote": 1}\n' + noted.read_bytes())  # a bad disk
    (workspace.root / "data_dst" / "aligned" / "0.jpg").unlink()  # all packs are cut otherwise now
    (workspace.root / "data_dst" / "aligned" / "00.jpg").write_bytes(os.urandom(3000))

    push(workspace, remote, pack_bytes=10_000)

    manifest = json.loads(manifest_path(Path(remote.root), 1).read_text())
    assert len(written & {row["path"] for row in manifest["objects"]}) >= len(written) - 2 > 0


def test_a_cut_object_of_a_killed_push_is_left_and_written_anew(
    workspace: Workspace, tmp_path: Path
):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    shutil.rmtree(workspace.root / HIDDEN)
    manifest_path(shelf, 1).unlink()
    (victim,) = (shelf / "packs").iterdir()
    victim.write_bytes(victim.read_bytes()[:-1])

    push(workspace, shelf)
    pull(shelf, tmp_path / "back")

    assert files_of(tmp_path / "back") == travelling(workspace)
    assert victim.exists()


def changing_while_read(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[travelling_module.LocalFile], object]
) -> None:
    """Call `change` with every file after its first byte was read."""
    original = travelling_module.LocalFile.chunks

    def chunks(self, **where):
        for piece in original(self, **where):
            change(self)
            yield piece

    monkeypatch.setattr(travelling_module.LocalFile, "chunks", chunks)


def test_a_file_that_changes_while_it_is_read_is_planned_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    changes = {"result.mp4": b"changed meanwhile", "model/first/ckpt-000000010/preview.jpg": b"p2",
               "data_src/aligned/00003_0.jpg": b"another face"}  # fmt: skip

    def change(file: travelling_module.LocalFile) -> None:
        if file.path in changes:
            file.place.write_bytes(changes.pop(file.path))

    changing_while_read(monkeypatch, change)
    push(workspace, tmp_path / "shelf")
    pull(tmp_path / "shelf", tmp_path / "back")

    assert not changes
    assert (tmp_path / "back" / "result.mp4").read_bytes() == b"changed meanwhile"
    assert files_of(tmp_path / "back") == travelling(workspace)


def test_a_log_that_grows_while_it_is_copied_goes_as_far_as_it_was(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log_file = workspace.root / "history" / "run" / "losses.f32"

    def grow(file: travelling_module.LocalFile) -> None:
        with log_file.open("ab") as stream:
            stream.write(b"more")

    changing_while_read(monkeypatch, grow)
    report = push(workspace, tmp_path / "shelf")
    pull(tmp_path / "shelf", tmp_path / "back")

    assert report.generation == 1
    assert (tmp_path / "back" / "history" / "run" / "losses.f32").read_bytes() == b"1234"


def test_a_file_that_never_rests_is_one_sentence(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def change(file: travelling_module.LocalFile) -> None:
        if file.path == "result.mp4":
            file.place.write_bytes(os.urandom(100))

    changing_while_read(monkeypatch, change)

    with pytest.raises(SyncError, match="keeps changing"):
        push(workspace, tmp_path / "shelf")


def test_the_wish_to_stop_a_training_does_not_travel(workspace: Workspace, tmp_path: Path):
    (workspace.root / "STOP").write_text("")

    push(workspace, tmp_path / "shelf")
    pull(tmp_path / "shelf", tmp_path / "back")

    assert not (tmp_path / "back" / "STOP").exists()


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


def test_a_file_where_a_folder_is_needed_goes_aside(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "model").write_bytes(b"no folder")
    (tmp_path / "back" / "result.mp4").mkdir()

    report = pull(tmp_path / "shelf", tmp_path / "back")

    assert len(report.set_aside) == 2
    found = files_of(tmp_path / "back")
    assert found.pop(f"history/replaced/{report.name}/model") == b"no folder"
    assert found == travelling(workspace)


def test_a_manifest_of_another_number_is_not_believed(workspace: Workspace, tmp_path: Path):
    shelf = tmp_path / "shelf"
    push(workspace, shelf)
    other = GenerationName(1, 9, "abcd0123")
    (shelf / stored_path(other)).write_bytes(manifest_path(shelf, 1).read_bytes())

    assert pull(shelf, tmp_path / "back").generation == 1


def test_a_manifest_is_plain_json(workspace: Workspace, tmp_path: Path):
    push(workspace, tmp_path / "shelf")

    read = json.loads(manifest_path(tmp_path / "shelf", 1).read_text())
    assert read["format"] == "dflcolab generation"
    assert {row["path"] for row in read["files"]} == travelling(workspace).keys()


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
        return marks[Path(path).suffix == ".json"].encode()

    monkeypatch.setattr(os, "getxattr", getxattr, raising=False)
    monkeypatch.setattr(writing, "SETTLE_S", 0.0)  # what a Drive takes to show files
    report = push(workspace, tmp_path / "shelf")

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
