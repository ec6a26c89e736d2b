"""The toy of `night` under the watch: looks at its weights, phases, faults and kills, in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from dflcolab.engine.checkpoint import Checkpoint, latest_checkpoint
from dflcolab.models.saehd.options import SaehdOptions, saehd_options
from dflcolab.progress import Progress
from dflcolab.training.callbacks import SaveOnSchedule, StopAtTarget
from dflcolab.training.evaluator import Evaluation
from dflcolab.training.rollback import RollBack
from dflcolab.training.session import Session
from dflcolab.training.trainer import Callback, TrainingLoop
from dflcolab.training.watching import Watch, WatchSettings
from dflcolab.watch.looks import Sample
from tests.training.night import LEARNED, TINY, Killed, ToySession, faces

_STRETCHES = {"held_out": (1.0, 1.1, 0.9, 1.0), "training": (0.8, 0.9, 0.7, 1.0)}
"""How hard the faces of each stretch are."""


class WatchedToy(ToySession):
    """A toy that can be looked at. Killed at the switches that `kills_at` says, before they happen."""

    kills_at: ClassVar[list[int]] = []

    def look(self, *, swap: bool) -> Evaluation:
        measures: dict[str, Sample] = {}
        for side, goal in self._step.goals.items():
            weights = self._state.variables[LEARNED[side]].numpy()
            loss = float(np.mean((weights - goal) ** 2)) + 0.05
            for group, hard in _STRETCHES.items():
                means = tuple(float(f"{loss * factor:.7g}") for factor in hard)
                measures[f"{side}/{group}/loss"] = Sample(means, (3,) * len(hard))
        return Evaluation(measures, swap, 0.0)

    def go_on_with(self, options: SaehdOptions, checkpoint: Checkpoint, **more: object) -> None:
        if self.iteration in self.kills_at:
            self.kills_at.remove(self.iteration)
            raise Killed
        super().go_on_with(options, checkpoint)


def watched(
    folder: Path,
    target: int,
    settings: WatchSettings,
    callbacks: Sequence[Callback] = (),
    *,
    save_every: int,
    progress: Progress | None = None,
    prepare: Callable[[Session], None] = lambda _: None,
) -> tuple[WatchedToy, Watch]:
    """Train from the folder's latest checkpoint to an iteration.

    Args:
        folder: Of the model.
        target: Where it ends.
        settings: Of the watch.
        callbacks: Called after the watch.
        save_every: Iterations between saves.
        progress: Gets the sentences.
        prepare: Called with the session before its first iteration.

    Raises:
        Killed: By a callback, or at a switch.
    """
    progress = progress or Progress()
    checkpoint = latest_checkpoint(folder)
    state = checkpoint.state() if checkpoint else {}
    options = saehd_options(state.get("options", TINY))
    session = WatchedToy(folder, options, faces(24, 1), faces(24, 2), seed=3, precision="float32")
    watch = Watch(session, settings, progress)
    saves = SaveOnSchedule(every=save_every, minutes=0)
    loop = TrainingLoop(
        session, [watch, *callbacks, saves, StopAtTarget(target)], keep=3, read_every=10,
        in_use=watch.in_use, roll_back=RollBack(watch.event, rolled_back=watch.rolled_back),
    )  # fmt: skip
    if checkpoint is None:
        session.start_new()
    else:
        session.restore(checkpoint)
    prepare(session)
    watch.begin({}, checkpoint, by_hand=False)
    loop.run(progress, target=target)
    return session, watch
