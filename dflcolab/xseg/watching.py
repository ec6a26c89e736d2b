"""The watch beside mask training: looks at held-out labels, what they say, and the end by it.

The judgement is that of the watch over swapping models, with one side: the labels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Checkpoint
from dflcolab.files import storage_errors
from dflcolab.progress import Progress
from dflcolab.training.trainer import TrainingLoop
from dflcolab.watch.looks import Look
from dflcolab.watch.state import STATE_KEY, read_looks, records_of
from dflcolab.watch.verdicts import MASK_SIDES, Call, Verdict, judge, stops
from dflcolab.xseg.session import MaskSession


class MaskWatch:
    """Callback of the training loop; put it before the one that saves.

    Args:
        session: What is trained.
        progress: Gets the sentences.
        history_dir: For `held_out.jsonl`, what the looks saw in means.
        every: Iterations between two looks; 0 = none.
        stop_on: When it ends the training.

    Attributes:
        verdicts: What the looks say.
        stopped_because: `plateau` or `overfit` if training is to end; empty if it is not.
    """

    def __init__(
        self,
        session: MaskSession,
        progress: Progress,
        *,
        history_dir: Path,
        every: int,
        stop_on: Literal["never", "plateau", "overfit"],
    ) -> None:
        self._session = session
        self._progress = progress
        self._history_dir = history_dir
        self._every = every
        self._stop_on: Literal["never", "plateau", "overfit"] = stop_on
        pretraining = session.options.pretrain
        self._lines, _ = records_of(session.model_dir, pretraining=pretraining)
        self._phase = "pretraining" if pretraining else "masks"
        self._looks: list[Look] = []
        self.verdicts: tuple[Verdict, ...] = ()
        self.stopped_because = ""

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Go on from what a checkpoint remembers; None for a new model."""
        plain: Mapping[str, Any] = checkpoint.state().get(STATE_KEY, {}) if checkpoint else {}
        self._lines.start_at(int(plain.get("looks", 0)))
        self._looks = read_looks(self._lines)
        self.verdicts = judge(self._looks, sides=MASK_SIDES) if self._looks else ()
        self._session.also_saved[STATE_KEY] = self._remembered
        self._tell()

    def __call__(self, loop: TrainingLoop) -> None:
        """Look when it is time."""
        if not self._every or self._session.iteration % self._every:
            return
        loop.read_losses()
        measures = self._session.look()
        if measures is None:
            return
        self._note_means(loop.recent[0])
        session = self._session
        look = Look(session.iteration, self._phase, session.comparable, measures)
        self._looks.append(look)
        self._lines.append(look.to_plain())
        self._lines.flush()
        before = self.verdicts[0].call if self.verdicts else None
        self.verdicts = judge(self._looks, sides=MASK_SIDES)
        self._tell()
        now = self.verdicts[0]
        if now.call is not before and now.call is not Call.TOO_LITTLE:
            self._progress.message(
                f"Iteration {session.iteration}: {now.call}. {now.evidence} {now.advice}"
            )
        if stops(self.verdicts, self._stop_on):
            self.stopped_because = "plateau" if now.call is Call.PLATEAU else "overfit"
            loop.stopped_because = loop.stopped_because or self.stopped_because

    def _tell(self) -> None:
        """Tell those who draw what the looks say."""
        if self.verdicts:
            self._progress.fact("verdict", verdicts=to_plain(self.verdicts))

    def _remembered(self) -> dict[str, Any]:
        self._lines.force()
        verdict = self.verdicts[0] if self.verdicts else None
        return {
            "looks": len(self._looks),
            "verdict": f"{verdict.call}. {verdict.evidence} {verdict.advice}" if verdict else "",
        }

    def _note_means(self, training: float) -> None:
        """Add a line for people and other programs."""
        entry = {
            "iteration": self._session.iteration,
            "training": {"loss": training if math.isfinite(training) else None},
            "held_out": self._session.evaluate(),
        }
        folder = self._history_dir
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "held_out.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry) + "\n")
