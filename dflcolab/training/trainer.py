"""The training loop: step, read losses, ask the callbacks, until somebody says stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import numpy as np

from dflcolab.arrays import Tensor
from dflcolab.engine.checkpoint import Checkpoint
from dflcolab.engine.loss_history import LossHistory
from dflcolab.errors import DivergedError
from dflcolab.models.kinds import ModelOptions
from dflcolab.progress import Progress
from dflcolab.sync.proof import Proof
from dflcolab.training.devices import Devices
from dflcolab.training.faults import Fault, FaultKind

_READ_SECONDS = 2.0


class Callback(Protocol):
    """Looks at the loop after each iteration; may save, draw, or set `loop.stopped_because`."""

    def __call__(self, loop: TrainingLoop) -> None: ...


class Copies(Callback, Protocol):
    """Copies checkpoints to another place while training goes on; a callback like the others."""

    def in_use(self) -> Collection[str]:
        """Names of the checkpoint folders that are being copied: they must stay for now."""
        ...

    def seconds_needed(self) -> float:
        """How long a last copy will take."""
        ...


class Trained(Protocol):
    """What a loop can train: a session of a model that swaps faces, or of one that masks them.

    Attributes:
        iteration: Finished iterations.
        checkpoint: The last one that it wrote and that stands.
        save_seconds: How long that took.
    """

    iteration: int
    checkpoint: Checkpoint | None
    save_seconds: float

    @property
    def devices(self) -> Devices:
        """What it trains on."""
        ...

    @property
    def options(self) -> ModelOptions:
        """Of the model."""
        ...

    @property
    def history(self) -> LossHistory:
        """Losses of all iterations."""
        ...

    @property
    def is_saving(self) -> bool:
        """True while a checkpoint is being written."""
        ...

    def train_one(self) -> Tensor | None:
        """One step; its losses, one per side, still on the device. None: it is back at a save."""
        ...

    def preview(self) -> bytes:
        """A picture of what it can do now, as a JPEG file."""
        ...

    def begin_save(
        self, *, keep: int, preview: bytes, in_use: Callable[[], Collection[str]] = tuple
    ) -> None:
        """Begin to write a checkpoint."""
        ...

    def look_for_saved(self) -> None:
        """Take notice of a save that has ended since."""
        ...

    def settle(self) -> None:
        """Wait for the save that is being written."""
        ...

    def diverged(self) -> DivergedError:
        """The error that tells of losses or weights that are no numbers any more."""
        ...


class GoesBack(Protocol):
    """Finds faults in losses and goes back behind them (see `RollBack`); knows one kind of session."""

    def start(self, session: Any) -> None:
        """Before the first iteration."""
        ...

    def read(self, session: Any, losses: Any) -> Fault | None:
        """Look at losses that were read."""
        ...

    def refill(self, session: Any) -> None:
        """The session went back by itself."""
        ...

    def recover(self, session: Any, fault: Fault) -> str:
        """Go back; what happened, in a sentence."""
        ...


class TrainingLoop:
    """Runs iterations of a session.

    Args:
        session: What is trained.
        callbacks: Called in order after each iteration.
        keep: Checkpoints that stay on disk.
        read_every: Iterations between two looks at the losses.
        in_use: Asked for the names of checkpoints that must stay for now.
        roll_back: Goes back to a good checkpoint after a fault; None: losses that are no numbers end
            the run.
        loss_names: What the losses of a step are called.

    Attributes:
        stopped_because: Why the loop ended or is to end; empty while it goes on.
        started: Time of the start, `time.monotonic`.
        checkpoint: The last one written by this run that stands.
        stalled_seconds: How long all saves together have kept the steps waiting.
        recent: The losses read last, one for each of `loss_names`.
    """

    def __init__(
        self,
        session: Trained,
        callbacks: Sequence[Callback],
        *,
        keep: int,
        read_every: int,
        in_use: Callable[[], Collection[str]] = tuple,
        roll_back: GoesBack | None = None,
        loss_names: Sequence[str] = ("src", "dst"),
    ) -> None:
        self.session = session
        self._roll_back = roll_back
        self._fault: Fault | None = None
        self._in_use = in_use
        self._progress = Progress()
        self._begun_at: int | None = None
        self._callbacks = callbacks
        self._keep = keep
        self._read_every = read_every
        self._unread: list[Tensor] = []
        self._last_read = 0.0
        self.stopped_because = ""
        self._wish = ""
        self.started = time.monotonic()
        self.checkpoint: Checkpoint | None = None
        self.loss_names = tuple(loss_names)
        self.recent: tuple[float, ...] = (float("nan"),) * len(self.loss_names)
        self.iterations_per_second = 0.0
        self.stalled_seconds = 0.0

    @property
    def save_seconds(self) -> float:
        """How long a save takes, from its begin to its marker; 0 before the first one."""
        return self.session.save_seconds

    def run(self, progress: Progress, *, target: int | None) -> None:
        """Train until a callback sets `stopped_because`, then save and wait for the save.

        Whatever else ends it, a save that has begun is finished.

        Args:
            progress: Shows the iterations.
            target: Where they will end, if that is known.

        Raises:
            ModelError: The losses are no numbers any more, and going back did not help.
            StorageError: A checkpoint could not be written.
        """
        self._progress = progress
        if self._roll_back is not None:
            self._roll_back.start(self.session)
        try:
            self._train(progress, target)
        finally:
            self.session.settle()
        self._acknowledge()

    def _train(self, progress: Progress, target: int | None) -> None:
        session = self.session
        first = session.iteration
        with progress.task("Training", total=target, unit="iterations", done=first) as task:
            steady, steady_from = time.monotonic(), first
            while self._fault is not None or not self._is_over(steady, steady_from):
                if self._fault is not None:
                    task.advance(-self._recover())
                    first = session.iteration
                    steady, steady_from = time.monotonic(), session.iteration
                    continue
                before = session.iteration
                losses = session.train_one()
                if losses is None:  # back at the last save
                    self._unread.clear()
                    if self._roll_back is not None:
                        self._roll_back.refill(session)
                    task.advance(session.iteration - before)
                    first = min(first, session.iteration)
                    steady, steady_from = time.monotonic(), session.iteration
                    continue
                self._unread.append(losses)
                self._read_if_due()
                session.look_for_saved()
                self._acknowledge()
                known = zip(self.loss_names, self.recent, strict=True)
                task.advance(note=" ".join(f"{name} {loss:.4f}" for name, loss in known))
                for callback in self._callbacks:
                    callback(self)
                self._agree()
                if session.iteration == first + 1:
                    # The first iteration holds the compilation and says nothing about the rate.
                    self.read_losses()
                    steady, steady_from = time.monotonic(), session.iteration

    def _is_over(self, steady: float, steady_from: int) -> bool:
        """True if the loop is to end and its last state is being saved.

        Args:
            steady: When the rate became steady, `time.monotonic`.
            steady_from: At which iteration.
        """
        if not self.stopped_because:
            return False
        self.read_losses()
        seconds = time.monotonic() - steady
        self.iterations_per_second = (self.session.iteration - steady_from) / max(seconds, 1e-9)
        self.save()
        return self._fault is None

    def suspect(self, fault: Fault | None) -> None:
        """Tell of a fault that was seen outside of the losses; the loop goes back before its next step.

        Args:
            fault: What was seen (see `faults.fault_in_looks`); None: nothing.
        """
        if self._roll_back is not None and self.session.devices.workers == 1:
            self._fault = self._fault or fault

    def _recover(self) -> int:
        """Go back behind the fault and save that; how many iterations that gave up."""
        assert self._roll_back is not None
        assert self._fault is not None
        fault, at = self._fault, self.session.iteration
        text = self._roll_back.recover(self.session, fault)
        self._fault = None
        self._unread.clear()
        self._begun_at = None
        if self.stopped_because == "target_iter":
            self.stopped_because = ""
        self._progress.message(text)
        self.save()
        return at - self.session.iteration

    def save(self) -> None:
        """Begin a checkpoint, unless this iteration is saved already, or another worker does.

        One that is still being written is waited for. Nothing is saved of a state with a fault.

        Raises:
            DivergedError: The losses or weights are no numbers any more, and nobody goes back.
            StorageError: A checkpoint could not be written.
        """
        if self._begun_at == self.session.iteration or not self.session.devices.is_chief:
            return
        start = time.monotonic()
        self.read_losses()
        if self._fault is not None:
            return
        self.session.settle()
        self._acknowledge()
        self._begun_at = self.session.iteration
        try:
            self.session.begin_save(
                keep=self._keep, preview=self.session.preview(), in_use=self._in_use
            )
        except DivergedError:
            if self._roll_back is None or self.session.devices.workers > 1:
                raise
            at = self.session.iteration
            self.suspect(Fault(FaultKind.NOT_A_NUMBER, at, at, "a weight is no number"))
        self.stalled_seconds += time.monotonic() - start

    def _acknowledge(self) -> None:
        """Tell of a checkpoint as soon as it stands."""
        checkpoint = self.session.checkpoint
        if checkpoint is not None and checkpoint is not self.checkpoint:
            self.checkpoint = checkpoint
            self._progress.message(f"Iteration {checkpoint.iteration}: {Proof.SAVED_HERE}.")
            self._progress.fact(
                "saved", iteration=checkpoint.iteration, proof=str(Proof.SAVED_HERE)
            )

    def read_losses(self) -> None:
        """Bring the losses that are still on the device over, and look at them.

        Raises:
            DivergedError: One is not a number, and nobody goes back.
        """
        if not self._unread:
            return
        values = np.stack([losses.numpy() for losses in self._unread])
        self._unread.clear()
        self._last_read = time.monotonic()
        if self._fault is not None:
            return  # these belong to what is given up
        if self._roll_back is not None:
            self.suspect(self._roll_back.read(self.session, values))
        elif not np.isfinite(values).all():
            raise self.session.diverged()
        if self._fault is not None:
            return
        self.session.history.append(values)
        self.session.history.flush()
        self.recent = tuple(float(loss) for loss in values.mean(axis=0))

    def _read_if_due(self) -> None:
        waited = time.monotonic() - self._last_read
        # Workers look at the same iterations, so that all of them see a divergence.
        long_ago = waited > _READ_SECONDS and self.session.devices.workers == 1
        if len(self._unread) >= self._read_every or long_ago:
            self.read_losses()

    def _agree(self) -> None:
        """Several workers end together: at the target, or when they next look at the losses."""
        devices = self.session.devices
        if devices.workers > 1 and self.stopped_because != "target_iter":
            self._wish = self.stopped_because or self._wish
            due = self.session.iteration % self._read_every == 0
            self.stopped_because = devices.agree(self._wish) if due else ""
