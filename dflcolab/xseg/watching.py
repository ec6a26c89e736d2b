"""The watch beside mask training: looks at held-out labels, what they say, and the end by it.

The judgement is that of the watch over swapping models, with one side: the labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dflcolab.progress import Progress
from dflcolab.training.faults import fault_in_looks
from dflcolab.training.recorded_watch import RecordedWatch, StopOn
from dflcolab.training.returning_session import ReturningSession
from dflcolab.training.trainer import TrainingLoop
from dflcolab.watch.looks import Look
from dflcolab.watch.records import JsonLines
from dflcolab.watch.verdicts import MASK_SIDES, Verdict, judge
from dflcolab.xseg.session import MaskSession


class MaskWatch(RecordedWatch):
    """Callback of the training loop; put it before the one that saves.

    Args:
        session: What is trained.
        progress: Gets the sentences.
        history_dir: For `held_out.jsonl`, what the looks saw in means, or `held_out-pretraining.jsonl`.
        every: Iterations between two looks; 0 = none.
        stop_on: When it ends the training.
    """

    def __init__(
        self,
        session: MaskSession,
        progress: Progress,
        *,
        history_dir: Path,
        every: int,
        stop_on: StopOn,
    ) -> None:
        super().__init__(session, progress, stop_on=stop_on)
        self._session = session
        self._every = every
        end = "-pretraining.jsonl" if session.options.pretrain else ".jsonl"
        self._means = JsonLines(history_dir / f"held_out{end}")
        self._phase = "pretraining" if session.options.pretrain else "masks"

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Take up what the session's checkpoint remembers; call it when the session stands.

        `stopped_because` is set if the looks that are there are reason enough to end, and were at the
        faces of this run: whoever labels more is not told to stop by the labels before.

        Args:
            facts: What this run was made with (see `run_facts`).
        """
        self._take_up(facts)
        self._tell()
        last = self.looks[-1] if self.looks else None
        if last is None or last.iteration != self._session.iteration:
            return
        if last.comparable == self._session.comparable:
            self._ends()

    def __call__(self, loop: TrainingLoop) -> None:
        """Look when it is time, and do what follows."""
        if not self._every or self._session.iteration % self._every:
            return
        loop.read_losses()
        session = self._session
        measures = session.look()
        if measures is None:
            return
        look = Look(session.iteration, self._phase, session.comparable, measures)
        self._add(look)
        self._note_means(loop.recent[0])
        fault = fault_in_looks(self.looks, MASK_SIDES)
        if fault is not None:
            loop.suspect(fault)
            return
        self._say(self._judge())
        self._tell(look)
        if self._ends():  # and with it comes a save
            loop.stopped_because = loop.stopped_because or self.stopped_because
        else:
            self._save_best(loop)

    def rolled_back(self, _session: ReturningSession) -> None:
        """Forget the looks that the session has gone back behind; events stay."""
        self._take(self._session.restored)
        self._tell()

    def _judge(self) -> tuple[Verdict, ...]:
        return judge(self.looks, sides=MASK_SIDES)

    def _take(self, state: Mapping[str, Any]) -> None:
        super()._take(state)
        self._means.start_at(len(self.looks))

    def _note_means(self, training: float) -> None:
        """Add a line for people and other programs."""
        self._means.append({
            "iteration": self._session.iteration,
            "training": {"loss": training if math.isfinite(training) else None},
            "held_out": self._session.evaluate(),
        })  # fmt: skip
        self._means.flush()
