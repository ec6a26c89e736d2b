"""The watch beside the training: looks on schedule, what they say, the next phase, and the end.

Looks are taken at iterations that a checkpoint remembers, and everything that follows from them
depends on the looks alone: a run that was killed and resumed says and switches the same.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import SCORED_BY, Checkpoint, best_of, list_checkpoints
from dflcolab.errors import ModelError
from dflcolab.models.kinds import swap_options_of
from dflcolab.progress import Progress, Wish
from dflcolab.training.decline import decline_in_looks, within_reach
from dflcolab.training.faults import Fault, fault_in_looks
from dflcolab.training.recorded_watch import RecordedWatch, StopOn
from dflcolab.training.session import Session
from dflcolab.training.tensorboard import TensorBoardLog
from dflcolab.training.trainer import TrainingLoop
from dflcolab.watch.looks import Look
from dflcolab.watch.schedule import (
    Phase,
    ScheduleSettings,
    ScheduleState,
    Switch,
    first_state,
    has_run_out,
    next_switch,
    phase_after,
    phase_of,
    switch_by_hand,
)
from dflcolab.watch.state import NAMES_KEY, STATE_KEY
from dflcolab.watch.verdicts import Verdict, judge

SHARE = 0.02
"""Most of the time that looks may take."""

_SWAP_EVERY = 5  # looks
_WARM, _TIMED = 30, 60  # iterations of a run after which a first look compiles, and one is timed
_SHORTEST = 10  # iterations between two looks that were not asked for


@dataclass(frozen=True)
class WatchSettings:
    """What the user wants of the watch.

    Attributes:
        stop_on: When it ends the training.
        look_every: Iterations between two looks; 0 = measured, then kept.
        schedule: Lengths of the phases; None: nothing is switched.
        phase: A phase to enter now.
        by_hand: As `schedule`, for phases that the user asks for meanwhile.
    """

    stop_on: StopOn = "never"
    look_every: int = 0
    schedule: ScheduleSettings | None = None
    phase: str | None = None
    by_hand: ScheduleSettings = ScheduleSettings()


class Watch(RecordedWatch):
    """Callback of the training loop; put it before the one that saves.

    Args:
        session: What is trained.
        settings: What the user wants.
        progress: Gets the sentences.
        board: Also gets looks and events; None: nobody looks.

    Attributes:
        looks: All looks of this phase, latest last.
        verdicts: What they say.
        stopped_because: `plateau` or `overfit` if training is to end; empty if it is not.
    """

    def __init__(
        self,
        session: Session,
        settings: WatchSettings,
        progress: Progress,
        *,
        board: TensorBoardLog | None = None,
    ) -> None:
        super().__init__(session, progress, stop_on=settings.stop_on, board=board)
        self._session = session
        self._settings = settings
        self._every = settings.look_every
        self._state = first_state(to_plain(session.options), session.iteration)
        self._before_switch = ""
        self._former_best = ""
        self._steady_since = 0
        self._at = session.iteration
        self._began_at = session.iteration
        self._step_began = 0.0

    @property
    def phase(self) -> Phase:
        """The present phase of the schedule."""
        return self._state.phase

    def begin(
        self, facts: Mapping[str, Any], checkpoint: Checkpoint | None, *, by_hand: bool
    ) -> None:
        """Take up what the session's checkpoint remembers; call it when the session stands.

        `stopped_because` is set if the looks that are there are reason enough to end, and were at the
        faces and under the options of this run: whoever adds faces is not told to stop by those before.

        Args:
            facts: What this run was made with (see `run_facts`).
            checkpoint: The one that the session goes on from; None for a new model.
            by_hand: The user has set options of the schedule by hand, so that nothing is switched.
        """
        session = self._session
        self._began_at = session.iteration
        self._take_up(facts)
        self._keep_former_best()
        self._settle_phase(checkpoint, by_hand=by_hand)
        self._tell()
        # A save at the iteration of a look was made before what follows from that look.
        if self._has_just_looked():
            if self._ends():
                return
            switch = self._due()
            if switch is not None and checkpoint is not None:
                self._switch(switch, checkpoint)

    def _keep_former_best(self) -> None:
        """Keep the best state by a score that means something else now, and tell of it."""
        session = self._session
        if session.restored.get(SCORED_BY, session.scored_by) == session.scored_by:
            return
        checkpoints = list_checkpoints(session.model_dir)
        best = best_of(checkpoints, like=session.restored)
        if best is None:
            return
        self._former_best = best
        iteration = next(c.iteration for c in checkpoints if c.folder.name == best)
        self._progress.message(
            "The held-out faces or the options of the loss are others than before, so the search for "
            f"the best state begins anew; that until now stays as well: --checkpoint {iteration}."
        )

    def _settle_phase(self, checkpoint: Checkpoint | None, *, by_hand: bool) -> None:
        """Bring the schedule's state in line with the options, which the user may have changed."""
        session, state = self._session, self._state
        options = to_plain(session.options)
        now = phase_of(options)
        if now is not state.phase:
            reason = f"From {state.phase} to {now}, as asked for."
            switch = Switch(state.phase, now, reason, {})
            before = session.restored.get("options", options)
            self._state = state.switched(switch, iteration=session.iteration, options=before)
            self._before_switch = checkpoint.folder.name if checkpoint else ""
            self.event("switch", reason, from_=str(state.phase), to=str(now))
        if session.restored and _restored_options(session) != options:
            self._steady_since = session.iteration
        if self._settings.phase is not None:
            self._state = self._state.released()
        elif by_hand:
            self._state = dataclasses.replace(self._state, held=True)

    def _has_just_looked(self) -> bool:
        """True if the last look was at this state, and at the faces and options of this run."""
        session = self._session
        if not self.looks or self.looks[-1].iteration != session.iteration:
            return False
        return (
            self.looks[-1].comparable == session.comparable
            and session.restored.get("faces") == session.face_counts()
            and _restored_options(session) == to_plain(session.options)
        )

    def __call__(self, loop: TrainingLoop) -> None:
        """Look if it is time, and do what follows."""
        session = self._session
        if session.iteration <= self._at:  # back at an earlier save
            self._take_back()
        self._at = session.iteration
        if not session.devices.is_chief:
            return
        if self._progress.take(Wish.NEXT_PHASE):
            self._enter_next_phase(loop)
        if not self._is_due(loop):
            return
        loop.read_losses()
        swap = len(self.looks) % _SWAP_EVERY == 0
        found = session.look(swap=swap)
        look = Look(session.iteration, str(self.phase), session.comparable, found.measures)
        self._add(look)
        fault = self._fault()
        if fault is not None:
            if session.devices.workers > 1:
                raise self._cannot_go_back(fault)
            loop.suspect(fault)
            return
        self._say(self._judge())
        self._tell(look)
        self._save_best(loop)
        if self._ends():
            loop.stopped_because = self.stopped_because
            return
        switch = self._due()
        if switch is not None:
            self._save_and_switch(switch, loop)

    def in_use(self) -> Collection[str]:
        """Names of checkpoint folders that must stay.

        The one to which a switch can be undone, and the best one by the score before that meant
        something else.
        """
        return [name for name in (self._before_switch, self._former_best) if name]

    def rolled_back(self, session: Session) -> None:
        """Forget the looks that the session has gone back behind; events stay."""
        if self.phase is Phase.GAN and phase_of(to_plain(session.options)) is not Phase.GAN:
            self._state = dataclasses.replace(self._state, held=True)
        self._take_back()
        self._steady_since = session.iteration
        self._tell()

    def _take_back(self) -> None:
        """Go on from what the session's checkpoint remembers; options and their phase stay as they are."""
        session, held = self._session, self._state.held
        self._take(session.restored)
        options = to_plain(session.options)
        if phase_of(options) is not self._state.phase:
            self._state = first_state(options, session.iteration)
        self._state = dataclasses.replace(self._state, held=held)

    # ---- when ----------------------------------------------------------------------------------

    def _is_due(self, loop: TrainingLoop) -> bool:
        """True at an iteration of a look; finds out how many iterations are between two."""
        session = self._session
        if self._every:
            return session.iteration % self._every == 0
        done = session.iteration - self._began_at
        if done == _WARM:
            loop.read_losses()
            session.look(swap=True)  # compiles what it needs
            self._step_began = time.monotonic()
        elif done == _TIMED:
            loop.read_losses()
            step = (time.monotonic() - self._step_began) / (_TIMED - _WARM)
            plain = session.look(swap=False).seconds
            with_swap = session.look(swap=True).seconds
            look = plain + with_swap / _SWAP_EVERY
            self._every = _round(max(look / SHARE / max(step, 1e-6), _SHORTEST))
        return False

    # ---- what follows --------------------------------------------------------------------------

    def _judge(self) -> tuple[Verdict, ...]:
        return judge(self.looks, stretch_names=self._session.stretch_names)

    def _tell(self, look: Look | None = None) -> None:
        """Tell those who draw: the phase, what the looks say, and a look that was just taken."""
        following = phase_after(self.phase)
        self._progress.fact(
            "phase", phase=str(self.phase), following=None if following is None else str(following)
        )
        super()._tell(look)

    def _fault(self) -> Fault | None:
        """A sudden fault in the last look, or a slow one that there is a saved state from before of."""
        since = max(self._steady_since, self._state.entered_at)
        sudden = fault_in_looks(self.looks, since=since)
        if sudden is not None:
            return sudden
        steady = [look for look in self.looks if look.iteration > since]
        slow = decline_in_looks(steady)
        return None if slow is None else within_reach(slow, steady, self._session.saved_scores())

    def _cannot_go_back(self, fault: Fault) -> ModelError:
        """The error that ends a run of several workers, which are not at the same save."""
        good = [at for at in self._session.saved_scores() if at < fault.began]
        last = f"of iteration {max(good)}" if good else "gone"
        error = ModelError(
            f"The watch saw a fault at iteration {fault.iteration} ({fault.evidence}); several "
            "workers cannot go back together: start the first one alone, without --hosts, which goes "
            f"back by itself (the last good state is {last})."
        )
        self.event("stop", str(error), fault=fault.kind.value)
        return error

    @property
    def _schedule(self) -> ScheduleSettings | None:
        """How phases follow each other by themselves; None if they do not."""
        return self._settings.schedule if self._session.devices.workers == 1 else None

    def _may_end_by(self) -> StopOn:
        """A plateau ends what no further phase will follow; over-fitting may end any phase."""
        schedule = self._schedule
        if schedule is None or has_run_out(self._state, self._session.iteration, schedule):
            return self._stop_on
        return "overfit" if self._stop_on == "plateau" else self._stop_on

    def _due(self) -> Switch | None:
        schedule = self._schedule
        if schedule is None:
            return None
        return next_switch(self._state, self.looks, self.verdicts, schedule)

    def _enter_next_phase(self, loop: TrainingLoop) -> None:
        """Do what the user asks for; say so where there is no such phase."""
        following = phase_after(self.phase)
        if following is None or self._session.devices.workers > 1:
            why = "on several machines" if following else f"after {self.phase}"
            self._progress.message(f"There is no next phase {why}; training goes on as it is.")
            return
        self._state = self._state.released()
        self._save_and_switch(switch_by_hand(self._state, following, self._settings.by_hand), loop)

    def _save_and_switch(self, switch: Switch, loop: TrainingLoop) -> None:
        """Switch from a checkpoint of the present state, to which the switch can be undone."""
        session = self._session
        loop.save()
        session.settle()
        if session.checkpoint is not None and session.checkpoint.iteration == session.iteration:
            self._switch(switch, session.checkpoint)

    def _switch(self, switch: Switch, checkpoint: Checkpoint) -> None:
        session = self._session
        options = to_plain(session.options)
        self._state = self._state.switched(switch, iteration=session.iteration, options=options)
        self._before_switch = checkpoint.folder.name
        changed = dataclasses.replace(session.options, **switch.options)
        session.go_on_with(changed, checkpoint, note=self._progress.message)
        self.event(
            "switch",
            switch.reason,
            from_=str(switch.from_),
            to=str(switch.to),
            options=dict(switch.options),
        )
        self._progress.message(f"Iteration {session.iteration}: {switch.reason}")
        self._tell()

    # ---- what is remembered --------------------------------------------------------------------

    def _take(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint remembers; `{}` for a new model."""
        super()._take(state)
        plain = state.get(STATE_KEY, {})
        # Steps of another kind of device take other times. And what this run has measured holds on,
        # though the state is from before that.
        here = state.get("step_plan", {}).get("device") == self._session.plan.device
        known = int(plain.get("look_every", 0)) if here else 0
        self._every = self._settings.look_every or known or self._every
        self._before_switch = str(plain.get("before_switch", ""))
        self._former_best = str(plain.get("former_best", "")) or self._former_best
        self._steady_since = int(plain.get("steady_since", 0))
        options = state.get("options") or to_plain(self._session.options)
        self._state = (
            ScheduleState.from_plain(plain["schedule"])
            if "schedule" in plain
            else first_state(options, self._session.iteration)
        )
        self._at = self._session.iteration

    def _to_plain(self) -> dict[str, Any]:
        return {
            **super()._to_plain(),
            "look_every": self._every,
            "schedule": self._state.to_plain(),
            "before_switch": self._before_switch,
            "former_best": self._former_best,
            "steady_since": self._steady_since,
            NAMES_KEY: self._session.stretch_names,
        }


def _restored_options(session: Session) -> dict[str, Any]:
    """The options of the checkpoint that the session goes on from."""
    state = session.restored
    return to_plain(swap_options_of(state["architecture"], state["options"]))


def _round(count: float) -> int:
    """The next larger one of 1, 2, 5, 10, 20, 50 and so on."""
    power = 10 ** math.floor(math.log10(count))
    return int(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= count))
