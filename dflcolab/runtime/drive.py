"""Google Drive on hosted Colab, and a folder that stands for it everywhere else.

All calls into `google.colab.drive` are here; each of its failures becomes one sentence with one next
step. A mount that hangs is asked from a thread of its own, so that it hangs nobody else.
"""

from __future__ import annotations

import errno
import importlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dflcolab.errors import SyncError
from dflcolab.runtime.where import Where

MOUNT_POINT = Path("/content/drive")
MOUNT_TIMEOUT_MS = 120_000
FLUSH_TIMEOUT_MS = 86_400_000
ANSWER_LIMIT_S = 15.0
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True)
class Usage:
    """Space of a drive in bytes; on Google Drive the bin counts as used."""

    total_bytes: int
    used_bytes: int
    free_bytes: int


class Drive(Protocol):
    """A place that outlives the machine."""

    @property
    def root(self) -> Path:
        """Folder below which the user's files are."""
        ...

    def mount(self) -> Path:
        """Make it available and return `root`; a mount that died is mounted anew."""
        ...

    def is_alive(self, *, limit_s: float = ANSWER_LIMIT_S) -> bool:
        """True if it answers within the limit."""
        ...

    def remount(self) -> Path:
        """Connect it anew and return `root`; what had not been uploaded may be lost."""
        ...

    def copying(self) -> Any:
        """Context manager around every copy; nothing is remounted or flushed meanwhile."""
        ...

    def usage(self) -> Usage:
        """Its space."""
        ...

    def flush(self) -> None:
        """Wait until everything written has left this machine."""
        ...

    def fresh_look(self) -> Path:
        """Flush and connect anew: what is read afterwards is not this machine's cache.

        Needed for the highest level of proof. On Colab the user may be asked for access again.
        """
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

    def is_alive(self, *, limit_s: float = ANSWER_LIMIT_S) -> bool:
        return _answer(self.root.stat, limit_s) is None

    def remount(self) -> Path:
        return self.mount()

    @contextmanager
    def copying(self) -> Iterator[None]:
        yield

    def usage(self) -> Usage:
        return _usage(self.root, "the storage")

    def flush(self) -> None:
        """Nothing to wait for: every file was synced when it was written."""

    def fresh_look(self) -> Path:
        return self.mount()


class ColabDrive:
    """The Drive of the user's Google account, mounted by Colab.

    Args:
        mount_point: Where it appears.
        load: Imports `google.colab.drive`; tests give a stand-in.
        look: Asks the mount for something; raises what the mount raises, or hangs with it.
    """

    def __init__(
        self,
        mount_point: Path = MOUNT_POINT,
        *,
        load: Callable[[], Any] | None = None,
        look: Callable[[Path], object] = Path.stat,
    ) -> None:
        self._mount_point = mount_point
        self._load = load or (lambda: importlib.import_module("google.colab.drive"))
        self._look = look
        self._copies = 0
        self._lock = threading.Lock()

    @property
    def root(self) -> Path:
        """`MyDrive` below the mount point."""
        return self._mount_point / "MyDrive"

    def mount(self) -> Path:
        """Mount the Drive; Colab shows its own window the first time.

        Nothing happens if it is mounted and answers. A mount that broke ("Transport endpoint is not
        connected") or hangs is mounted anew.

        Raises:
            SyncError: It cannot be mounted; the sentence says why and what to do.
        """
        problem = self._problem(ANSWER_LIMIT_S)
        broken = problem is not None and problem.errno not in _ABSENT
        return self._mount(force=broken)

    def is_alive(self, *, limit_s: float = ANSWER_LIMIT_S) -> bool:
        """True if the mount is there and answers within the limit; False also if it hangs."""
        return self._problem(limit_s) is None

    def remount(self) -> Path:
        """Mount anew by force; what had not been uploaded yet may be lost.

        Raises:
            SyncError: A copy is running, or it cannot be mounted.
        """
        return self._mount(force=True)

    @contextmanager
    def copying(self) -> Iterator[None]:
        """Around every copy: pulling the mount away below one could cut it off unseen."""
        with self._lock:
            self._copies += 1
        try:
            yield
        finally:
            with self._lock:
                self._copies -= 1

    def usage(self) -> Usage:
        """Space of the account as the mount tells it; other Google services count too.

        Raises:
            SyncError: The mount does not answer.
        """
        return _usage(self.root, "Google Drive")

    def flush(self) -> None:
        """Upload what is still cached and unmount.

        Raises:
            SyncError: A copy is running, or Colab could not finish the upload.
        """
        self._refuse_while_copying("disconnected")
        try:
            self._load().flush_and_unmount(timeout_ms=FLUSH_TIMEOUT_MS)
        except ImportError as error:
            raise SyncError(_NO_COLAB) from error
        except NotImplementedError as error:
            raise SyncError(_UNSUPPORTED) from error
        except (ValueError, OSError, subprocess.SubprocessError) as error:
            raise SyncError(
                f"Google Drive did not take everything ({error}); leave this machine running, look "
                "at drive.google.com for the newest files, then run this cell again."
            ) from error

    def fresh_look(self) -> Path:
        """Flush, then mount again; Google may ask for access once more.

        Raises:
            SyncError: One of the two failed.
        """
        self.flush()
        return self._mount(force=False)

    def _mount(self, *, force: bool) -> Path:
        if force:
            self._refuse_while_copying("mounted anew")
        if threading.current_thread() is not threading.main_thread():
            raise SyncError(
                "Google Drive can only be mounted by a cell that is running; run the cell that connects "
                "the storage again."
            )
        try:
            self._load().mount(
                str(self._mount_point), force_remount=force, timeout_ms=MOUNT_TIMEOUT_MS
            )
        except ImportError as error:
            raise SyncError(_NO_COLAB) from error
        except NotImplementedError as error:
            raise SyncError(_UNSUPPORTED) from error
        except (ValueError, OSError, subprocess.SubprocessError) as error:
            raise SyncError(self._sentence(error)) from error
        except Exception as error:
            if type(error).__name__ not in _COLABS_OWN:
                raise
            raise SyncError(self._sentence(error)) from error
        problem = self._problem(ANSWER_LIMIT_S)
        if problem is not None and problem.errno in _ABSENT:
            raise SyncError(
                f"Google Drive was mounted but {self.root} is not there; run this cell again."
            )
        if problem is not None:
            raise SyncError(
                f"Google Drive was mounted but does not answer ({problem.strerror}); run this cell "
                "again in a minute."
            )
        return self.root

    def _refuse_while_copying(self, what: str) -> None:
        if self._copies:
            raise SyncError(
                f"A copy to Google Drive is running, so it cannot be {what} now; wait until the copy "
                "has ended, then run this cell again."
            )

    def _problem(self, limit_s: float) -> OSError | None:
        return _answer(lambda: self._look(self.root), limit_s)

    def _sentence(self, error: BaseException) -> str:
        text = str(error).lower()
        known = (reason for mark, reason in _REASONS if mark in text)
        number = getattr(error, "errno", None)
        if number in (errno.ENOTCONN, errno.EIO):
            reason = "the connection to it broke; run this cell again"
        elif type(error).__name__ == "TIMEOUT":
            reason = "Colab's Drive program does not answer; run this cell again in a minute"
        else:
            reason = next(known, f"Colab says {error}; run this cell again in a minute")
        return f"Google Drive was not mounted: {reason.format(here=self._mount_point)}."


_NO_COLAB = "Google Drive can only be mounted on hosted Colab; use a folder."
_UNSUPPORTED = "Google Drive cannot be mounted in this kind of Colab; use a folder or a bucket."
_COLABS_OWN = ("MessageError", "TIMEOUT", "EOF")
"""Exceptions of `google.colab._message` and pexpect, which cannot be imported elsewhere."""

# Parts of the texts of google.colab.drive, in lower case, and what they mean.
_REASONS = (
    ("credential propagation", ("Google did not grant access (window closed, other account, or "
     "cookies blocked); run this cell again and allow it with the account of this notebook")),
    ("domain policy", ("the administrator of your Google account does not allow it; open this "
     "notebook with another account")),
    ("must not contain a space", "the mount point has a space in its name; use /content/drive"),
    ("must not be a symlink", "the mount point is a link; use /content/drive"),
    ("must not already contain files", ("files of this machine lie in {here}; move them to another "
     "folder, then run this cell again")),
    ("must either be a directory or not exist", ("a file is in the way at {here}; rename it, then "
     "run this cell again")),
    ("must be in a directory that exists", ("the folder above {here} does not exist; use "
     "/content/drive")),
    ("invalid oauth code", "Google did not accept the code; run this cell again"),
    ("timeout", ("its top folder holds too many files to be read in time; move them into folders at "
     "drive.google.com, then run this cell again")),
    ("mount failed", "Colab's Drive program stopped; run this cell again in a minute"),
)  # fmt: skip


def _answer(ask: Callable[[], object], limit_s: float) -> OSError | None:
    """None if `ask` comes back in time, else what it raised, or a time-out.

    The thread of a call that hangs is left to itself: nothing can end it, and it holds nothing.
    """
    raised: list[OSError] = []

    def run() -> None:
        try:
            ask()
        except OSError as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="ask the drive", daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        return TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return raised[0] if raised else None


def _usage(root: Path, name: str) -> Usage:
    found: list[Usage] = []
    problem = _answer(lambda: found.append(Usage(*shutil.disk_usage(root))), ANSWER_LIMIT_S)
    if problem is not None:
        raise SyncError(
            f"The space on {name} cannot be measured ({problem.strerror}); run the cell that connects "
            "the storage again."
        )
    return found[0]


def drive_for(where: Where, folder: Path) -> Drive:
    """The Drive on hosted Colab, the folder anywhere else."""
    return ColabDrive() if where.can_mount_drive else FolderDrive(folder)
