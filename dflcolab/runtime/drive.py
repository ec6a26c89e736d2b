"""Google Drive on hosted Colab, and a folder that stands for it everywhere else.

All calls into `google.colab.drive` are here; each of its failures becomes one sentence.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from dflcolab.errors import SyncError
from dflcolab.runtime.where import Where

MOUNT_POINT = Path("/content/drive")
MOUNT_TIMEOUT_MS = 120_000
FLUSH_TIMEOUT_MS = 86_400_000


class Drive(Protocol):
    """A place that outlives the machine."""

    @property
    def root(self) -> Path:
        """Folder below which the user's files are."""
        ...

    def mount(self) -> Path:
        """Make it available and return `root`; nothing happens if it is available already."""
        ...

    def flush(self) -> None:
        """Wait until everything written has left this machine."""
        ...


class FolderDrive:
    """An ordinary folder in the role of a drive.

    Args:
        folder: The folder; made by `mount`.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def mount(self) -> Path:
        """Make the folder if it is missing.

        Raises:
            SyncError: It cannot be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SyncError(
                f"{self.root} cannot be used ({error.strerror}); choose another folder."
            ) from error
        return self.root

    def flush(self) -> None:
        """Nothing to wait for: every file was synced when it was written."""


class ColabDrive:
    """The Drive of the user's Google account, mounted by Colab.

    Args:
        mount_point: Where it appears.
        load: Imports `google.colab.drive`; tests give a stand-in.
    """

    def __init__(
        self, mount_point: Path = MOUNT_POINT, *, load: Callable[[], Any] | None = None
    ) -> None:
        self._mount_point = mount_point
        self._load = load or (lambda: importlib.import_module("google.colab.drive"))

    @property
    def root(self) -> Path:
        """`MyDrive` below the mount point."""
        return self._mount_point / "MyDrive"

    def mount(self) -> Path:
        """Mount the Drive; Colab shows its own window the first time.

        Raises:
            SyncError: It cannot be mounted; the sentence says why and what to do.
        """
        try:
            module = self._load()
        except ImportError as error:
            raise SyncError(
                "Google Drive can only be mounted on hosted Colab; use a folder."
            ) from error
        try:
            module.mount(str(self._mount_point), force_remount=False, timeout_ms=MOUNT_TIMEOUT_MS)
        except (NotImplementedError, ValueError, OSError) as error:
            raise SyncError(_sentence(error)) from error
        except Exception as error:
            if type(error).__name__ != "MessageError":
                raise
            raise SyncError(_sentence(error)) from error
        if not self.root.is_dir():
            raise SyncError(
                f"Google Drive was mounted but {self.root} is not there; run this cell again."
            )
        return self.root

    def flush(self) -> None:
        """Upload what is still cached and unmount.

        Raises:
            SyncError: Colab could not finish the upload.
        """
        module = self._load()
        try:
            module.flush_and_unmount(timeout_ms=FLUSH_TIMEOUT_MS)
        except (ValueError, OSError) as error:
            raise SyncError(
                f"Google Drive could not be flushed ({error}); leave this machine running, look at "
                "drive.google.com for the newest files, and run this cell again."
            ) from error


_REASONS = (
    ("credential propagation", ("Google did not grant access (window closed, other account, or "
     "cookies blocked); run this cell again and allow it with the account of this notebook")),
    ("domain policy", ("the administrator of your Google account does not allow it; use another "
     "account or a folder")),
    ("must not contain a space", "the mount point has a space in its name; use /content/drive"),
    ("must not be a symlink", "the mount point is a link; use /content/drive"),
    ("must either be a directory or not exist", "a file is in the way; delete or rename it"),
    ("contain files", "files lie in the mount point; move them away and run again"),
    ("mountpoint", "the mount point cannot be used; use /content/drive"),
    ("timeout", ("Drive took too long, often because its top folder holds very many files; move "
     "them into folders at drive.google.com and run this cell again")),
    ("mount failed", "Drive does not answer; run this cell again in a minute"),
)  # fmt: skip


def _sentence(error: BaseException) -> str:
    if isinstance(error, NotImplementedError):
        return "Google Drive cannot be mounted in this kind of Colab; use a folder or a bucket."
    text = str(error).lower()
    for mark, reason in _REASONS:
        if mark in text:
            return f"Google Drive was not mounted: {reason}."
    return f"Google Drive was not mounted ({error}); run this cell again, or use a folder."


def drive_for(where: Where, folder: Path) -> Drive:
    """The Drive on hosted Colab, the folder anywhere else."""
    return ColabDrive() if where.can_mount_drive else FolderDrive(folder)
