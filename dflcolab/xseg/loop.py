"""The loop of mask training: step, read losses, save, until the target, the clock or the user ends it."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import numpy as np

from dflcolab.arrays import Tensor
from dflcolab.files import storage_errors, write_bytes
from dflcolab.progress import Progress
from dflcolab.xseg.session import MaskSession

_READ_EVERY = 10
_READ_SECONDS = 2.0


class MaskLoop:
    """Runs iterations of a session.

    Args:
        session: What is trained.
        keep: Checkpoints that stay.
        save_every: Iterations between two saves; 0 = never by iterations.
        save_minutes: Minutes between two saves; 0 = never by time.
        preview_every: Iterations between two previews in `history_dir`; 0 = none.
        history_dir: For previews, and the held-out faces' measures beside them.
        stop_file: Ends the run when it appears.

    Attributes:
        recent: Mean loss of the iterations read last.
        iterations_per_second: Compilation not counted; known when the run has ended.
        stopped_because: `target_iter`, `deadline`, `stop_file` or `interrupted`.
    """

    def __init__(
        self,
        session: MaskSession,
        *,
        keep: int,
        save_every: int,
        save_minutes: float,
        preview_every: int,
        history_dir: Path,
        stop_file: Path,
    ) -> None:
        self._session = session
        self._keep = keep
        self._save_every, self._save_seconds = save_every, save_minutes * 60
        self._preview_every, self._history_dir = preview_every, history_dir
        self._stop_file = stop_file
        self._unread: list[Tensor] = []
        self._last_read = self._last_save = time.monotonic()
        self._begun_at = session.iteration
        self.recent = math.nan
        self.iterations_per_second = 0.0
        self.stopped_because = ""

    def run(self, progress: Progress, *, target: int | None, end: float | None) -> None:
        """Train until somebody says stop, then save and wait for the save.

        Args:
            progress: Shows the iterations and carries the wish to stop.
            target: Iteration at which training ends; None = never.
            end: When it ends, `time.monotonic`; None = never.

        Raises:
            DivergedError: The losses are no numbers any more.
            StorageError: A checkpoint could not be written.
        """
        session, first = self._session, self._session.iteration
        steady, steady_from = time.monotonic(), first
        try:
            with progress.task(
                "Training masks", total=target, unit="iterations", done=first
            ) as bar:
                while not self.stopped_because:
                    self._unread.append(session.train_one())
                    waited = time.monotonic() - self._last_read
                    if len(self._unread) >= _READ_EVERY or waited > _READ_SECONDS:
                        self._read()
                    if session.iteration == first + 1:  # the one that was compiled
                        self._read()
                        steady, steady_from = time.monotonic(), session.iteration
                    session.look_for_saved()
                    bar.advance(note=f"loss {self.recent:.4f}")
                    self._look_around(progress, target, end)
            self._read()
            passed = max(time.monotonic() - steady, 1e-9)
            self.iterations_per_second = (session.iteration - steady_from) / passed
            self._save()
        finally:
            session.settle()

    def _look_around(self, progress: Progress, target: int | None, end: float | None) -> None:
        """Previews and saves that are due, and reasons to end."""
        session = self._session
        if self._preview_every and session.iteration % self._preview_every == 0:
            self._read()
            self._keep_preview()
        due = self._save_every > 0 and session.iteration % self._save_every == 0
        late = 0 < self._save_seconds <= time.monotonic() - self._last_save
        if due or (late and not session.is_saving):
            self._save()
        if target is not None and session.iteration >= target:
            self.stopped_because = "target_iter"
        elif progress.stop_requested:
            self.stopped_because = "interrupted"
        elif end is not None and time.monotonic() + session.save_seconds >= end:
            self.stopped_because = "deadline"
        elif session.iteration % _READ_EVERY == 0 and self._stop_file.exists():
            self._stop_file.unlink(missing_ok=True)
            self.stopped_because = "stop_file"

    def _save(self) -> None:
        if self._begun_at == self._session.iteration:
            return
        self._read()
        self._begun_at = self._session.iteration
        self._session.begin_save(keep=self._keep)
        self._last_save = time.monotonic()

    def _read(self) -> None:
        """Bring the losses that are still on the device over, and look at them."""
        if not self._unread:
            return
        values = np.array([float(loss.numpy()) for loss in self._unread])
        self._unread.clear()
        self._last_read = time.monotonic()
        if not np.isfinite(values).all():
            raise self._session.diverged()
        # The history has two columns, for models with two sides.
        self._session.history.append(np.stack([values, np.full(len(values), np.nan)], axis=1))
        self._session.history.flush()
        self.recent = float(values.mean())

    def _keep_preview(self) -> None:
        session, folder = self._session, self._history_dir
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            name = f"preview-{session.iteration:09d}.jpg"
            write_bytes(folder / name, session.preview(), durable=False)
            entry = {
                "iteration": session.iteration,
                "training": {"loss": self.recent},
                "held_out": session.evaluate(),
            }
            with (folder / "held_out.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry) + "\n")
