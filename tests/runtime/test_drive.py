"""Every way in which Drive refuses is one sentence with a next step, and a mount that hangs hangs nobody."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dflcolab.errors import SyncError
from dflcolab.runtime import drive as module
from dflcolab.runtime.drive import ColabDrive, Drive, FolderDrive, drive_for
from dflcolab.runtime.where import Place, Where
from tests.sync.faults import Fault, Strike
from tests.sync.faulty import FaultyStore
from tests.sync.mounted_folder import MountedFolder

bad_day = pytest.mark.bad_day


class MessageError(Exception):
    """Stands for `google.colab._message.MessageError`."""


class TIMEOUT(Exception):
    """Stands for `pexpect.exceptions.TIMEOUT`."""


class StandIn:
    """`google.colab.drive` over a folder; `mounts` holds whether each call was forced."""

    def __init__(self, mount: MountedFolder | None = None, error: BaseException | None = None):
        self._mount = mount
        self._error = error
        self.mounts: list[bool] = []

    def mount(self, mountpoint: str, force_remount: bool = False, timeout_ms: int = 120000) -> None:
        self.mounts.append(force_remount)
        if self._error is not None:
            raise self._error
        if self._mount is not None:
            self._mount.remount()

    def flush_and_unmount(self, timeout_ms: int = 86400000) -> None:
        if self._error is not None:
            raise self._error
        if self._mount is not None:
            self._mount.flush()


def drive_that(error: BaseException | None, mount_point: Path) -> ColabDrive:
    return ColabDrive(mount_point, load=lambda: StandIn(error=error))


# What google.colab.drive raises, word for word.
_HELP = "https://research.google.com/colaboratory/faq.html#drive-timeout"
FAILURES = [
    pytest.param(
        NotImplementedError("google.colab.drive is unsupported in this environment."),
        "in this kind of Colab; use a folder or a bucket.",
        marks=bad_day("drive-unsupported"),
    ),
    pytest.param(
        ValueError("mount failed"),
        "stopped; run this cell again in a minute.",
        marks=bad_day("drive-program-stopped"),
    ),
    pytest.param(
        ValueError(
            f"mount failed: timeout during initial read of root folder; for more info: {_HELP}"
        ),
        "too many files to be read in time; move them into folders at drive.google.com, then",
        marks=bad_day("drive-too-many-files"),
    ),
    pytest.param(
        ValueError("mount failed: invalid oauth code"),
        "did not accept the code; run this cell again.",
        marks=bad_day("drive-code"),
    ),
    pytest.param(
        ValueError("Mountpoint must not contain a space."),
        "space in its name; use /content/drive.",
        marks=bad_day("drive-space-in-name"),
    ),
    pytest.param(
        ValueError("Mountpoint must not be a symlink"),
        "is a link; use /content/drive.",
        marks=bad_day("drive-link"),
    ),
    pytest.param(
        ValueError("Mountpoint must not already contain files"),
        "files of this machine lie in .*; move them to another folder, then run this cell again.",
        marks=bad_day("drive-files-in-the-way"),
    ),
    pytest.param(
        ValueError("Mountpoint must either be a directory or not exist"),
        "a file is in the way at .*; rename it, then run this cell again.",
        marks=bad_day("drive-file-in-the-way"),
    ),
    pytest.param(
        ValueError("Mountpoint must be in a directory that exists"),
        "does not exist; use /content/drive.",
        marks=bad_day("drive-no-parent"),
    ),
    pytest.param(
        ValueError(
            "The domain policy has disabled Drive File Stream: "
            "https://support.google.com/a/answer/7496409"
        ),
        "administrator .* does not allow it; open this notebook with another account.",
        marks=bad_day("drive-domain"),
    ),
    pytest.param(
        MessageError("Error: credential propagation was unsuccessful"),
        "did not grant access .*; run this cell again and allow it",
        marks=bad_day("drive-no-access"),
    ),
    pytest.param(
        TIMEOUT("Timeout exceeded."),
        "program does not answer; run this cell again in a minute.",
        marks=bad_day("drive-program-silent"),
    ),
    pytest.param(
        OSError(errno.ENOTCONN, "Transport endpoint is not connected"),
        "connection to it broke; run this cell again.",
        marks=bad_day("drive-connection-broke"),
    ),
    pytest.param(
        subprocess.CalledProcessError(1, ["/bin/mount"]),
        "Colab says .*; run this cell again in a minute.",
        marks=bad_day("drive-something-new"),
    ),
    pytest.param(
        ValueError("something new"),
        "Colab says something new; run this cell again in a minute.",
        marks=bad_day("drive-something-new"),
    ),
]


@pytest.mark.parametrize(("error", "sentence"), FAILURES, ids=lambda value: str(value)[:40])
def test_a_failed_mount_is_one_sentence(tmp_path: Path, error: BaseException, sentence: str):
    with pytest.raises(SyncError, match=sentence) as caught:
        drive_that(error, tmp_path).mount()
    assert "\n" not in str(caught.value)


def test_our_own_mistakes_are_not_hidden(tmp_path: Path):
    with pytest.raises(TypeError):
        drive_that(TypeError("a bug"), tmp_path).mount()


def test_a_mounted_drive_gives_the_users_folder(tmp_path: Path):
    (tmp_path / "MyDrive").mkdir()

    assert drive_that(None, tmp_path).mount() == tmp_path / "MyDrive"


@pytest.mark.bad_day("drive-not-there")
def test_a_mount_without_the_users_folder_is_told(tmp_path: Path):
    with pytest.raises(SyncError, match="is not there; run this cell again"):
        drive_that(None, tmp_path).mount()


@pytest.mark.parametrize(
    "error",
    [
        ValueError("flush_and_unmount failed"),
        subprocess.CalledProcessError(1, ["/bin/mount"]),
        OSError(errno.EIO, "Input/output error"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.bad_day("drive-flush-failed")
def test_a_failed_flush_says_to_leave_the_machine_running(tmp_path: Path, error: BaseException):
    with pytest.raises(SyncError, match="leave this machine running"):
        drive_that(error, tmp_path).flush()


@pytest.mark.parametrize("call", ["mount", "flush", "remount", "fresh_look"])
@pytest.mark.bad_day("drive-no-colab")
def test_without_colab_the_sentence_points_to_a_folder(call: str):
    drive = ColabDrive(load=lambda: __import__("google.colab.drive_that_is_not_there"))

    with pytest.raises(SyncError, match="use a folder"):
        getattr(drive, call)()


def test_in_enterprise_a_flush_points_to_a_folder(tmp_path: Path):
    with pytest.raises(SyncError, match="use a folder or a bucket"):
        drive_that(NotImplementedError("google.colab.drive is unsupported"), tmp_path).flush()


class Mount:
    """What `look` meets: a mount that works, is broken, or hangs; `mount` repairs it."""

    def __init__(self, root: Path, state: str) -> None:
        self.state = state
        self.released = threading.Event()
        self.stand_in = SimpleNamespace(mount=self.mount)
        self.forced: list[bool] = []
        (root / "MyDrive").mkdir()
        self.drive = ColabDrive(root, load=lambda: self.stand_in, look=self.look)

    def mount(self, mountpoint: str, *, force_remount: bool, timeout_ms: int) -> None:
        self.forced.append(force_remount)
        self.state = "works"

    def look(self, path: Path) -> object:
        if self.state == "broken":
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        if self.state == "hangs":
            self.released.wait(60)
        return path.stat()


def test_a_hanging_mount_is_noticed_within_the_limit_and_hangs_nobody(tmp_path: Path):
    mount = Mount(tmp_path, "hangs")
    started = time.monotonic()

    assert not mount.drive.is_alive(limit_s=0.05)
    assert time.monotonic() - started < 5
    mount.released.set()
    mount.state = "works"
    assert mount.drive.is_alive(limit_s=5)


@pytest.mark.parametrize(("state", "forced"), [("works", False), ("broken", True), ("hangs", True)])
def test_only_a_mount_that_broke_is_mounted_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, forced: bool
):
    monkeypatch.setattr(module, "ANSWER_LIMIT_S", 0.2)
    mount = Mount(tmp_path, state)

    assert mount.drive.mount() == tmp_path / "MyDrive"
    assert mount.forced == [forced]
    mount.released.set()


@pytest.mark.bad_day("drive-mounted-silent")
def test_a_mount_that_stays_broken_is_told(tmp_path: Path):
    mount = Mount(tmp_path, "broken")
    mount.stand_in = SimpleNamespace(mount=lambda *args, **options: None)

    with pytest.raises(SyncError, match=r"does not answer .*; run this cell again in a minute"):
        mount.drive.mount()
    assert not mount.drive.is_alive()


@pytest.mark.parametrize("call", ["mount", "remount", "flush", "fresh_look"])
@pytest.mark.bad_day("drive-copy-running")
def test_nothing_is_pulled_away_below_a_running_copy(tmp_path: Path, call: str):
    mount = Mount(tmp_path, "broken")

    with mount.drive.copying(), pytest.raises(SyncError, match="wait until the copy has ended"):
        getattr(mount.drive, call)()
    assert not mount.forced
    mount.drive.remount()
    assert mount.forced == [True]


@pytest.mark.bad_day("drive-no-cell")
def test_a_thread_does_not_try_what_only_a_cell_can(tmp_path: Path):
    mount = Mount(tmp_path, "broken")
    said: list[str] = []

    def work() -> None:
        try:
            mount.drive.mount()
        except SyncError as error:
            said.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "run the cell that connects the storage again" in said[0]
    assert not mount.forced


def colab_over(store: FaultyStore, mount_point: Path) -> ColabDrive:
    stand_in = StandIn(MountedFolder(store, mount_point))
    return ColabDrive(mount_point, load=lambda: stand_in)


def test_a_fresh_look_shows_what_google_has_instead_of_the_cache(tmp_path: Path):
    store = FaultyStore(plan=[Strike(2, Fault.LOST)], delay=50)
    store.pipe_file("MyDrive/first", b"1")
    drive = colab_over(store, tmp_path)
    (tmp_path / "MyDrive").mkdir(exist_ok=True)
    (drive.root / "lost").write_bytes(b"2")
    (drive.root / "whole").write_bytes(b"3")

    root = drive.fresh_look()

    assert sorted(path.name for path in root.iterdir()) == ["whole"]


def test_space_is_what_the_mount_says(tmp_path: Path):
    drive: Any
    for drive in (FolderDrive(tmp_path), Mount(tmp_path, "works").drive):
        usage = drive.usage()
        assert 0 < usage.free_bytes < usage.total_bytes
        assert usage.used_bytes < usage.total_bytes


@pytest.mark.bad_day("drive-space-unknown")
def test_space_of_a_mount_that_is_gone_is_a_sentence(tmp_path: Path):
    drive = ColabDrive(tmp_path / "gone", load=StandIn)

    with pytest.raises(SyncError, match="connects the storage again"):
        drive.usage()


def test_a_folder_stands_for_drive_elsewhere(tmp_path: Path):
    jupyter = Where(Place.JUPYTER, False, False, 7, 8)
    drive: Drive = drive_for(jupyter, tmp_path / "shelf")

    assert not drive.is_alive()
    assert drive.mount() == tmp_path / "shelf"
    assert drive.is_alive()
    with drive.copying():
        drive.flush()
    assert drive.fresh_look() == drive.remount() == tmp_path / "shelf"


@pytest.mark.bad_day("storage-folder-unusable")
def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SyncError, match="choose another folder"):
        FolderDrive(tmp_path / "file" / "shelf").mount()
