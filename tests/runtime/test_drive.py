"""Every way in which Drive refuses is one sentence with a remedy."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from dflcolab.errors import SyncError
from dflcolab.runtime.drive import ColabDrive, FolderDrive, drive_for
from dflcolab.runtime.where import Place, Where


class MessageError(Exception):
    """Stands for `google.colab._message.MessageError`."""


def drive_that(error: BaseException | None, mount_point: Path) -> ColabDrive:
    def call(*args: object, **kwargs: object) -> None:
        if error is not None:
            raise error

    module = SimpleNamespace(mount=call, flush_and_unmount=call)
    return ColabDrive(mount_point, load=lambda: module)


# Texts of google.colab.drive as COLAB.md describes them.
FAILURES = [
    (NotImplementedError("google.colab.drive is unsupported"), "cannot be mounted in this kind"),
    (ValueError("mount failed"), "does not answer; run this cell again"),
    (ValueError("mount failed: timeout in the root folder"), "very many files"),
    (ValueError("Mountpoint must not contain a space."), "use /content/drive"),
    (ValueError("Mountpoint must not be a symlink"), "is a link"),
    (ValueError("Mountpoint must not already contain files"), "move them away"),
    (ValueError("mount failed: domain policy has disabled Drive"), "administrator"),
    (MessageError("Error: credential propagation was unsuccessful"), "did not grant access"),
    (OSError(107, "Transport endpoint is not connected"), "run this cell again"),
    (ValueError("something new"), "something new"),
]


@pytest.mark.parametrize(("error", "sentence"), FAILURES, ids=lambda value: str(value)[:30])
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


def test_a_mount_without_the_users_folder_is_told(tmp_path: Path):
    with pytest.raises(SyncError, match="is not there; run this cell again"):
        drive_that(None, tmp_path).mount()


def test_a_failed_flush_says_to_leave_the_machine_running(tmp_path: Path):
    with pytest.raises(SyncError, match="leave this machine running"):
        drive_that(ValueError("timeout"), tmp_path).flush()


def test_without_colab_a_mount_points_to_a_folder():
    with pytest.raises(SyncError, match="use a folder"):
        ColabDrive(load=lambda: __import__("google.colab.drive_that_is_not_there")).mount()


def test_a_folder_stands_for_drive_elsewhere(tmp_path: Path):
    jupyter = Where(Place.JUPYTER, False, False, 7, 8)
    drive = drive_for(jupyter, tmp_path / "shelf")

    assert drive.mount() == tmp_path / "shelf"
    assert (tmp_path / "shelf").is_dir()
    drive.flush()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SyncError, match="choose another folder"):
        FolderDrive(tmp_path / "file" / "shelf").mount()
