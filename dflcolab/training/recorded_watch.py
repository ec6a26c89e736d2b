"""What every watch does with its looks: keep them with the model, judge, tell, save the best, end."""

from __future__ import annotations

import abc
import math
import time
from collections.abc import Mapping
from typing import Any, Literal

from dflcolab.config import to_plain
from dflcolab.progress import Progress
from dflcolab.training.returning_session import ReturningSession
from dflcolab.training.tensorboard import TensorBoardLog
from dflcolab.training.trainer import TrainingLoop
from dflcolab.watch.looks import Look
from dflcolab.watch.records import UnwrittenLines
from dflcolab.watch.state import STATE_KEY, read_looks, records_of
from dflcolab.watch.verdicts import TAKES_THE_BEST, Call, Verdict, stops

StopOn = Literal["never", "plateau", "overfit"]
"""When a watch ends a training."""

_SHARE_OF_STALLS = 0.005
_SHARE_OF_SAVES = 0.05
_SHORTEST_PAUSE_S = 20.0


class RecordedWatch(abc.ABC):
    """Looks, events and verdicts of one training, in its model's folder.

    Args:
        session: What is trained.
        progress: Gets the sentences.
        stop_on: When the watch ends the training.
        board: Also gets looks and events; None: nobody looks.

    Attributes:
        looks: All looks of this training, latest last.
        verdicts: What they say.
        stopped_because: `plateau` or `overfit` if training is to end; empty if it is not.
    """

    def __init__(
        self,
        session: ReturningSession,
        progress: Progress,
        *,
        stop_on: StopOn,
        board: TensorBoardLog | None = None,
    ) -> None:
        self._trained = session
        self._progress = progress
        self._stop_on: StopOn = stop_on
        self._board = board
        looks, events = records_of(session.model_dir, pretraining=session.options.pretrain)
        writes = session.devices.is_chief
        self._look_lines = looks if writes else UnwrittenLines(looks.path)
        self._event_lines = events if writes else UnwrittenLines(events.path)
        self.looks: list[Look] = []
        self.verdicts: tuple[Verdict, ...] = ()
        self.stopped_because = ""
        self._n_events = 0
        self._best_saved_at = -math.inf
        self._best_stalled = 0.0

    @abc.abstractmethod
    def _judge(self) -> tuple[Verdict, ...]:
        """What the looks say; there is one at least."""

    @property
    def verdict(self) -> str:
        """What the looks say now, in a few words; empty before the first look."""
        return "; ".join(verdict.call for verdict in self.verdicts)

    def event(self, kind: str, text: str, *, iteration: int | None = None, **facts: object) -> None:
        """Add a line to the model's history.

        Args:
            kind: See `docs/watch.md`.
            text: A sentence.
            iteration: When; None: now.
            facts: JSON-ready.
        """
        now = self._trained.iteration if iteration is None else iteration
        entry = {"iteration": now, "kind": kind, "text": text, **facts}
        self._event_lines.append(entry)
        self._event_lines.flush()
        self._n_events += 1
        if self._board is not None:
            self._board.event(entry, pretraining=self._trained.options.pretrain)

    def _take_up(self, facts: Mapping[str, Any]) -> None:
        """Go on from what the session's checkpoint remembers, and note that training begins."""
        session = self._trained
        self._take(session.restored)
        self._n_events = int(session.restored.get(STATE_KEY, {}).get("events", 0))
        self._event_lines.start_at(self._n_events)
        session.also_saved[STATE_KEY] = self._to_plain
        if session.restored:
            self.event("resume", f"Training goes on at iteration {session.iteration:,}.", **facts)
        else:
            self.event("start", "Training begins.", **facts)

    def _add(self, look: Look) -> None:
        """Keep a look."""
        self.looks.append(look)
        self._look_lines.append(look.to_plain())
        self._look_lines.flush()
        if self._board is not None:
            self._board.look(look)

    def _save_best(self, loop: TrainingLoop) -> None:
        """Save a state that does better on the held-out faces than all saved ones, now and then.

        These saves together keep the steps waiting for a two-hundredth of the time at most, and are
        written beside them for a twentieth.
        """
        pauses = (
            _SHORTEST_PAUSE_S,
            self._best_stalled / _SHARE_OF_STALLS,
            loop.save_seconds / _SHARE_OF_SAVES,
        )
        waited = time.monotonic() - self._best_saved_at
        if waited < max(pauses) or self._trained.is_saving:
            return
        score = self._trained.held_out_score()
        if score is None or score >= self._trained.best_score():
            return
        before = loop.stalled_seconds
        loop.save()
        self._best_stalled = loop.stalled_seconds - before
        self._best_saved_at = time.monotonic()

    def _say(self, verdicts: tuple[Verdict, ...]) -> None:
        """Tell of a judgement that is another than before."""
        before, self.verdicts = self.verdicts, verdicts
        known = {verdict.call for verdict in before}
        for verdict in verdicts:
            if verdict.call not in known:
                text = f"{verdict.call}: {verdict.evidence} {verdict.advice}"
                self.event(
                    "verdict", text, call=str(verdict.call), best_iteration=verdict.best_iteration
                )
                self._progress.message(f"Iteration {self._trained.iteration}: {text}")

    def _tell(self, look: Look | None = None) -> None:
        """Tell those who draw: what the looks say, and a look that was just taken."""
        if self.verdicts:
            self._progress.fact("verdict", verdicts=to_plain(self.verdicts))
        if look is not None:
            means = {
                name: sample.mean
                for name, sample in look.measures.items()
                if name.endswith(("/held_out/loss", "/training/loss"))
            }
            self._progress.fact("look", iteration=look.iteration, losses=means)

    def _may_end_by(self) -> StopOn:
        """What the looks must say now for training to end."""
        return self._stop_on

    def _ends(self) -> bool:
        """True if training is to end by what the looks say; tells of it."""
        reason = stops(self.verdicts, self._may_end_by())
        if not reason:
            return False
        plateau = self.verdicts[0].call is Call.PLATEAU
        self.stopped_because = "plateau" if plateau else "overfit"
        self.event("stop", f"The watch ends training: {reason}")
        self._progress.message(
            f"The watch ends training at iteration {self._trained.iteration}: {reason} The best "
            f"state is kept: {TAKES_THE_BEST}; --stop-on never trains on."
        )
        return True

    def _take(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint remembers; `{}` for a new model."""
        plain = state.get(STATE_KEY, {})
        self._look_lines.start_at(int(plain.get("looks", 0)))
        self.looks = read_looks(self._look_lines)
        self.verdicts = self._judge() if self.looks else ()

    def _to_plain(self) -> dict[str, Any]:
        self._look_lines.force()
        self._event_lines.force()
        return {"looks": len(self.looks), "events": self._n_events, "verdict": self.verdict}
