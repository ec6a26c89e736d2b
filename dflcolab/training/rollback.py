"""Brings a training that went wrong back to its last good checkpoint, with gentler options."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import SCORED_BY, Checkpoint, list_checkpoints
from dflcolab.engine.loss_history import read_losses
from dflcolab.errors import CheckpointError, ModelError
from dflcolab.models.kinds import ModelOptions, options_of
from dflcolab.models.options import SwapOptions
from dflcolab.training.faults import MEMORY, RISE, Fault, FaultKind, LossWatch
from dflcolab.training.returning_session import ReturningSession
from dflcolab.watch.verdicts import SIDES

STATE_KEY = "roll_back"
"""Where a checkpoint's `state.json` keeps what this module remembers."""

_LEAST_SHARE = 1 / 8
_LEAST_GAN_POWER = 0.01
_OVERFLOWS = 50
_OTHER_LOSS = frozenset({
    "learning_rate", "clipgrad", "lr_dropout", "gan_power", "gan_patch_size", "gan_dims",
    "tv_axes_of_gpu", "mean_gradient", "reset_moments_after_pretrain", "target_iter",
    "autobackup_hour", "write_preview_history", "models_opt_on_gpu",
})  # fmt: skip
"""Options that leave the shown losses what they are, such as those of both sides' reconstruction."""


def _no_event(_kind: str, _text: str, **_facts: object) -> None:
    """Nobody keeps a history."""


def _nothing(_session: ReturningSession) -> None:
    """Nobody has to follow."""


@dataclass(frozen=True)
class Record:
    """What is remembered of faults, in the model's checkpoints.

    Attributes:
        since: Losses of this iteration and earlier ones are of other faces or options.
        attempts: Roll-backs since the last good checkpoint that lies beyond the latest fault.
        latest_fault: Iteration of it; -1 before the first.
        total: Roll-backs of the model so far.
        changed: Name of each option that a roll-back changed to what it was set to by hand, and what
            it is now.
    """

    since: int = 0
    attempts: int = 0
    latest_fault: int = -1
    total: int = 0
    changed: Mapping[str, tuple[Any, Any]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Record:
        """From a checkpoint's state; a new one where it has none."""
        plain = dict(state.get(STATE_KEY, {}))
        for name in ("healthy", "recent"):
            plain.pop(name, None)
        changed = {name: (was, now) for name, (was, now) in plain.pop("changed", {}).items()}
        return cls(**plain, changed=changed)


class RollBack:
    """Judges losses as they are read, and returns to the last good checkpoint after a fault.

    Good is a checkpoint from before the fault began, that was saved while the losses were calm and
    whose held-out loss had not jumped. The first two attempts go to the latest such checkpoint, further
    ones further back; other random numbers make sure that training does not walk into the same
    fault. Where none is left (a machine that fetched the latest state only, saves that are more
    frequent than looks), the earliest one that was as calm counts, though the fault may have begun
    before it. Training starts over only if nothing of that kind is there, or if the model was never
    good. Several workers cannot go back together: there, losses that are no numbers end the run.

    Args:
        event: Gets the kind of an event, its sentence, and facts.
        rolled_back: Called when the session has gone back, before that state is saved.
        most: Roll-backs without a new good checkpoint in between, after which it gives up.
        sides: What the losses of an iteration are of.
    """

    def __init__(
        self,
        event: Callable[..., None] = _no_event,
        *,
        rolled_back: Callable[[Any], None] = _nothing,
        most: int = 5,
        sides: Sequence[str] = SIDES,
    ) -> None:
        self._event = event
        self._rolled_back = rolled_back
        self._most = most
        self._sides = tuple(sides)
        self._losses = LossWatch(self._sides)
        self._record = Record()
        self._options: ModelOptions | None = None
        self._overflows = 0
        self._pending = False

    @property
    def record(self) -> Record:
        """What is remembered so far."""
        return self._record

    def start(self, session: ReturningSession) -> None:
        """Take over what the session's checkpoint remembers; call it when the session stands."""
        state = session.restored
        record = Record.of(state)
        if state:
            before = options_of(state["architecture"], state["options"])
            if to_plain(before) != to_plain(session.options):
                # Somebody changed something, perhaps because of the faults: count anew.
                kept = {name: change for name, change in record.changed.items()
                        if getattr(session.options, name) == change[1]}  # fmt: skip
                record = dataclasses.replace(record, attempts=0, changed=kept)
            same = _loss_of(before) == _loss_of(session.options)
            if not same or state.get("faces") != session.face_counts():
                record = dataclasses.replace(record, since=session.iteration)
        self._record = record
        self._options = session.options
        session.also_saved[STATE_KEY] = self._to_plain
        self.refill(session)

    def refill(self, session: ReturningSession) -> None:
        """Begin with the losses of the history; after the session has gone to another iteration."""
        since = self._record.since
        if session.iteration < since:
            since = session.iteration
            self._record = dataclasses.replace(self._record, since=since)
        known = read_losses(session.history.path)[since : session.iteration, : len(self._sides)]
        self._losses.restart(known[-MEMORY:])
        self._overflows = 0
        self._pending = False

    def read(self, session: ReturningSession, losses: npt.NDArray[np.float32]) -> Fault | None:
        """Judge the losses `[N, sides]` of the session's last N iterations.

        Raises:
            DivergedError: One is no number, and there are several workers.
        """
        if session.devices.workers > 1:
            if not np.isfinite(losses).all():
                raise session.diverged()
            return None
        first = session.iteration - len(losses) + 1
        if session.options is not self._options:
            if self._options is None or _loss_of(self._options) != _loss_of(session.options):
                self._record = dataclasses.replace(self._record, since=first - 1)
                self._losses.restart(())
            # As on a resume with other options (`start`).
            self._record = dataclasses.replace(self._record, attempts=0)
            self._options = session.options
        fault = self._losses.add(losses, first) or self._overflow(session, len(losses))
        self._pending = self._pending or fault is not None
        return fault

    def _overflow(self, session: ReturningSession, steps: int) -> Fault | None:
        """Half precision whose every step is left out, though the loss is scaled no more."""
        self._overflows = self._overflows + steps if session.skips_all_steps else 0
        if self._overflows < _OVERFLOWS:
            return None
        evidence = f"the gradients of {self._overflows} iterations were too large for float16"
        began = session.iteration - self._overflows
        return Fault(FaultKind.OVERFLOW, session.iteration, began, evidence)

    def recover(self, session: ReturningSession, fault: Fault) -> str:
        """Bring the session back, and say so in one sentence.

        The caller is to save at once: the new options would be lost with the process.

        Raises:
            ModelError: It did not help several times, or there is nothing to go back to.
        """
        session.settle()  # a save that is being written may be the one to go back to
        good, calm, others = _candidates(session, fault)
        record = self._record
        if good and good[0].iteration >= record.latest_fault >= 0:
            record = dataclasses.replace(record, attempts=0)
        attempt = record.attempts + 1
        if attempt > self._most:
            raise self._gives_up(session, fault)
        target = _verified(good, skip=max(0, attempt - 2))
        if target is None and fault.began > 0:
            target = _verified(calm, skip=len(calm))
        if target is None and not session.can_start_over:
            target = _verified(others, skip=len(others))
            if target is None:
                raise session.diverged()
        usual = record.changed.get("learning_rate", (session.options.learning_rate, None))[0]
        gentler = gentler_options(session.options, fault.kind, attempt=attempt, usual_rate=usual)
        changes = _changes(session.options, gentler)
        self._record = dataclasses.replace(
            record,
            attempts=attempt,
            total=record.total + 1,
            latest_fault=max(fault.iteration, record.latest_fault),
            changed=_merged(record.changed, session.options, changes),
        )
        session.roll_back(target, gentler)
        self._options = gentler
        self.refill(session)
        self._rolled_back(session)
        text = _sentence(fault, session.iteration, changes)
        self._event(
            "rollback",
            text,
            iteration=fault.iteration,
            fault=fault.kind.value,
            began=fault.began,
            back_to=session.iteration,
            attempt=attempt,
            options=changes,
        )
        return text

    def _gives_up(self, session: ReturningSession, fault: Fault) -> ModelError:
        checkpoints = list_checkpoints(session.model_dir)
        name = checkpoints[-1].folder.name if checkpoints else "none yet"
        swaps = isinstance(session.options, SwapOptions)
        powers = "switch off gan_power and style powers, " if swaps else ""
        text = (
            f"Training failed again at iteration {fault.iteration} ({fault.evidence}) after "
            f"{self._most} roll-backs without a new good checkpoint; the last good one is {name}: "
            f"leave out damaged faces, {powers}or set a learning_rate "
            f"below {session.options.learning_rate:.2g}, and run again."
        )
        self._event("stop", text, iteration=fault.iteration, fault=fault.kind.value)
        return ModelError(text)

    def _to_plain(self) -> dict[str, Any]:
        healthy = self._losses.is_calm and not self._pending
        recent = self._losses.recent
        return {**dataclasses.asdict(self._record), "healthy": healthy, "recent": recent}


def gentler_options(
    options: ModelOptions, kind: FaultKind, *, attempt: int, usual_rate: float
) -> ModelOptions:
    """Options that are less likely to meet the fault again.

    A patch discriminator is the first suspect: its power is halved, then it is switched off. Otherwise,
    and from the second attempt on, the learning rate is halved; first attempts of a long run together
    to no less than an eighth of the usual one. Values that are no numbers, and second attempts, also
    limit the gradients where the model has `clipgrad`.

    Args:
        options: Those that met the fault.
        kind: Of the fault.
        attempt: How many in a row this is, from 1.
        usual_rate: Learning rate before all roll-backs.
    """
    changes: dict[str, Any] = {}
    no_numbers = kind in (FaultKind.NOT_A_NUMBER, FaultKind.OVERFLOW)
    suspect = False
    if isinstance(options, SwapOptions):
        suspect = options.uses_gan
        if suspect:
            half = options.gan_power / 2
            changes["gan_power"] = half if attempt == 1 and half >= _LEAST_GAN_POWER else 0.0
        if (no_numbers or attempt > 1) and not options.clipgrad:
            changes["clipgrad"] = True
    if not suspect or no_numbers or attempt > 1:
        half = options.learning_rate / 2
        least = 1e-7 if attempt > 1 else usual_rate * _LEAST_SHARE
        changes["learning_rate"] = min(options.learning_rate, max(half, least, 1e-7))
    return dataclasses.replace(options, **changes)


def settings_after_roll_backs(
    settings: Mapping[str, str], state: Mapping[str, Any] | None
) -> tuple[dict[str, str], list[str]]:
    """Settings of a command that is run again, without those that a roll-back has overruled.

    The same command, given again after a kill, must not bring back the value that led to the fault;
    another value counts.

    Args:
        settings: `--set` of the model, name to text.
        state: `state.json` of the checkpoint that training goes on from; None: a new model.

    Returns:
        The settings that count, and a sentence for each that does not.
    """
    if state is None:
        return dict(settings), []
    changed = Record.of(state).changed
    kept, notes = dict(settings), []
    for name, (was, now) in changed.items():
        if name not in settings:
            continue
        asked = options_of(state["architecture"], {**state["options"], name: settings[name]})
        if to_plain(getattr(asked, name)) == was:
            del kept[name]
            notes.append(
                f"{name} stays at {_shown(now)}, where a roll-back put it; give another value than "
                f"{_shown(was)} to change it."
            )
    return kept, notes


def _candidates(
    session: ReturningSession, fault: Fault
) -> tuple[list[Checkpoint], list[Checkpoint], list[Checkpoint]]:
    """Checkpoints of the present line of training, latest first.

    Returns:
        Good ones; such that were as calm, but not saved before the fault began; all that are not
        good.
    """
    line: list[tuple[Checkpoint, Mapping[str, Any]]] = []
    for checkpoint in reversed(list_checkpoints(session.model_dir)):
        # A later save of an earlier iteration: training has gone back behind this one.
        if line and checkpoint.iteration >= line[-1][0].iteration:
            continue
        try:
            state = checkpoint.state()
        except CheckpointError:
            continue
        if state.get("pretraining") == session.options.pretrain:
            line.append((checkpoint, state))
    good: list[Checkpoint] = []
    calm: list[Checkpoint] = []
    lowest: dict[str, list[float]] = {}
    for checkpoint, state in reversed(line):
        losses = _losses_at(state)
        known = lowest.setdefault(_yardstick_of(state), [np.inf] * len(losses))
        # Over-fitting raises the held-out loss alone, a few odd batches the recent ones alone.
        rises = [a > RISE * b for a, b in zip(losses, known, strict=True) if np.isfinite(a)]
        if not _is_healthy(state) or (rises and all(rises)):
            continue
        known[:] = [min(b, a) if np.isfinite(a) else b for a, b in zip(losses, known, strict=True)]
        (good if checkpoint.iteration < fault.began else calm).append(checkpoint)
    good.reverse()
    calm.reverse()
    return good, calm, [checkpoint for checkpoint, _ in line if checkpoint not in good]


def _is_healthy(state: Mapping[str, Any]) -> bool:
    """False if the losses were rising at that save, or held-out faces gave no number."""
    held_out = [n.get("held_out", 0) for n in state.get("faces", {}).values()]
    blind = bool(held_out) and all(held_out) and state.get("held_out_loss") is None
    return bool(state.get(STATE_KEY, {}).get("healthy", True)) and not blind


def _losses_at(state: Mapping[str, Any]) -> list[float]:
    """Held-out loss and recent training loss at a save; NaN where it is not known."""
    recent = state.get(STATE_KEY, {}).get("recent")
    held_out = state.get("held_out_loss")
    return [float("nan") if held_out is None else float(held_out),
            float("nan") if recent is None else float(sum(recent))]  # fmt: skip


def _yardstick_of(state: Mapping[str, Any]) -> str:
    """What decides how large the losses at a save are, as one text: options, and which faces."""
    options = state["options"]
    names = {name: options[name] for name in _loss_names(options)}
    return json.dumps([names, state.get("faces"), state.get(SCORED_BY)])


def _verified(checkpoints: Sequence[Checkpoint], *, skip: int) -> Checkpoint | None:
    """The one after so many others, or else the one nearest to it that is whole and finite."""
    if not checkpoints:
        return None
    place = min(skip, len(checkpoints) - 1)
    for checkpoint in [*checkpoints[place:], *reversed(checkpoints[:place])]:
        try:
            checkpoint.verify()
            if all(np.isfinite(value).all() for value in checkpoint.weights().values()):
                return checkpoint
        except CheckpointError:
            continue
    return None


def _loss_of(options: ModelOptions) -> dict[str, Any]:
    """Options that decide how large losses are."""
    plain = to_plain(options)
    return {"arch": options.arch, **{name: plain[name] for name in _loss_names(plain)}}


def _loss_names(plain: Mapping[str, Any]) -> list[str]:
    return sorted(set(plain) - _OTHER_LOSS)


def _changes(before: ModelOptions, after: ModelOptions) -> dict[str, Any]:
    """Name to new value of each option that differs, as JSON holds it."""
    old, new = to_plain(before), to_plain(after)
    return {name: value for name, value in new.items() if value != old[name]}


def _merged(
    known: Mapping[str, tuple[Any, Any]], before: ModelOptions, changes: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Earlier and new changes; what an option was set to by hand stays with it."""
    old = to_plain(before)
    return {**known, **{n: (known.get(n, (old[n],))[0], now) for n, now in changes.items()}}


def _sentence(fault: Fault, back_to: int, changes: Mapping[str, Any]) -> str:
    parts = [f"{name} = {_shown(value)}" for name, value in changes.items()]
    how = " and ".join(parts) or "other random numbers"
    where = f"iteration {back_to}" if back_to else "its start"
    return (
        f"Iteration {fault.iteration}: {fault.evidence}; training goes back to {where} and on "
        f"from there with {how}."
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
