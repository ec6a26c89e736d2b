# pyright: strict
"""The order in which experts train by hand: warp, learning-rate dropout, warp off, GAN.

Each phase is entered at a plateau of the held-out score, after a shortest length, or when the user
asks for it. Nothing is entered while faces are being memorized: with the warp off they are memorized
sooner, and learning-rate dropout and GAN sharpen what is there, right or wrong. There only more
faces or the best state help, and the verdict says so.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dflcolab.errors import ConfigError
from dflcolab.watch.looks import Look
from dflcolab.watch.trends import NEEDED_LOOKS
from dflcolab.watch.verdicts import Call, Verdict


class Phase(enum.StrEnum):
    """What is being trained."""

    WARP = "warp"
    LR_DROPOUT = "lr_dropout"
    NO_WARP = "no_warp"
    GAN = "gan"
    MANUAL = "manual"
    """The kind of model has no such options."""
    PRETRAINING = "pretraining"


ORDER = (Phase.WARP, Phase.LR_DROPOUT, Phase.NO_WARP, Phase.GAN)
"""The phases of the schedule."""

NAMES = ("random_warp", "lr_dropout", "gan_power")
"""The options that a switch sets; a kind of model without them has no schedule."""

_DEFAULT_GAN_POWER = 0.1


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """When phases end.

    Attributes:
        shortest: Iterations that a phase takes at least.
        gan_power: Strength of GAN in the last phase; 0 = there is no such phase.
    """

    shortest: Mapping[Phase, int] = field(
        default_factory=lambda: {
            Phase.WARP: 10_000,
            Phase.LR_DROPOUT: 5_000,
            Phase.NO_WARP: 5_000,
            Phase.GAN: 5_000,
        }
    )
    gan_power: float = 0.0


@dataclass(frozen=True)
class Switch:
    """A change of phase.

    Attributes:
        from_: The phase that ends.
        to: The phase that begins.
        reason: A sentence.
        options: What to set, by DeepFaceLab's names.
    """

    from_: Phase
    to: Phase
    reason: str
    options: Mapping[str, object]


@dataclass(frozen=True)
class Before:
    """A phase that can be gone back to.

    Attributes:
        phase: The phase.
        entered_at: Iteration at which it began.
        left_at: Iteration at which it ended.
        options: Values of `NAMES` when it ended.
    """

    phase: Phase
    entered_at: int
    left_at: int
    options: Mapping[str, object]


@dataclass(frozen=True)
class ScheduleState:
    """Where a training is in its schedule; a checkpoint holds it.

    Attributes:
        phase: The present phase.
        entered_at: Iteration at which it began.
        held: No phase begins by itself until the user lets it (`released`).
        before: The phases before, the latest last.
    """

    phase: Phase
    entered_at: int
    held: bool = False
    before: tuple[Before, ...] = ()

    def switched(
        self, switch: Switch, *, iteration: int, options: Mapping[str, object]
    ) -> ScheduleState:
        """The state after a switch.

        Args:
            switch: The switch.
            iteration: When it happens.
            options: All options before it.
        """
        kept = {name: options[name] for name in NAMES if name in options}
        left = Before(self.phase, self.entered_at, iteration, kept)
        return ScheduleState(switch.to, iteration, self.held, (*self.before, left))

    def undone(self) -> tuple[ScheduleState, Switch, int]:
        """Back to before the latest switch, where training stays until it is released.

        Returns:
            The state, the options to set as a switch, and the iteration to go back to.

        Raises:
            ConfigError: There was no switch.
        """
        if not self.before:
            raise ConfigError(
                "There is no switch of the schedule to undo; set random_warp, lr_dropout and "
                "gan_power by hand (--set)."
            )
        *earlier, last = self.before
        state = ScheduleState(last.phase, last.entered_at, True, tuple(earlier))
        reason = (
            f"The switch from {last.phase} to {self.phase} at iteration {last.left_at:,} was undone; "
            "the schedule is held until it is released."
        )
        return state, Switch(self.phase, last.phase, reason, last.options), last.left_at

    def released(self) -> ScheduleState:
        """The state in which phases begin by themselves again."""
        return replace(self, held=False)

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "phase": str(self.phase),
            "entered_at": self.entered_at,
            "held": self.held,
            "before": [
                {
                    "phase": str(past.phase),
                    "entered_at": past.entered_at,
                    "left_at": past.left_at,
                    "options": dict(past.options),
                }
                for past in self.before
            ],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> ScheduleState:
        """The state that `to_plain` gave.

        Raises:
            KeyError, TypeError, ValueError: It is none.
        """
        return cls(
            Phase(plain["phase"]),
            int(plain["entered_at"]),
            bool(plain["held"]),
            tuple(
                Before(
                    Phase(past["phase"]),
                    int(past["entered_at"]),
                    int(past["left_at"]),
                    dict(past["options"]),
                )
                for past in plain["before"]
            ),
        )


def phase_of(options: Mapping[str, object]) -> Phase:
    """The phase that a model's options amount to, set by the schedule or by hand.

    Args:
        options: By DeepFaceLab's names.
    """
    if options.get("pretrain"):
        return Phase.PRETRAINING
    if not all(name in options for name in NAMES):
        return Phase.MANUAL
    if float(str(options["gan_power"])) > 0:
        return Phase.GAN
    if not options["random_warp"]:
        return Phase.NO_WARP
    return Phase.WARP if str(options["lr_dropout"]) == "n" else Phase.LR_DROPOUT


def first_state(options: Mapping[str, object], iteration: int) -> ScheduleState:
    """Where a schedule begins with a model as it is."""
    return ScheduleState(phase_of(options), iteration)


def options_of(phase: Phase, *, gan_power: float = 0.0) -> dict[str, object]:
    """What to set in a phase, by DeepFaceLab's names; nothing where there is no schedule."""
    if phase not in ORDER:
        return {}
    step = ORDER.index(phase)
    return {
        "lr_dropout": "y" if step >= ORDER.index(Phase.LR_DROPOUT) else "n",
        "random_warp": step < ORDER.index(Phase.NO_WARP),
        "gan_power": (gan_power or _DEFAULT_GAN_POWER) if phase is Phase.GAN else 0.0,
    }


def phase_after(phase: Phase) -> Phase | None:
    """The phase that follows; None after the last one, and where there is no schedule."""
    return ORDER[ORDER.index(phase) + 1] if phase in ORDER[:-1] else None


def following(state: ScheduleState, settings: ScheduleSettings) -> Phase | None:
    """The phase that will begin by itself at some time; None if the present one is to stay."""
    after = phase_after(state.phase)
    if state.held or (after is Phase.GAN and settings.gan_power <= 0):
        return None
    return after


def has_run_out(state: ScheduleState, iteration: int, settings: ScheduleSettings) -> bool:
    """True in a phase that no other will follow, once its shortest length is over."""
    return following(state, settings) is None and _is_long_enough(state, iteration, settings)


def _is_long_enough(state: ScheduleState, iteration: int, settings: ScheduleSettings) -> bool:
    return iteration - state.entered_at >= settings.shortest.get(state.phase, 0)


def next_switch(
    state: ScheduleState,
    looks: Sequence[Look],
    verdicts: Sequence[Verdict],
    settings: ScheduleSettings,
) -> Switch | None:
    """The switch that is due after the last look; None if training goes on as it is.

    Args:
        state: The present state.
        looks: All looks.
        verdicts: What `judge` says of them.
        settings: Shortest lengths, and whether there is a GAN phase.
    """
    to = following(state, settings)
    if to is None or not looks or not verdicts:
        return None
    now = looks[-1].iteration
    seen = sum(look.iteration > state.entered_at for look in looks)
    if not _is_long_enough(state, now, settings) or seen < NEEDED_LOOKS:
        return None
    main = verdicts[0]
    if main.call is not Call.PLATEAU:
        return None
    trained = now - state.entered_at
    reason = f"{_BEGINS[to]} after {trained:,} iterations of {state.phase}: {main.evidence}"
    options = options_of(to, gan_power=settings.gan_power)
    return Switch(state.phase, to, reason, options)


def switch_by_hand(state: ScheduleState, to: Phase, settings: ScheduleSettings) -> Switch:
    """The switch to a phase that the user asks for, forwards or back.

    Raises:
        ConfigError: The model has no such phases, or the phase is the present one.
    """
    if state.phase not in ORDER or to not in ORDER:
        raise ConfigError(
            f"A model in phase {state.phase} cannot go to phase {to}; phases are "
            f"{', '.join(ORDER)}, for models of the kinds SAEHD and AMP outside of pretraining."
        )
    if to is state.phase:
        raise ConfigError(f"The model is in phase {to} already; choose another one.")
    reason = f"{_BEGINS[to]}, as asked for."
    return Switch(state.phase, to, reason, options_of(to, gan_power=settings.gan_power))


_BEGINS = {
    Phase.WARP: "Training with warp begins",
    Phase.LR_DROPOUT: "Learning-rate dropout begins",
    Phase.NO_WARP: "The warp is switched off",
    Phase.GAN: "GAN begins",
}
