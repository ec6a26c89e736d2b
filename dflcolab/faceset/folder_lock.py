# pyright: strict
"""One program at a time changes the faces of a folder, while none reads them or adds new ones.

Sorting gives every file another name, so a program that has read names before and acts on them
afterwards (clean, pack, a copy to the remote, another sort) would take the wrong faces. The lock
lies on the folder itself: the system ends it with the process, however that ends, and leaves no
file behind.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from dflcolab.files import remove_temporaries
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace

P = ParamSpec("P")
R = TypeVar("R")

_PAUSE = 0.05  # seconds between two looks whether a lock is free


@dataclass
class _Hold:
    """Locks that this thread has on one folder: on it, and on a folder about to replace it."""

    shared: bool
    descriptors: list[int] = field(default_factory=list[int])
    depth: int = 0


class _Held(threading.local):
    """What the present thread holds, by the folder's real path."""

    def __init__(self) -> None:
        self.folders: dict[str, _Hold] = {}


_held = _Held()


@contextmanager
def alone_in(folder: Path, *, progress: Progress | None = None) -> Generator[None]:
    """Wait until no other process uses the faces of `folder`, then keep the others out.

    May be entered again by the same thread. Where the folder is missing, or its disk has no locks,
    everybody gets in.

    Args:
        folder: The faceset's folder.
        progress: Says that it waits, and carries the wish to stop.

    Raises:
        Interrupted: The user asked to stop while waiting.
        RuntimeError: The thread is inside of `using(folder)` only.
    """
    with _holding(folder, progress, shared=False):
        yield


@contextmanager
def using(folder: Path, *, progress: Progress | None = None) -> Generator[None]:
    """Wait until no other process changes the faces of `folder`, then keep those that would out.

    For reading faces and adding new ones: names that are there keep their faces. Otherwise as
    `alone_in`.
    """
    with _holding(folder, progress, shared=True):
        yield


@contextmanager
def _holding(folder: Path, progress: Progress | None, *, shared: bool) -> Generator[None]:
    key = os.path.realpath(folder)
    hold = _held.folders.get(key)
    if hold is None:
        descriptor = _lock(Path(key), progress or Progress(), shared=shared)
        hold = _Hold(shared, [] if descriptor is None else [descriptor])
        _held.folders[key] = hold
    elif hold.shared and not shared and hold.descriptors:
        raise RuntimeError(f"{folder} is used together with others; ask for it alone first")
    hold.depth += 1
    try:
        yield
    finally:
        hold.depth -= 1
        if hold.depth == 0:
            del _held.folders[key]
            for descriptor in hold.descriptors:
                os.close(descriptor)


def hold_too(folder: Path, successor: Path) -> None:
    """Inside `alone_in(folder)`: keep the others out of the folder that will take its place.

    Another process waits at the folder of that name; after an exchange that is the successor.
    """
    hold = _held.folders[os.path.realpath(folder)]
    descriptor = _lock(successor, Progress(), shared=False)
    if descriptor is not None:
        hold.descriptors.append(descriptor)


def alone_with_faces(verb: Callable[P, R]) -> Callable[P, R]:
    """A verb `(workspace, config, *, progress)` that has its side's faces for itself.

    `config` has a field `side`. Temporary files of a run that was killed go first.
    """

    @functools.wraps(verb)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        workspace, config = cast(tuple[Workspace, Any], args[:2])
        side = cast(Side, config.side)
        progress = cast("Progress | None", kwargs.get("progress"))
        folder = workspace.aligned_dir(side)
        with alone_in(folder, progress=progress):
            remove_temporaries(folder)
            return verb(*args, **kwargs)

    return alone


def _lock(folder: Path, progress: Progress, *, shared: bool) -> int | None:
    """A descriptor that carries the lock, or None where there can be none."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    told = False
    while True:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            if _is_still(folder, descriptor):
                return descriptor
            os.close(descriptor)  # another folder has this name by now; wait for that one
            continue
        except BlockingIOError:
            os.close(descriptor)
        except OSError:  # a network drive without locks
            return descriptor
        if not told:
            progress.message(f"Another program uses the faces in {folder}; waiting for its end.")
            told = True
        progress.raise_if_stopped()
        time.sleep(_PAUSE)


def _is_still(folder: Path, descriptor: int) -> bool:
    with suppress(OSError):
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    return False
