"""What looks at the training loop after each iteration: saves, previews, figures, and ends."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

from dflcolab.files import storage_errors, write_bytes
from dflcolab.progress import Progress, Wish
from dflcolab.training.trainer import Callback, Copies, TrainingLoop

_TELL_SECONDS = 1.0
_SHARE_OF_PICTURES = 0.02


class StopAtTarget:
    """Ends the loop at an iteration."""

    def __init__(self, target: int) -> None:
        self._target = target

    def __call__(self, loop: TrainingLoop) -> None:
        if loop.session.iteration >= self._target:
            loop.stopped_because = "target_iter"


class StopAtDeadline:
    """Ends the loop so early that the last save, and a copy of it, fit into the time.

    Args:
        seconds: Length of the run.
        since: When it began, `time.monotonic`.
        copy_seconds: Asked for the time of a copy.
    """

    def __init__(
        self, seconds: float, *, since: float, copy_seconds: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._end = since + seconds
        self._copy_seconds = copy_seconds

    def __call__(self, loop: TrainingLoop) -> None:
        if time.monotonic() + loop.save_seconds + self._copy_seconds() >= self._end:
            loop.stopped_because = loop.stopped_because or "deadline"


def ends_of_a_run(
    *,
    target: int | None,
    seconds: float | None,
    began: float,
    copies: Copies | None,
    progress: Progress,
) -> list[Callback]:
    """What ends a run by itself, with the copies between: a deadline asks them for their time.

    Args:
        target: Iteration to end at.
        seconds: Length of the run.
        began: When it began, `time.monotonic`.
        copies: Copies checkpoints meanwhile.
        progress: Is told of the deadline.
    """
    found: list[Callback] = [] if target is None else [StopAtTarget(target)]
    if copies is not None:
        found.append(copies)
    if seconds is not None:
        progress.fact("deadline", seconds=began + seconds - time.monotonic())
        copy_seconds = copies.seconds_needed if copies else lambda: 0.0
        found.append(StopAtDeadline(seconds, since=began, copy_seconds=copy_seconds))
    return found


class StopOnRequest:
    """Ends the loop when the user asks for it: a signal, a button, or a file named STOP."""

    def __init__(self, progress: Progress, stop_file: Path) -> None:
        self._progress = progress
        self._file = stop_file
        self._looked = 0.0

    def __call__(self, loop: TrainingLoop) -> None:
        if self._progress.stop_requested:
            loop.stopped_because = "interrupted"
        elif self._progress.take(Wish.FINISH):
            loop.stopped_because = "button"
        elif time.monotonic() - self._looked > 1.0:
            self._looked = time.monotonic()
            if self._file.exists():
                self._file.unlink(missing_ok=True)
                loop.stopped_because = "stop_file"


class SaveOnSchedule:
    """Saves every so many iterations, every so many minutes, and when somebody asks for it.

    While a save is being written, one that is due by time is put off until that one stands; one
    that is due by iterations waits for it, since those iterations were asked for.
    """

    def __init__(self, *, every: int, minutes: float, progress: Progress | None = None) -> None:
        self._progress = progress or Progress()
        self._every = every
        self._seconds = minutes * 60
        self._last = time.monotonic()

    def __call__(self, loop: TrainingLoop) -> None:
        by_count = self._every > 0 and loop.session.iteration % self._every == 0
        by_time = self._seconds > 0 and time.monotonic() - self._last >= self._seconds
        asked = self._progress.take(Wish.SAVE)
        if by_count or asked or (by_time and not loop.session.is_saving):
            loop.save()
            self._last = time.monotonic()


class PreviewOnSchedule:
    """Keeps a preview picture every so many iterations, and when somebody asks for one.

    Where somebody looks, more of them are shown between, as often as costs 2 % of the time at most;
    those are not kept.
    """

    def __init__(self, folder: Path, *, every: int, progress: Progress | None = None) -> None:
        self._folder = folder
        self._progress = progress or Progress()
        self._every = every
        self._due = -math.inf
        self._compiled = False

    def __call__(self, loop: TrainingLoop) -> None:
        by_count = self._every > 0 and loop.session.iteration % self._every == 0
        kept = self._progress.take(Wish.PREVIEW) or by_count
        shown = time.monotonic() >= self._due and math.isfinite(self._progress.picture_seconds)
        if not kept and not shown:
            return
        loop.read_losses()
        began = time.monotonic()
        picture = loop.session.preview()
        if kept:
            with storage_errors(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                name = f"preview-{loop.session.iteration:09d}.jpg"
                write_bytes(self._folder / name, picture, durable=False)
        self._progress.picture(loop.session.iteration, picture)
        now = time.monotonic()
        seconds = now - began if self._compiled else 0.0  # the first one says nothing about others
        self._compiled = True
        self._due = now + max(self._progress.picture_seconds, seconds / _SHARE_OF_PICTURES)


class TellLosses:
    """Tells the iteration and the losses read last, about every second."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._due = -math.inf

    def __call__(self, loop: TrainingLoop) -> None:
        if time.monotonic() < self._due or not all(map(math.isfinite, loop.recent)):
            return
        self._due = time.monotonic() + _TELL_SECONDS
        losses = dict(zip(loop.loss_names, loop.recent, strict=True))
        self._progress.fact("losses", iteration=loop.session.iteration, **losses)
