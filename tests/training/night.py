"""A night of training with faults at random moments, in minutes: `python -m tests.training.night`.

The loop, its checkpoints, the optimizer and the roll-back are the real ones. With `--real` the model
is, too; otherwise each side learns two dozen weights of a tiny one from noisy gradients, which takes
a millisecond an iteration and explodes, collapses and loses its numbers like the real one.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import cv2
import numpy as np
import tensorflow as tf

from dflcolab.arrays import Array
from dflcolab.engine.checkpoint import Checkpoint, latest_checkpoint
from dflcolab.engine.optimizer_states import split_states
from dflcolab.engine.precision import LossScale
from dflcolab.models.build import groups_of
from dflcolab.models.kinds import ModelOptions
from dflcolab.models.saehd.options import saehd_options
from dflcolab.optimizers.optimizer import Optimizer
from dflcolab.progress import Progress
from dflcolab.training import session as session_module
from dflcolab.training.augment import PADDING
from dflcolab.training.callbacks import SaveOnSchedule, StopAtTarget
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.model_state import ModelState, optimizer_kind, optimizer_settings
from dflcolab.training.rollback import RollBack
from dflcolab.training.session import Session, SideFaces
from dflcolab.training.trainer import Callback, TrainingLoop

SIZE = 32
TINY = {"resolution": SIZE, "archi": "df", "ae_dims": 8, "e_dims": 8, "d_dims": 8,
        "d_mask_dims": 4, "batch_size": 2, "learning_rate": 1e-3}  # fmt: skip
LEARNED = {side: f"decoder_{side}/out_conv/weight:0" for side in ("src", "dst")}


class Killed(Exception):
    """The process is gone."""


def faces(count: int, seed: int) -> SideFaces:
    """Simple faces of one person in many poses; every fourth is held out."""
    random = np.random.default_rng(seed)
    side = SIZE + 2 * PADDING
    skin = random.uniform(90, 200, 3)
    made = []
    for turn in np.linspace(0, 2 * np.pi, count, endpoint=False):
        center = side // 2 + int(4 * np.sin(turn)), side // 2 + int(3 * np.cos(2 * turn))
        picture = np.full((side, side, 3), random.uniform(0, 60, 3), np.float32)
        masks = np.zeros((2, side, side), np.float32)
        cv2.ellipse(picture, center, (10, 13), 0, 0, 360, skin.tolist(), -1)
        cv2.ellipse(masks[0], center, (10, 13), 0, 0, 360, 255, -1)
        for x in (-4, 4):
            eye = center[0] + x + int(3 * np.sin(turn)), center[1] - 4
            cv2.circle(picture, eye, 2, (20, 20, 20), -1)
            cv2.circle(masks[1], eye, 3, 255, -1)
        made.append(np.dstack([picture, *masks]).astype(np.uint8))
    held = np.arange(count) % 4 == 3
    stack = np.stack(made)
    training, held_out = (
        TrainingFaces(stack[chosen], tuple(f"{i}.jpg" for i in np.flatnonzero(chosen)),
                      (0.0,) * int(chosen.sum()))
        for chosen in (~held, held)
    )  # fmt: skip
    return SideFaces(training, held_out)


class ToyStep:
    """Brings one weight tensor of each side towards its goal, by noisy gradients.

    Args:
        session: Whose state, options and seeds are used.
        bad: Iterations whose gradients are no numbers, by stream of random numbers.
    """

    def __init__(self, session: ToySession, bad: dict[int, set[int]]) -> None:
        self._session = session
        self._bad = bad.get(session.seed_stream, set())
        self._settings = optimizer_settings(session.options)
        self._seed = session._stream_seed & 0x7FFFFFFF
        self.loss_scales = {"": LossScale("float32")}
        self.begun = tf.constant(-1)
        shape = session._state.variables[LEARNED["src"]].numpy().shape
        self._shape = shape
        self.aim(
            {
                side: np.random.default_rng(index).normal(0, 1, shape).astype(np.float32)
                for index, side in enumerate(LEARNED)
            }
        )

    def aim(self, goals: dict[str, Any]) -> None:
        """Learn these from now on."""
        self.goals = goals
        self._compiled = tf.function(self._train, autograph=False)

    def step(self, _src: Any, _dst: Any, iteration: Any, _change: Any) -> Any:
        random = np.random.default_rng([self._seed, int(iteration)])
        scatter = np.exp(0.2 * random.normal(size=2)).astype(np.float32)
        noise = random.normal(0, 0.3, (2, *self._shape)).astype(np.float32)
        if int(iteration) in self._bad:
            noise *= np.nan
        return self._compiled(tf.constant(scatter), tf.constant(noise))

    def _train(self, scatter: Any, noise: Any) -> Any:
        state = self._session._state
        losses, gradients = [], {}
        for place, (side, name) in enumerate(LEARNED.items()):
            away = tf.convert_to_tensor(state.variables[name]) - self.goals[side]
            losses.append(tf.reduce_mean(tf.square(away)) + 0.05)
            gradients[name] = away + noise[place]
        seed = tf.constant([self._seed, 0])  # nothing is drawn without dropout
        state.optimizers[state.groups[0].optimizer].apply(gradients, self._settings, seed=seed)
        return tf.stack(losses) * scatter


class ToyState(ModelState):
    """The weights that a `ToyStep` changes, and a real optimizer's memory of them."""

    def __init__(
        self,
        options: ModelOptions,
        *,
        seed: int,
        weights: Mapping[str, Array] | None = None,
        optimizer: Mapping[str, Array] | None = None,
        source: str = "",
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.groups = groups_of(options)
        main = self.groups[0].optimizer
        random = np.random.default_rng(seed)
        fresh = {
            name: random.normal(0, 0.1, (1, 1, 8, 3)).astype(np.float32)
            for name in LEARNED.values()
        }
        values = weights or fresh
        self.variables = {n: tf.Variable(tf.constant(value)) for n, value in values.items()}
        self.optimizers = {main: Optimizer(self.variables, optimizer_kind(options))}
        if optimizer:
            self.optimizers[main].load(split_states(optimizer, [main])[main], source=source)
        self._resting = ({}, {})


class ToySession(Session):
    """A session of a `ToyState` and a `ToyStep`."""

    bad: ClassVar[dict[int, set[int]]] = {}

    def start_new(self) -> None:
        with patch.object(session_module, "ModelState", ToyState):
            super().start_new()

    def _loaded(self, checkpoint: Checkpoint, note: Callable[[str], None]) -> ModelState:
        with patch.object(session_module, "ModelState", ToyState):
            return super()._loaded(checkpoint, note)

    def _build_step(self) -> None:
        self._step: Any = ToyStep(self, self.bad)

    def evaluate(self) -> dict[str, float] | None:
        found = {
            side: float(np.mean((self._state.variables[name].numpy() - goal) ** 2)) + 0.05
            for (side, name), goal in zip(LEARNED.items(), self._step.goals.values(), strict=True)
        }
        return found if np.isfinite(list(found.values())).all() else None

    def preview(self) -> bytes:
        return b""


class Listener(Progress):
    """Remembers messages."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


def session_in(folder: Path, *, real: bool = False, **options: Any) -> Session:
    """A session on simple faces; it goes on from the folder's latest checkpoint."""
    kind = Session if real else ToySession
    session = kind(folder, saehd_options({**TINY, **options}), faces(24, 1), faces(24, 2),
                   seed=3, precision="float32")  # fmt: skip
    checkpoint = latest_checkpoint(folder)
    if checkpoint is None:
        session.start_new()
    else:
        changed = checkpoint.state()["options"]
        session.options = saehd_options(changed)
        session.restore(checkpoint)
    return session


def train(
    session: Session,
    target: int,
    roll_back: RollBack | None,
    callbacks: Sequence[Callback] = (),
    *,
    save_every: int = 50,
    progress: Progress | None = None,
) -> TrainingLoop:
    """Run the loop with saves by iterations."""
    saves = SaveOnSchedule(every=save_every, minutes=0)
    loop = TrainingLoop(
        session, [*callbacks, saves, StopAtTarget(target)], keep=3, read_every=10,
        roll_back=roll_back,
    )  # fmt: skip
    loop.run(progress or Progress(), target=target)
    return loop


# ---- faults ------------------------------------------------------------------------------------


def poison(session: Session) -> None:
    """One weight is no number, as after an overflow."""
    variable = session._state.variables[LEARNED["src"]]
    value = variable.numpy()
    value.flat[0] = np.nan
    variable.assign(value)


def blow_up(session: Session) -> None:
    """A step that was far too long."""
    for name in LEARNED.values():
        session._state.variables[name].assign(30 * session._state.variables[name])


def collapse(session: Session) -> None:
    """The decoders paint one face, whatever comes in; their optimizers stand still."""
    for name in LEARNED.values():
        session._state.variables[name].assign(tf.zeros_like(session._state.variables[name]))


FAULTS = (poison, blow_up, collapse)


@dataclass
class Night:
    """What happened.

    Attributes:
        faults: Iteration, name, and held-out score of the model just after each injected fault.
        events: Facts of each roll-back.
        lost: Iterations that each roll-back gave up beyond the save before the fault.
        score: Held-out score at the end.
    """

    faults: list[tuple[int, str, float]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    kills: int = 0
    score: float = float("nan")


class Saboteur:
    """Breaks the model at random moments, and kills the process at others."""

    def __init__(
        self, night: Night, *, seed: int, every: int, kills: bool, calm_after: int
    ) -> None:
        self._night = night
        self._random = np.random.default_rng(seed)
        self._every = every
        self._kills = kills
        self._calm_after = calm_after
        self._ready = 150  # not enough losses for a judgement before
        self._left = self._draw()
        self.saved_before = 0
        self.broken = False

    def _draw(self) -> int:
        return 1 + int(self._random.exponential(self._every))

    def __call__(self, loop: TrainingLoop) -> None:
        session = loop.session
        self._left -= 1
        if self._left > 0 or not self._ready < session.iteration < self._calm_after:
            return
        self._left = self._draw()
        if self._kills and self._random.random() < 0.25:
            self._night.kills += 1
            raise Killed
        if not self.broken:
            self.broken = True
            session.settle()
            stands = latest_checkpoint(session.model_dir)
            self.saved_before = stands.iteration if stands else 0
        fault: Callable[[Session], None] = FAULTS[int(self._random.integers(len(FAULTS)))]
        fault(session)
        score = session.evaluate()
        total = float("inf") if score is None else score["src"] + score["dst"]
        self._night.faults.append((session.iteration, fault.__name__, total))


def spend_night(
    folder: Path, *, iterations: int, seed: int = 0, every: int = 250, real: bool = False,
    save_every: int = 50, most: int = 5,
) -> Night:  # fmt: skip
    """Train through random faults and kills until the target.

    Args:
        folder: Of the model.
        iterations: Target.
        seed: Of the faults.
        every: Iterations between faults, in the mean.
        real: Train a real tiny model.
        save_every: Iterations between saves.
        most: As `RollBack` takes it.

    Raises:
        ModelError: It gave up.
    """
    night = Night()
    saboteur = Saboteur(
        night, seed=seed, every=every, kills=True, calm_after=iterations - 2 * save_every
    )

    def event(kind: str, _text: str, **facts: Any) -> None:
        if kind == "rollback":
            night.events.append(facts)
            night.lost.append(saboteur.saved_before - facts["back_to"])
            saboteur.broken = False

    while True:
        session = session_in(folder, real=real)
        try:
            roll_back = RollBack(event, most=most)
            train(session, iterations, roll_back, [saboteur], save_every=save_every)
        except Killed:
            continue
        break
    score = session.evaluate()
    assert score is not None
    night.score = score["src"] + score["dst"]
    return night


def main() -> None:
    """Tell of a night."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--iterations", type=int, default=20_000)
    parser.add_argument("--every", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        night = spend_night(
            Path(folder), iterations=given.iterations, seed=given.seed, every=given.every,
            real=given.real, save_every=given.save_every,
        )  # fmt: skip
    for fault in night.faults:
        print("fault", *fault)
    for facts in night.events:
        print("back ", facts)
    print(f"{len(night.faults)} faults, {len(night.events)} roll-backs, {night.kills} kills")
    print(f"most lost beyond the last save: {max(night.lost, default=0)}; score {night.score:.4f}")


if __name__ == "__main__":
    main()
