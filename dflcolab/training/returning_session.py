"""What every session does that can leave its state for an earlier one, with other random numbers."""

from __future__ import annotations

import abc
import gc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.engine.checkpoint import Checkpoint
from dflcolab.engine.loss_history import LossHistory
from dflcolab.engine.precision import Precision
from dflcolab.models.kinds import ModelOptions
from dflcolab.training.devices import Devices
from dflcolab.training.saved_session import SavedSession, silent


class ReturningSession(SavedSession):
    """A saved session that a roll-back can bring back, and that a watch can judge.

    Args:
        model_dir: Where checkpoints and histories go.
        history: Losses of all iterations.
        options: The model and how it trains.
        seed: Root of all random numbers.
        devices: What it trains on.
        note: Gets a sentence where training has to wait for a save.

    Attributes:
        options: As given, or what a roll-back made of them.
        seed: As given.
        devices: As given.
        precision: Type the networks compute in.
        seed_stream: Which of the run's orders of faces and random numbers is in use; a roll-back
            takes the next one, so that it does not meet the same fault again.
        restored: `state.json` of the checkpoint that it goes on from; empty for a new model.
    """

    precision: Precision
    _step: Any

    def __init__(
        self,
        model_dir: Path,
        history: LossHistory,
        options: Any,
        *,
        seed: int,
        devices: Devices,
        note: Callable[[str], None] = silent,
    ) -> None:
        super().__init__(model_dir, history, pretrain=options.pretrain, note=note)
        self.options = options
        self.seed = seed
        self.devices = devices
        self.seed_stream = 0
        self.restored: Mapping[str, Any] = {}
        self._start: Callable[[], None] | None = None

    @abc.abstractmethod
    def restore(
        self,
        checkpoint: Checkpoint,
        *,
        note: Callable[[str], None] = silent,
        seed_stream: int | None = None,
    ) -> None:
        """Go on exactly where a verified checkpoint ended.

        Args:
            checkpoint: Of this model.
            note: Gets a sentence where a part of the model starts anew.
            seed_stream: Random numbers that differ from the checkpoint's; None: those that it had.

        Raises:
            ModelError: Its weights do not fit the model.
            CheckpointError: Its optimizer does not fit the model.
        """

    @abc.abstractmethod
    def face_counts(self) -> dict[str, dict[str, int]]:
        """By side: faces in `training`, and `held_out`."""

    @abc.abstractmethod
    def evaluate(self) -> dict[str, float] | None:
        """Measures of the held-out faces; None without any, or where one is no number."""

    @abc.abstractmethod
    def _score_of(self, measures: Mapping[str, float] | None) -> float | None:
        """The loss by which states are compared: of what `evaluate` gave."""

    def held_out_score(self) -> float | None:
        """Loss on the held-out faces, all sides together; None where `evaluate` has none."""
        return self._score_of(self.evaluate())

    @abc.abstractmethod
    def _make_samplers(self) -> None:
        """The orders of the faces, by the options and the seed as they are now."""

    @property
    def skips_all_steps(self) -> bool:
        """True if the last step overflowed half precision, though the loss scale is at its lowest."""
        return any(
            scale.active and float(scale.scale.numpy()) <= 1 and int(scale.good_steps.numpy()) == 0
            for scale in self._step.loss_scales.values()
        )

    @property
    def can_start_over(self) -> bool:
        """True if `roll_back` can go behind all checkpoints."""
        return self._start is not None

    def roll_back(
        self,
        checkpoint: Checkpoint | None,
        options: ModelOptions,
        *,
        note: Callable[[str], None] = silent,
    ) -> None:
        """Leave the present state for an earlier one, with other options and random numbers.

        Args:
            checkpoint: A verified one of this model; None: as new, or as it left pretraining (see
                `can_start_over`).
            options: Of the same structure as before.
            note: Gets a sentence where a part of the model starts anew.

        Raises:
            CheckpointError: The checkpoint cannot be read.
        """
        stream = self.seed_stream + 1
        self._give_up(options)
        if checkpoint is None:
            assert self._start is not None
            self._use_stream(stream)
            self._start()
        else:
            self.restore(checkpoint, note=note, seed_stream=stream)

    @property
    def _stream_seed(self) -> int:
        """Root of the random numbers of the stream in use; the first one is that of the seed."""
        if not self.seed_stream:
            return self.seed
        words = np.random.SeedSequence([self.seed, self.seed_stream]).generate_state(1)
        return int(words[0])

    def _use_stream(self, seed_stream: int) -> None:
        """Take another stream of random numbers; the step is to be made anew afterwards."""
        if seed_stream != self.seed_stream:
            self.seed_stream = seed_stream
            self._make_samplers()

    def _scales_to_plain(self) -> dict[str, dict[str, float]]:
        """The step's loss scales, as a checkpoint holds them."""
        return {
            name: {
                "scale": float(scale.scale.numpy()),
                "good_steps": int(scale.good_steps.numpy()),
            }
            for name, scale in self._step.loss_scales.items()
        }

    def _restore_scales(self, stored: Mapping[str, Mapping[str, float]]) -> None:
        """Take over loss scales that a checkpoint holds."""
        for name, scale in self._step.loss_scales.items():
            if scale.active and name in stored:
                scale.scale.assign(stored[name]["scale"])
                scale.good_steps.assign(stored[name]["good_steps"])

    def _give_up(self, options: ModelOptions) -> None:
        """Make room for a state under other options: both together may be too much for a device."""
        self.settle()
        self.options = options
        del self._step, self._state
        gc.collect()
