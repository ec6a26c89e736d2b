"""What is killed: `train` and `sync` as they are, in a process of their own.

A child is forked from a program that has imported everything and computed nothing, which saves the
seconds that TensorFlow takes to load. Everything is real, the training's arithmetic too. A child tells
the fingerprint of all weights and slots when a save begins, and that of what it resumes from: a state
that no save began with is a mixture.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2  # noqa: F401 - loaded here, so that no child has to
import fsspec.implementations.local  # noqa: F401
import psutil  # noqa: F401
import tomlkit  # noqa: F401

from dflcolab.arrays import Array
from dflcolab.engine.checkpoint import Checkpoint, Contents
from dflcolab.errors import DFLColabError
from dflcolab.pipeline import background_push
from dflcolab.pipeline.sync import sync
from dflcolab.pipeline.train import train
from dflcolab.progress import Progress
from dflcolab.sync.config import SyncConfig
from dflcolab.training.config import TrainConfig
from dflcolab.training.session import Session
from tests.soak.cloud import ADDRESS, mount

MODEL = "m"
_SAVE_EVERY = 3
_SMALL = ("ae_dims=8", "e_dims=4", "d_dims=4", "d_mask_dims=4", "batch_size=1")


@dataclass(frozen=True)
class Job:
    """What a child does and how it ends.

    Attributes:
        what: `train`, `push` or `pull`.
        root: The workspace's folder.
        remote: Folder with the copies.
        faulty: The folder is Google's side of a faulty mount, not a plain folder.
        seed: Of the faults.
        die_at: The child kills itself before its n-th change below `die_in`; None: somebody else does.
        die_in: Part of a path: `/model/` is inside a save, the remote's folder inside a copy.
    """

    what: str
    root: Path
    remote: Path
    faulty: bool
    seed: int
    die_at: int | None = None
    die_in: str = ""


def start(job: Job) -> tuple[int, int]:
    """Fork a child; its number, and a pipe with what it tells, one line each."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        quiet = os.open(os.devnull, os.O_WRONLY)
        if not os.environ.get("SOAK_LOUD"):
            os.dup2(quiet, 2)

        def tell(text: str) -> None:
            os.write(writing, f"{text}\n".encode())

        try:
            _run(job, tell)
            tell("done")
        except DFLColabError as error:
            tell(f"refused {error}")
        except BaseException as error:  # noqa: BLE001
            import traceback

            traceback.print_exc()
            tell(f"failed {type(error).__name__}: {' '.join(str(error).split())}")
    finally:
        os._exit(0)


class _Told(Progress):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def message(self, text: str) -> None:
        for line in text.splitlines():
            self._tell(f"said {line}")


def _run(job: Job, tell: Callable[[str], None]) -> None:
    address = str(job.remote)
    if job.faulty:
        mount(job.remote, random.Random(job.seed))
        address = ADDRESS
    progress = _Told(tell)
    if job.die_at is not None and job.what != "train":
        _die_at(job.die_at, job.die_in)
    if job.what == "train":
        _listen(tell, job)
        background_push._LOOK_S = 0.05
        config = TrainConfig(
            model=MODEL, preset="tiny", set=_SMALL, save_every=_SAVE_EVERY, preview_every=0,
            remote=address, push_minutes=0.15 / 60, precision="float32",
        )  # fmt: skip
        train(job.root, config, progress=progress)
    elif job.what == "push":
        report = sync(job.root, SyncConfig(action="push", remote=address), progress=progress)
        tell(f"said {report.name}: {report.proof}.")
    else:
        sync(job.root, SyncConfig(action="pull", remote=address), progress=progress)


def _fingerprint(*parts: Mapping[str, Array]) -> str:
    """Of all names and numbers."""
    digest = hashlib.sha256()
    for part in parts:
        for name in sorted(part):
            digest.update(name.encode())
            digest.update(part[name].tobytes())
    return digest.hexdigest()


def _listen(tell: Callable[[str], None], job: Job) -> None:
    """Tell what is saved and what is resumed; begin to count changes of the disk when training does."""
    restore, start_new, contents = Session.restore, Session.start_new, Session._contents

    def begin() -> None:
        if job.die_at is not None:
            _die_at(job.die_at, job.die_in)

    def restored(self: Session, checkpoint: Checkpoint, **how: Any) -> None:
        restore(self, checkpoint, **how)
        now = _fingerprint(self._state.weights(), self._state.optimizer())
        known = self.history.path.stat().st_size == 8 * checkpoint.iteration
        tell(f"resumed {checkpoint.iteration} {now} {'with' if known else 'WITHOUT'} losses")
        begin()

    def begun(self: Session) -> None:
        start_new(self)
        tell("resumed 0 new with losses")
        begin()

    def copied(self: Session, preview: bytes) -> Contents:
        made = contents(self, preview)
        tell(f"saves {made.iteration} {_fingerprint(made.weights, made.optimizer)}")
        return made

    Session.restore = restored  # type: ignore[method-assign]
    Session.start_new = begun  # type: ignore[method-assign]
    Session._contents = copied  # type: ignore[method-assign]


def _die_at(step: int, inside: str) -> None:
    """SIGKILL before the n-th change of the disk below a folder."""
    left = step
    changes = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event == "open":
            path, mode, flags = arguments
            written = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if mode is None else (
                any(letter in str(mode) for letter in "wax+")
            )  # fmt: skip
            if not written:
                return
        elif event in changes:
            path = arguments[0]
        else:
            return
        if inside in str(path):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    fsync = os.fsync

    def counted(descriptor: int) -> None:
        hook("os.rename", (Path(f"/proc/self/fd/{descriptor}").readlink(),))
        fsync(descriptor)

    os.fsync = counted
    sys.addaudithook(hook)
