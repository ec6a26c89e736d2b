# pyright: strict
"""Files and folders shared on Google Drive, by whichever gdown (5.2 or newer) is installed.

gdown runs in a process of its own, which can be stopped at any time and is ended when nothing comes
any more. It keeps what it fetched and goes on with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from dflcolab.errors import DownloadError, MissingDependencyError
from dflcolab.progress import Progress, Task
from dflcolab.transfer.content import QUOTA, says_quota
from dflcolab.transfer.https import STOPPED, Patience, Unreachable

_LOOK_EVERY_S = 0.1
_NOT_SHARED = (
    "share it with 'Anyone with the link' in Drive; if it is shared, Google limits it for now: add a "
    "copy to your own Drive and pick it there, or try again in 24 hours"
)
_MANY_FILES = "FolderContentsMaximumLimitError"


@dataclass(frozen=True)
class DriveFile:
    """A file of a shared folder.

    Attributes:
        id: Drive's id.
        path: Where it lies in the folder, as Drive says it: not to be trusted.
    """

    id: str
    path: str


def fetch_file(
    folder: Path,
    *,
    file_id: str = "",
    url: str = "",
    shown: str,
    progress: Progress,
    patience: Patience,
) -> Path:
    """Download one file into a folder that nothing else is in.

    Args:
        folder: Made if missing; an unfinished file in it is gone on with.
        file_id: Drive's id; this or `url`.
        url: An address as gdown takes it.
        shown: What the file is called in sentences.
        progress: Shows the megabytes; its stop request ends the work and keeps the part.
        patience: `timeout_s` and `tries` times nothing may come before it is given up.

    Returns:
        The file, under the name that Drive gives it. Whether it is what was wanted is not checked.

    Raises:
        Unreachable: Nothing comes.
        DownloadError: Not shared, or limited.
        MissingDependencyError: There is no gdown.
        Interrupted: The user asked to stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _keep_one_part(folder)
    request = {"what": "file", "id": file_id, "url": url, "folder": str(folder)}
    with progress.task(f"Fetching {shown}", total=None, unit="MB") as task:
        result = _ask(request, shown, folder, progress, task, patience)
    if not isinstance(result, str) or not Path(result).is_file():
        raise DownloadError(f"{shown} cannot be fetched; {_NOT_SHARED}.")
    return Path(result)


def list_folder(
    folder: Path, *, folder_id: str, shown: str, progress: Progress, patience: Patience
) -> list[DriveFile]:
    """What a shared folder holds, folders in it included. gdown 5 reads 50 files per folder at most.

    Args:
        folder: Where the files would go; nothing is written.
        folder_id: Drive's id of the folder.
        shown: What it is called in sentences.
        progress: Its stop request ends the work.
        patience: How long to wait.

    Raises:
        DownloadError: It is not shared, holds too much, or nothing.
        MissingDependencyError: There is no gdown.
        Interrupted: The user asked to stop.
    """
    request = {"what": "folder", "id": folder_id, "folder": str(folder)}
    with progress.task(f"Listing {shown}", total=None, unit="files") as task:
        result = _ask(request, shown, None, progress, task, patience)
    if result is None:
        raise DownloadError(
            f"{shown} cannot be listed: either it is not shared with 'Anyone with the link', or one "
            "folder in it holds more than 50 files, which older versions of gdown cannot list; share "
            "it, or put the files into one zip."
        )
    files = [DriveFile(*pair) for pair in cast(list[list[str]], result)]
    if not files:
        raise DownloadError(f"{shown} holds no files; check the link.")
    return files


def _ask(
    request: dict[str, Any],
    shown: str,
    growing: Path | None,
    progress: Progress,
    task: Task,
    patience: Patience,
) -> Any:
    """Let the child work; look at its file meanwhile."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dflcolab.transfer.gdown_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # the notebook's Stop button is for us to hand on
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with process.stdin as stream:
            json.dump({**request, "timeout_s": patience.timeout_s}, stream)
        _watch(process, shown, growing, progress, task, patience)
        answer = process.stdout.read()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
    try:
        values = json.loads(answer)
    except ValueError as error:
        raise DownloadError(f"gdown ended without a word on {shown}; run again.") from error
    if "error" in values:
        raise _failure(values["error"], str(values["text"]), shown)
    return values["result"]


def _watch(
    process: subprocess.Popen[str],
    shown: str,
    growing: Path | None,
    progress: Progress,
    task: Task,
    patience: Patience,
) -> None:
    limit_s = patience.timeout_s * max(2, patience.tries)
    present = _bytes_in(growing)
    last = time.monotonic()
    while process.poll() is None:
        progress.raise_if_stopped(STOPPED)
        size = _bytes_in(growing)
        if size != present:
            task.advance(max(0, (size >> 20) - (present >> 20)))
            present, last = size, time.monotonic()
        elif time.monotonic() - last > limit_s:
            raise Unreachable(
                f"Nothing comes of {shown} any more; check the network and run again, it goes on "
                "where it stopped."
            )
        time.sleep(_LOOK_EVERY_S)


def _failure(names: list[str], text: str, shown: str) -> Exception:
    """What gdown raised, in our words."""
    if "ImportError" in names:
        return MissingDependencyError(
            f"Links of Google Drive need the library gdown ({text}); install it with "
            "`pip install gdown`."
        )
    if says_quota(text.encode()):
        return DownloadError(f"{shown}: {QUOTA}")
    if _MANY_FILES in names:
        return DownloadError(
            f"One folder in {shown} holds more than 50 files, which this version of gdown cannot "
            "list; put them into one zip, or install gdown 6."
        )
    if "FileURLRetrievalError" in names or "404" in text or "403" in text:
        return DownloadError(f"{shown} cannot be fetched; {_NOT_SHARED}.")
    if names[0] == "OSError" and "No space" in text:
        return DownloadError(f"The disk is too full for {shown}; free some space and run again.")
    if "OSError" in names or "DownloadError" in names:
        # requests' own errors are OSErrors too.
        return Unreachable(
            f"{shown} cannot be fetched ({_first_line(text)}); check the network and run again."
        )
    return DownloadError(
        f"gdown cannot fetch {shown} ({names[0]}: {_first_line(text)}); download it in the browser "
        "and give the file's path."
    )


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")


def _keep_one_part(folder: Path) -> None:
    """Remove all parts but the largest: where there are several, gdown goes on with none."""
    parts = sorted(folder.glob("*.part"), key=lambda path: path.stat().st_size)
    for smaller in parts[:-1]:
        smaller.unlink()


def _bytes_in(folder: Path | None) -> int:
    if folder is None:
        return 0
    size = 0
    for path in folder.iterdir():
        try:
            size += path.stat().st_size
        except FileNotFoundError:
            continue  # renamed in this moment
    return size
