"""What every session does about its checkpoints: write them beside the training, and know the best."""

from __future__ import annotations

import abc
import dataclasses
import math
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.engine.background_save import BackgroundSaver, fits_into_memory
from dflcolab.engine.checkpoint import (
    SCORED_BY,
    Checkpoint,
    Contents,
    best_of,
    list_checkpoints,
    scores_of,
    write_checkpoint,
)
from dflcolab.engine.loss_history import LossHistory
from dflcolab.errors import DivergedError
from dflcolab.training.model_state import ModelState


def silent(_: str) -> None:
    """Nobody listens."""


class SavedSession(abc.ABC):
    """A training whose state is saved while it goes on.

    Args:
        model_dir: Where checkpoints and histories go.
        history: Losses of all iterations.
        pretrain: Whether it pretrains; scores of pretraining and training are not compared.
        note: Gets a sentence where training has to wait for a save.

    Attributes:
        model_dir: As given.
        history: As given.
        iteration: Finished iterations.
        also_saved: By name, what else goes into `state.json`, asked for at each save.
        checkpoint: The last one that this session wrote and that stands.
        save_seconds: How long it took, from the begin to the marker.
    """

    _state: ModelState

    def __init__(
        self,
        model_dir: Path,
        history: LossHistory,
        *,
        pretrain: bool,
        note: Callable[[str], None] = silent,
    ) -> None:
        self.model_dir = model_dir
        self.history = history
        self.iteration = 0
        self.also_saved: dict[str, Callable[[], object]] = {}
        self.checkpoint: Checkpoint | None = None
        self.save_seconds = 0.0
        self._pretrains = pretrain
        self._note = note
        self._told_of_memory = False
        self._saver = BackgroundSaver()

    @abc.abstractmethod
    def _contents(self, preview: bytes) -> Contents:
        """A copy of everything as it is now.

        Raises:
            DivergedError: A weight is not a finite number.
        """

    @abc.abstractmethod
    def diverged(self) -> DivergedError:
        """The error that tells of losses or weights that are no numbers any more."""

    @property
    def scored_by(self) -> str | None:
        """Stands for what the held-out loss means and whose it is (see `SCORED_BY`)."""
        return None

    def saved_scores(self) -> dict[int, float]:
        """Held-out losses on disk that are comparable with that of the present state, by iteration."""
        checkpoints = list_checkpoints(self.model_dir)
        like = {"pretraining": self._pretrains, SCORED_BY: self.scored_by}
        scores = scores_of(checkpoints, like=like)
        return {c.iteration: scores[c.folder.name] for c in checkpoints if c.folder.name in scores}

    def best_score(self) -> float:
        """The lowest of them; infinite without any."""
        return min(self.saved_scores().values(), default=math.inf)

    def _saved(self, checkpoint: Checkpoint) -> None:
        """Told of each checkpoint that stands."""
        self.checkpoint = checkpoint

    @property
    def is_saving(self) -> bool:
        """True while a checkpoint is being written."""
        return self._saver.is_busy

    def save(self, *, keep: int, preview: bytes) -> Checkpoint:
        """Write a checkpoint of the present state, and wait until it stands.

        Raises:
            DivergedError: A weight is not a finite number; the earlier checkpoints stay.
            StorageError: The disk is full.
        """
        self.begin_save(keep=keep, preview=preview)
        self.settle()
        assert self.checkpoint is not None
        return self.checkpoint

    def begin_save(
        self, *, keep: int, preview: bytes, in_use: Callable[[], Collection[str]] = tuple
    ) -> None:
        """Copy the present state into memory; the disk gets it while training goes on.

        One save at a time: this one waits until the one before stands. Where memory is too small for
        a copy beside the training, it waits for the disk as well.

        Args:
            keep: Checkpoints that stay on disk.
            preview: A JPEG file.
            in_use: Asked for the names of checkpoints that must stay for now.

        Raises:
            DivergedError: A weight is not a finite number; the earlier checkpoints stay.
            StorageError: The disk is full.
        """
        self.settle()
        began = time.monotonic()
        beside = fits_into_memory(self._state.n_bytes)
        if not beside and not self._told_of_memory:
            self._told_of_memory = True
            self._note(
                f"Memory has no room for a copy of the model ({self._state.n_bytes >> 20} MB), so "
                "training waits while it is saved."
            )
        contents = self._contents(preview)
        state = {**contents.state, SCORED_BY: self.scored_by}
        contents = dataclasses.replace(contents, state=state)
        best = self._best_before(state)

        def write() -> Checkpoint:
            self.history.force()
            checkpoint = write_checkpoint(
                self.model_dir, contents, keep=keep, best=best, in_use=in_use
            )
            self.save_seconds = time.monotonic() - began
            return checkpoint

        self._saver.begin(write)
        if not beside:
            self.settle()

    def look_for_saved(self) -> None:
        """Take notice of a save that has ended since; does not wait.

        Raises:
            StorageError: It failed; the earlier checkpoints are untouched.
        """
        self._take_notice(self._saver.finished())

    def settle(self) -> None:
        """Wait for the save that is being written.

        Raises:
            StorageError: It failed; the earlier checkpoints are untouched.
        """
        self._take_notice(self._saver.settle())

    def _take_notice(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is not None:
            self._saved(checkpoint)

    def _finite_weights(self) -> dict[str, np.ndarray]:
        """A copy of all weights.

        Raises:
            DivergedError: One is not a finite number.
        """
        weights = self._state.weights()
        if not all(np.isfinite(value).all() for value in weights.values()):
            raise self.diverged()
        return weights

    def _last_good(self) -> str:
        """Name of the newest checkpoint, for messages."""
        checkpoints = list_checkpoints(self.model_dir)
        return checkpoints[-1].folder.name if checkpoints else "none yet"

    def _best_before(self, state: Mapping[str, Any]) -> str | None:
        """Which checkpoint stays as the best: "" for the one about to be written, of this state."""
        checkpoints = list_checkpoints(self.model_dir)
        if state["held_out_loss"] is None:
            return best_of(checkpoints)
        scores = scores_of(checkpoints, like=state)
        best = min(scores, key=lambda name: scores[name], default="")
        return best if best and scores[best] <= state["held_out_loss"] else ""
