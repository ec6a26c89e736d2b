"""Copies on a Drive or in the cloud on a bad day: offline, full, refused, damaged, and two machines."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from dflcolab.errors import DFLColabError
from dflcolab.pipeline.sync import sync
from dflcolab.sync import generations, overview
from dflcolab.sync import push as push_module
from dflcolab.sync.config import SyncConfig
from dflcolab.sync.generations import (
    first_missing,
    list_generations,
    read_manifest,
    stored_path,
    write_manifest,
)
from dflcolab.sync.manifest import GenerationName, Stored, from_json
from dflcolab.sync.memory import Memory
from dflcolab.sync.overview import status
from dflcolab.sync.pull import pull
from dflcolab.sync.push import push
from dflcolab.sync.remote import Remote
from dflcolab.sync.streams import Stream
from dflcolab.sync.verify import verify
from dflcolab.workspace.workspace import Workspace
from tests.sync.conftest import FaultyFileSystem, faulty, workspace  # noqa: F401
from tests.sync.test_lease import MINUTE, Machine, cloud, laptop  # noqa: F401
from tests.sync.test_push_pull import changing_while_read, manifest_path, two_generations
from tests.sync.test_two_writers import other, result, shelf  # noqa: F401
from tests.troubleshooting.said import said

# ruff: noqa: F811 - fixtures of the tests of sync are used here

bad_day = pytest.mark.bad_day


def refused(step: Callable[[], object]) -> None:
    with pytest.raises(DFLColabError):
        step()


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(errno.ENOTCONN, marks=bad_day("remote-offline")),
        pytest.param(errno.EIO, marks=bad_day("remote-offline")),
        pytest.param(errno.ENOSPC, marks=bad_day("remote-full")),
        pytest.param(errno.EDQUOT, marks=bad_day("remote-full")),
        pytest.param(errno.EROFS, marks=bad_day("remote-not-allowed")),
        pytest.param(errno.EINVAL, marks=bad_day("remote-failed")),
    ],
    ids=errno.errorcode.get,
)
def test_a_mount_that_fails(
    workspace: Workspace, faulty: tuple[Remote, FaultyFileSystem], error: int
):
    remote, filesystem = faulty
    filesystem.error, filesystem.left = error, 0
    refused(lambda: push(workspace, remote))


@bad_day("remote-failed-otherwise")
def test_a_service_that_fails_in_its_own_words(workspace: Workspace):
    class Service(MemoryFileSystem):
        cachable = False

        def ls(self, path: str, detail: bool = True, **options: Any):
            raise RuntimeError("the bucket is being moved")

    refused(lambda: push(workspace, Remote(Service(), "/shelf", "gs://shelf")))


@bad_day("remote-library")
def test_a_bucket_without_its_library(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    refused(lambda: Remote.open("gs://bucket/folder"))


@bad_day("remote-address")
def test_an_address_that_is_none():
    refused(lambda: Remote.open("nosuch://place"))


@bad_day("remote-is-file")
@pytest.mark.parametrize("below", ["", "copies/of/mine"])
def test_an_address_of_a_file(workspace: Workspace, tmp_path: Path, below: str):
    file = tmp_path / "film.mp4"
    file.write_bytes(b"a film")
    refused(lambda: sync(workspace.root, SyncConfig(action="push", remote=str(file / below))))


@bad_day("remote-inside")
def test_copies_in_the_workspace_itself(workspace: Workspace):
    remote = str(workspace.root / "copies")
    refused(lambda: sync(workspace.root, SyncConfig(action="push", remote=remote)))


@bad_day("remote-differs")
def test_a_drive_that_alters_what_it_takes(
    workspace: Workspace, faulty: tuple[Remote, FaultyFileSystem]
):
    remote, filesystem = faulty
    filesystem.corrupt = True
    refused(lambda: push(workspace, remote))


@bad_day("remote-exists")
def test_another_machine_took_the_name(tmp_path: Path):
    remote = Remote.open(tmp_path)
    stored = Stored("objects/a", 1, hashlib.sha256(b"a").hexdigest())
    remote.write_new(stored, [b"a"])
    refused(lambda: remote.write_new(stored, [b"a"]))


@bad_day("push-no-room", "push-little-room")
def test_a_drive_without_room(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(push_module, "_ROOM_BYTES", 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    for note in push(workspace, tmp_path / "shelf", dry_run=True).notes:
        said(note)
    refused(lambda: push(workspace, tmp_path / "shelf"))


@bad_day("no-room")
def test_a_machine_without_room(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    push(workspace, tmp_path / "shelf")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    refused(lambda: pull(tmp_path / "shelf", tmp_path / "back"))


@bad_day("source-changes")
def test_a_file_that_never_rests(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def change(file: Any) -> None:
        if file.path == "result.mp4":
            file.place.write_bytes(os.urandom(100))

    changing_while_read(monkeypatch, change)
    refused(lambda: push(workspace, tmp_path / "shelf"))


@bad_day("name-unsafe")
def test_a_name_for_some_systems_only(workspace: Workspace, tmp_path: Path):
    (workspace.root / "what? now.txt").write_bytes(b"x")
    refused(lambda: push(workspace, tmp_path / "shelf"))


@bad_day("copy-program-running")
def test_two_programs_on_one_workspace(workspace: Workspace, shelf: Path):
    with Memory(workspace.root).alone():
        refused(lambda: push(workspace, shelf))


@bad_day("remote-no-copy")
def test_a_remote_without_a_copy(tmp_path: Path):
    refused(lambda: pull(tmp_path / "shelf", tmp_path / "back"))


@bad_day("remote-no-such-copy")
def test_a_number_that_no_copy_has(workspace: Workspace, shelf: Path, tmp_path: Path):
    push(workspace, shelf)
    refused(lambda: pull(shelf, tmp_path / "back", generation=7))


@bad_day("remote-old-test")
def test_copies_of_a_test_version(workspace: Workspace, shelf: Path):
    (shelf / "gen-000001").mkdir(parents=True)
    refused(lambda: push(workspace, shelf))


@bad_day("remote-too-many-broken")
def test_a_drive_that_cuts_every_file_of_a_name(
    workspace: Workspace, shelf: Path, monkeypatch: pytest.MonkeyPatch
):
    names = Stream.names

    def cut_names(stream: Stream, digest: str, number: int) -> list[str]:
        found = list(names(stream, digest, number))
        for name in found:
            (shelf / name).parent.mkdir(parents=True, exist_ok=True)
            (shelf / name).write_bytes(b"cut")
        return found

    monkeypatch.setattr(Stream, "names", cut_names)
    refused(lambda: push(workspace, shelf))


@bad_day("remote-slow")
def test_a_remote_of_many_files(workspace: Workspace, shelf: Path, monkeypatch: pytest.MonkeyPatch):
    push(workspace, shelf)
    monkeypatch.setattr(overview, "MANY_ENTRIES", 1)
    for line in status(Remote.open(shelf)).notes:
        said(line)


# ---- two machines ------------------------------------------------------------------------------


@bad_day("lease-held", "lease-taken-over")
def test_another_machine_writes_and_dies(tmp_path: Path, laptop: Machine, cloud: Machine):
    remote, seen = Remote.open(tmp_path), tmp_path / "seen.json"
    laptop.acquire(remote)
    refused(lambda: cloud.acquire(remote, sightings=seen))
    cloud.clock.sleep(11 * MINUTE)
    said(cloud.acquire(remote, sightings=seen).note)


@bad_day("lease-taken", "lease-lost")
def test_a_lease_that_is_taken(tmp_path: Path, laptop: Machine, cloud: Machine):
    remote = Remote.open(tmp_path)
    first = laptop.acquire(remote)
    said(cloud.acquire(remote, take_over=True).note)
    refused(first.check)


@bad_day("lease-silent")
def test_a_machine_that_could_not_say_that_it_is_there(tmp_path: Path, laptop: Machine):
    lease = laptop.acquire(Remote.open(tmp_path))
    laptop.clock.sleep(10.5 * MINUTE)
    refused(lease.check)


@bad_day("remote-keeps-changing")
def test_a_remote_that_another_machine_changes_all_the_time(
    workspace: Workspace, shelf: Path, monkeypatch: pytest.MonkeyPatch
):
    push(workspace, shelf)
    result(workspace, "newer")
    original = list_generations
    numbers = iter(range(1, 99))

    def with_a_new_one(remote: Remote) -> list[GenerationName]:
        (name,) = original(remote)[:1] or [GenerationName(1, 1, "abcd0123")]
        return [GenerationName(name.fence, name.number + next(numbers), "abcd0123"), name]

    monkeypatch.setattr(push_module, "list_generations", with_a_new_one)
    refused(lambda: push(workspace, shelf))


@bad_day("copy-vanished")
def test_another_machine_removes_what_is_being_listed(workspace: Workspace, shelf: Path):
    push(workspace, shelf)
    remote = Remote.open(shelf)
    (name,) = list_generations(remote)
    manifest = read_manifest(remote, name)
    (shelf / stored_path(name)).unlink()
    missing = shelf / manifest.objects[0].path
    missing.unlink()
    assert first_missing(remote, manifest)
    refused(lambda: write_manifest(remote, manifest))


@bad_day("another-line", "newer-there")
def test_two_machines_went_on_from_one_copy(workspace: Workspace, other: Workspace, shelf: Path):
    result(workspace, "mine")
    push(workspace, shelf)
    for note in push(other, shelf).notes:
        said(note)
    result(other, "yours")
    for note in push(other, shelf).notes:
        said(note)


# ---- damaged copies ----------------------------------------------------------------------------


@bad_day("copy-skipped")
def test_a_list_that_was_cut(workspace: Workspace, shelf: Path, tmp_path: Path):
    two_generations(workspace, shelf)
    manifest = manifest_path(shelf, 2)
    manifest.write_bytes(manifest.read_bytes()[:-40])
    for note in pull(shelf, tmp_path / "back").notes:
        said(note)


@bad_day("copy-incomplete")
def test_a_file_that_never_arrived(workspace: Workspace, shelf: Path, tmp_path: Path):
    two_generations(workspace, shelf)
    (shelf / "files" / "result.000002.mp4").unlink()
    for note in pull(shelf, tmp_path / "back").notes:
        said(note)


@bad_day("no-whole-copy", "verify-damaged")
def test_a_byte_that_was_changed_in_silence(workspace: Workspace, shelf: Path, tmp_path: Path):
    push(workspace, shelf)
    (pack,) = (shelf / "packs").iterdir()
    data = bytearray(pack.read_bytes())
    data[data.index(b"face 7")] ^= 1
    pack.write_bytes(data)
    said(verify(Remote.open(shelf)).summary())
    refused(lambda: pull(shelf, tmp_path / "back"))


@bad_day("object-missing")
def test_a_file_that_goes_while_it_is_read(tmp_path: Path):
    refused(lambda: list(Remote.open(tmp_path).read("packs/a.tar")))


def altered(manifest: bytes, **changes: object) -> bytes:
    """The same list with other values and a checksum that fits."""
    content = json.loads(manifest) | changes
    content.pop("checksum")
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    content["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(content).encode()


def file_with(data: bytes, **changes: object) -> list[dict[str, object]]:
    return [json.loads(data)["files"][0] | changes]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-40], marks=bad_day("list-cut")),
        pytest.param(
            lambda data: data.replace(b'"test"', b'"tent"'), marks=bad_day("list-checksum")
        ),
        pytest.param(lambda data: b'{"format": "notes"}', marks=bad_day("list-not-ours")),
        pytest.param(lambda data: altered(data, version=99), marks=bad_day("list-newer")),
        pytest.param(
            lambda data: altered(data, files=file_with(data, path="../evil")),
            marks=bad_day("list-path"),
        ),
        pytest.param(
            lambda data: altered(data, files=file_with(data, size=3)),
            marks=bad_day("list-contradiction"),
        ),
        pytest.param(lambda data: altered(data, name="first"), marks=bad_day("list-no-name")),
        pytest.param(
            lambda data: altered(data, files=file_with(data) * 2), marks=bad_day("list-twice")
        ),
        pytest.param(
            lambda data: altered(
                data, files=file_with(data, path="a") + file_with(data, path="a/b")
            ),
            marks=bad_day("list-folder"),
        ),
        pytest.param(
            lambda data: altered(data, files=file_with(data, spans=[[9999, 0, 1]])),
            marks=bad_day("list-object"),
        ),
        pytest.param(
            lambda data: altered(data, files=file_with(data, spans=[[0, 1 << 40, 1]])),
            marks=bad_day("list-bytes"),
        ),
        pytest.param(
            lambda data: altered(data, files=file_with(data, sha256="none")),
            marks=bad_day("list-hash"),
        ),
        pytest.param(
            lambda data: altered(data, files=file_with(data, mtime_ns="today")),
            marks=bad_day("list-number"),
        ),
        pytest.param(lambda data: altered(data, files={}), marks=bad_day("list-damaged")),
    ],
)
def test_a_list_that_was_altered(
    workspace: Workspace, shelf: Path, change: Callable[[bytes], bytes]
):
    push(workspace, shelf)
    data = change(manifest_path(shelf, 1).read_bytes())
    refused(lambda: from_json(data, source="shelf/generations/000001.json"))


@bad_day("link-out")
def test_a_link_out_of_the_workspace(workspace: Workspace, shelf: Path, tmp_path: Path):
    push(workspace, shelf)
    (tmp_path / "outside").mkdir()
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "model").symlink_to(tmp_path / "outside")
    refused(lambda: pull(shelf, tmp_path / "back"))


@bad_day("list-other-name", "list-large")
def test_a_list_with_the_name_of_another(
    workspace: Workspace, shelf: Path, monkeypatch: pytest.MonkeyPatch
):
    push(workspace, shelf)
    remote, other = Remote.open(shelf), GenerationName(1, 9, "abcd0123")
    (shelf / stored_path(other)).write_bytes(manifest_path(shelf, 1).read_bytes())
    refused(lambda: read_manifest(remote, other))
    monkeypatch.setattr(generations, "MAX_BYTES", 10)
    refused(lambda: read_manifest(remote, other))


@bad_day("status-another-line", "status-behind")
def test_status_after_two_machines_went_on(workspace: Workspace, other: Workspace, shelf: Path):
    result(workspace, "mine")
    push(workspace, shelf)
    result(other, "yours")
    push(other, shelf)
    remote = Remote.open(shelf)
    for note in status(remote, Memory(workspace.root).base(remote.name)).notes:
        said(note)
