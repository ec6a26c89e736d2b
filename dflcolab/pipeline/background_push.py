"""Copies of the workspace while a model trains, so that a lost machine costs minutes.

A thread copies every few minutes what is new, under a lease that it holds for the whole run. It only
reads the workspace, and no step waits for it. Whatever goes wrong with the remote is one sentence; the
copy is tried again after growing pauses and catches up. The training loop asks for the sentences and
shows them: notebooks show nothing that comes from another thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import TracebackType

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.errors import DFLColabError, Interrupted
from dflcolab.pipeline.sync import push_workspace
from dflcolab.pipeline.travelling_checkpoints import TravellingCheckpoints
from dflcolab.progress import Progress, Task
from dflcolab.sync.copy_state import CopyState
from dflcolab.sync.generations import list_generations, proof_of_generation, read_manifest
from dflcolab.sync.lease import Lease, LeaseLostError
from dflcolab.sync.manifest import GenerationName
from dflcolab.sync.memory import Memory
from dflcolab.sync.proof import Proof, meaning
from dflcolab.sync.push import PushReport
from dflcolab.sync.remote import Remote
from dflcolab.sync.retention import Retention
from dflcolab.sync.writing import acquire
from dflcolab.training.trainer import TrainingLoop
from dflcolab.workspace.workspace import Workspace

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0
SILENCE_S = 600.0
"""A last copy that moves no byte for so long is given up."""

_LOOK_S = 60.0  # between two looks whether the Drive has uploaded what it was handed
_SLOWEST = 10e6  # bytes per second, until a copy has been measured
_LOG = logging.getLogger(__name__)


class _Watched(Progress):
    """Silent progress that knows when something moved last."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = time.monotonic()

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        self.moved = time.monotonic()
        return _WatchedTask(self, title, total, unit, done)


class _WatchedTask(Task):
    def __init__(
        self, watched: _Watched, title: str, total: int | None, unit: str, done: int
    ) -> None:
        super().__init__(title, total, unit, done)
        self._watched = watched

    def advance(self, n: int = 1, *, note: str = "") -> None:
        self._watched.moved = time.monotonic()
        super().advance(n)


class BackgroundPush:
    """Context manager around a training, and a callback of its loop.

    Leaving it makes the last copy, also after a failure of the training. A second Ctrl-C gives that
    copy up.

    Args:
        workspace: What is copied.
        model: Name of the model that trains.
        remote: Where to.
        minutes: Time between two copies.
        progress: Gets the sentences.
        copying: Context manager to have around every copy.
        first_pause_s: Pause after a first failure; it doubles with each further one.
    """

    def __init__(
        self,
        workspace: Workspace,
        model: str,
        remote: Remote,
        *,
        minutes: float,
        progress: Progress,
        copying: Callable[[], AbstractContextManager[object]] = nullcontext,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._workspace = workspace
        self._model_dir = workspace.model_dir(model)
        self._remote = remote
        self._interval_s = 60.0 * minutes
        self._progress = progress
        self._copying = copying
        self._first_pause_s = self._pause_s = first_pause_s
        self.state = CopyState(remote.name)
        self._own = _Watched()
        self._news: list[str] = []
        self._in_use: frozenset[str] = frozenset()
        self._seconds: list[float] = []
        self._n_bytes = 0
        self._told: set[str] = set()
        self._began: float | None = None
        self._lease: Lease | None = None
        self._wanted = threading.Event()
        self._last = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="copies", daemon=True)

    # ---- what the training loop asks ------------------------------------------------------------

    def __call__(self, loop: TrainingLoop) -> None:
        """Show what there is to tell."""
        if loop.checkpoint is not None:
            self._n_bytes = sum(size for size, _ in loop.checkpoint.parts.values())
        self._tell()

    def in_use(self) -> Collection[str]:
        """Names of the checkpoints that are being copied."""
        return self._in_use

    def seconds_needed(self) -> float:
        """How long the last copy will take, after earlier ones, or the size of a checkpoint."""
        seconds = max(self._seconds[-3:], default=0.0) or self._n_bytes / _SLOWEST
        began = self._began
        return seconds if began is None else seconds + max(0.0, began + seconds - time.monotonic())

    # ---- the run ----------------------------------------------------------------------------------

    def __enter__(self) -> BackgroundPush:
        self._thread.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._last = True
        if isinstance(error, KeyboardInterrupt):
            self._own.request_stop()
        self._wanted.set()
        try:
            self._wait()
        except KeyboardInterrupt:
            self._give_up("you pressed Ctrl-C again")
        self._tell()

    def _wait(self) -> None:
        """Until the thread has ended, or nothing moves any more."""
        if self._own.stop_requested:
            raise KeyboardInterrupt
        self._own.moved = time.monotonic()
        self._progress.message(f"Copying the last state to {self._remote.name}.")
        while self._thread.is_alive():
            self._thread.join(0.2)
            if time.monotonic() - self._own.moved > SILENCE_S:
                self._give_up(f"nothing moved for {SILENCE_S / 60:.0f} minutes")
                return

    def _give_up(self, why: str) -> None:
        self._own.request_stop()
        self._thread.join(5.0)
        if self._own.stop_requested and self.state.iteration != self._newest():
            self._note_problem(
                f"It was given up, since {why}; run `dflcolab sync push` while this machine is there."
            )

    def _run(self) -> None:
        """The thread: copy at once, then when it is time, and for the last time at the end."""
        due = time.monotonic()
        while True:
            last = self._last
            if time.monotonic() >= due or last:
                pause = self._attempt()
                due = time.monotonic() + pause
            if last:
                break
            self._look_again()
            self._wanted.wait(max(0.0, min(due - time.monotonic(), _LOOK_S)))
        self._release()

    def _attempt(self) -> float:
        """Copy now if there is something new; seconds until the next time."""
        if self._own.stop_requested:
            return self._interval_s
        newest = self._newest()
        fresh = newest is not None and newest != self.state.iteration
        if self.state.name and not fresh and not self.state.problem and not self._last:
            return min(self._interval_s, _LOOK_S)
        try:
            self._began = self._own.moved = time.monotonic()
            with self._copying():
                report = self._push()
            self._succeeded(report, newest, time.monotonic() - self._began)
        except Interrupted:
            return self._interval_s
        except (DFLColabError, OSError) as failure:
            return self._failed(str(failure))
        except Exception as failure:  # noqa: BLE001
            # Whatever it is, the next copy must be tried: a night's work hangs on this thread.
            _LOG.debug("unexpected failure", exc_info=True)
            return self._failed(f"{type(failure).__name__}: {failure}; please report it.")
        finally:
            self._began = None
            self._in_use = frozenset()
        return self._interval_s

    def _push(self) -> PushReport:
        try:
            lease = self._held_lease()
            return push_workspace(
                self._workspace,
                self._remote,
                self._own,
                lease=lease,
                retention=Retention(),
                on_chosen=self._note_in_use,
            )
        except LeaseLostError:
            self._release()
            raise

    def _held_lease(self) -> Lease:
        """The lease of this run; taken when it is not held yet."""
        if self._lease is not None:
            self._lease.beat()
            self._lease.check()
            return self._lease
        memory = Memory(self._workspace.root)
        memory.keep_name()
        names = list_generations(self._remote)
        self._lease = acquire(self._remote, memory.client, names, sightings=memory.sightings)
        if self._lease.note:
            self._add(self._lease.note)
        return self._lease.__enter__()

    def _release(self) -> None:
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _note_in_use(self, chosen: TravellingCheckpoints) -> None:
        self._in_use = frozenset(path.rpartition("/")[2] for path in chosen.paths)

    def _newest(self) -> int | None:
        checkpoints = list_checkpoints(self._model_dir)
        return checkpoints[-1].iteration if checkpoints else None

    # ---- what came of it --------------------------------------------------------------------------

    def _succeeded(self, report: PushReport, iteration: int | None, seconds: float) -> None:
        caught_up = bool(self.state.problem)
        known = (self.state.name, self.state.proof)
        self.state = CopyState(self._remote.name, report.name, iteration, report.proof)
        self._pause_s = self._first_pause_s
        if report.new_copy:
            self._seconds.append(seconds)
        if (report.name, report.proof) != known or caught_up:
            self._add(("It answers again. " if caught_up else "") + self.state.sentence())
        for note in report.notes:
            if note not in self._told:
                self._told.add(note)
                self._add(note)

    def _failed(self, problem: str) -> float:
        pause = self._pause_s
        self._pause_s = min(2 * pause, LONGEST_PAUSE_S)
        if not self.state.problem:
            self._add(
                f"{problem} Training goes on; the copy is tried again in {pause:.0f} s, then at "
                "longer intervals."
            )
        self._note_problem(problem)
        return pause

    def _note_problem(self, problem: str) -> None:
        self.state = replace(self.state, problem=problem)

    def _look_again(self) -> None:
        """See whether the Drive says by now that the newest copy is uploaded."""
        name = GenerationName.parse(self.state.name)
        if self.state.proof is not Proof.HANDED_TO_DRIVE or name is None:
            return
        try:
            proof = proof_of_generation(self._remote, read_manifest(self._remote, name))
        except (DFLColabError, OSError):
            return  # the next copy tells
        if proof is not self.state.proof:
            self.state = replace(self.state, proof=proof)
            self._add(f"{self.state.name}: {proof}. {meaning(proof)}")

    def _add(self, text: str) -> None:
        with self._lock:
            self._news.append(text)

    def _tell(self) -> None:
        with self._lock:
            news, self._news = self._news, []
        for text in news:
            self._progress.message(text)
        if news:
            self._progress.fact("copy", **to_plain(self.state), sentence=self.state.sentence())
