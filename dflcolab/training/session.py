"""One model in training: weights, optimizer, faces, counters; how it starts, steps and is saved."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Checkpoint, Contents
from dflcolab.engine.loss_history import LossHistory, UnwrittenHistory, losses_name
from dflcolab.engine.precision import Precision
from dflcolab.errors import DivergedError, ModelError
from dflcolab.models.amp.options import AmpOptions
from dflcolab.models.kinds import SwapModelOptions, swap_options_of
from dflcolab.models.quick96 import Quick96Options
from dflcolab.models.saehd.options import SaehdOptions
from dflcolab.training.color_match import color_change, transfers_colors
from dflcolab.training.devices import Devices
from dflcolab.training.evaluator import Evaluation, Evaluator, meaning_of
from dflcolab.training.model_state import ModelState
from dflcolab.training.preview import Pictures, encode_jpeg, painted_in_parts, preview
from dflcolab.training.quick96_objective import repeats_batch
from dflcolab.training.returning_session import ReturningSession
from dflcolab.training.sampler import Sampler
from dflcolab.training.saved_session import silent
from dflcolab.training.side_faces import SideFaces
from dflcolab.training.step import TrainingStep
from dflcolab.training.step_plan import StepPlan, device_name, parts_at_most
from dflcolab.watch.intervals import interval_of
from dflcolab.watch.looks import Sample


class Session(ReturningSession):
    """Everything that changes while a model trains.

    Args:
        model_dir: Where checkpoints and histories go.
        options: The model and how it trains.
        src: Faces of src.
        dst: Faces of dst.
        seed: Root of all random numbers.
        precision: Type the networks compute in.
        plan: In how many parts a batch is worked through, and compiled by what; None: at once.
        devices: What it trains on; None: the one there is.
        note: Gets a sentence when memory runs out and the step is changed, or a save has to be waited for.

    Attributes:
        plan: As given, or smaller after memory ran out.
    """

    options: SwapModelOptions

    def __init__(
        self,
        model_dir: Path,
        options: SwapModelOptions,
        src: SideFaces,
        dst: SideFaces,
        *,
        seed: int,
        precision: Precision,
        plan: StepPlan | None = None,
        devices: Devices | None = None,
        note: Callable[[str], None] = silent,
    ) -> None:
        devices = devices or Devices()
        history = LossHistory if devices.is_chief else UnwrittenHistory
        losses = history(model_dir / losses_name(pretraining=options.pretrain))
        super().__init__(model_dir, losses, options, seed=seed, devices=devices, note=note)
        count = options.batch_size
        n_devices = self.devices.count
        self.plan = plan or StepPlan(device_name(), count, count // n_devices, devices=n_devices)
        self._go_back: Callable[[], None] = self.start_new
        self.precision: Precision = precision
        self._sides = {"src": src, "dst": dst}
        self._positions = {"src": 0, "dst": 0}
        self._make_samplers()

    def _make_samplers(self) -> None:
        options, root = self.options, self._stream_seed
        self._evaluator = Evaluator(options, self._sides)
        self._looked: Evaluation | None = None
        self._held_out_losses: dict[str, Sample] = {}
        self._samplers = {
            side: Sampler(
                len(faces.training),
                [root, index, int(options.pretrain)],
                yaws=faces.training.yaws if options.uniform_yaw or options.pretrain else None,
            )
            for index, (side, faces) in enumerate(self._sides.items())
        }
        # One reference per src face, so the position of src is its position too.
        n_dst = len(self._sides["dst"].training)
        self._color_sampler = (
            Sampler(n_dst, [root, len(self._sides)]) if transfers_colors(options) else None
        )

    def start_new(self) -> None:
        """Begin with fresh weights at iteration 0."""
        with self.devices.variables():
            state = ModelState(self.options, seed=self.seed)
        self._take(state)
        self._begin_at(0, dict.fromkeys(self._sides, 0))
        self.restored = {}
        self._go_back = self._start = self.start_new

    def restore(
        self,
        checkpoint: Checkpoint,
        *,
        note: Callable[[str], None] = silent,
        seed_stream: int | None = None,
    ) -> None:
        state = checkpoint.state()
        self._use_stream(state.get("seed_stream", 0) if seed_stream is None else seed_stream)
        self._take(self._loaded(checkpoint, note))
        positions = {side: int(state["sampler"][side]["position"]) for side in self._sides}
        self._restore_scales(state.get("loss_scales", {}))
        self._begin_at(checkpoint.iteration, positions)
        self.restored = state
        if self._start is None and state.get("from_nothing"):
            self._start = self.start_new
        self._go_back = functools.partial(self.restore, checkpoint, seed_stream=self.seed_stream)

    def go_on_with(
        self,
        options: SwapModelOptions,
        checkpoint: Checkpoint,
        *,
        note: Callable[[str], None] = silent,
    ) -> None:
        """Train on with other options from a checkpoint of the present state.

        Args:
            options: Of the same structure as before.
            checkpoint: Holds the state as it is.
            note: Gets a sentence where a discriminator starts anew.

        Raises:
            CheckpointError: The checkpoint cannot be read.
        """
        self._give_up(options)
        self.restore(checkpoint, note=note)

    def leave_pretraining(
        self, checkpoint: Checkpoint, *, note: Callable[[str], None] = silent
    ) -> None:
        """Turn a pretrained model into one for two people, as DeepFaceLab does.

        Encoder, decoders and the optimizer's state stay; the inters start anew (DFL
        interoperability notes, section 4.3); iteration and losses start at 0.
        """
        state = self._loaded(checkpoint, note)
        if not isinstance(self.options, Quick96Options):
            slots = self.options.reset_moments_after_pretrain
            state.restart(restarted_networks(self.options), seed=self.seed + 1, slots=slots)
        self._take(state)
        self._begin_at(0, dict.fromkeys(self._sides, 0))
        self.restored = {}
        self._go_back = functools.partial(self.leave_pretraining, checkpoint)
        self._start = self._go_back

    def _begin_at(self, iteration: int, positions: dict[str, int]) -> None:
        self.iteration = iteration
        self._positions = positions
        self.history.start_at(iteration)

    def train_one(self) -> Tensor | None:
        """One step; its losses `[2]` (src, dst), still on the device.

        Where memory runs out, the step is made anew for half as many faces at once, with the same
        batch in more parts. It is repeated; or, if it had begun to change weights, the session is
        back at its last save (or start), and None is returned. The same where XLA fails, whose
        step is made anew without it.

        Raises:
            ModelError: Not even one face at a time fits.
        """
        batches: list[Any] = []
        count = self.options.batch_size
        self._looked = None
        self.iteration += 1
        again = isinstance(self.options, Quick96Options) and repeats_batch(self.iteration)
        change = None
        for side, faces in self._sides.items():
            if again:
                self._positions[side] -= count
            indices = self._samplers[side].take(self._positions[side], count)
            if side == "src" and self._color_sampler is not None:
                change = self._color_change(indices)
            self._positions[side] += count
            batches.append(faces.training.batch(self.devices.of_this_worker(indices)))
        while True:
            try:
                return self._step.step(*batches, number_tensor(self.iteration), change)
            except tf.errors.ResourceExhaustedError as error:
                if self.devices.count > 1:
                    raise self._too_large_for_devices() from error
                # Only the step is dropped here: the error's frames hold its tensors.
                begun, failure = self._has_begun(), None
            except tf.errors.OpError as error:
                if not self.plan.jit:
                    raise
                begun, failure = self._has_begun(), str(error).strip().splitlines()[0][:160]
            if failure is None:
                self._shrink(begun)
            else:
                self._leave_jit(failure, begun)
            if begun:
                self.settle()
                self._go_back()
                return None

    def _too_large_for_devices(self) -> ModelError:
        """Memory ran out on one of several: the others may have stepped already."""
        return ModelError(
            f"Memory ran out at iteration {self.iteration} with {self.plan.micro_batch} faces at "
            "once on each of several devices; run again with a smaller --batch or a larger "
            "--accumulate. Everything up to the last save is kept."
        )

    def _has_begun(self) -> bool:
        """True if this iteration may have changed weights."""
        return int(self._step.begun.numpy()) == self.iteration

    def _leave_jit(self, failure: str, begun: bool) -> None:
        """No XLA from now on."""
        after = "training goes on from the last save" if begun else "the iteration is repeated"
        note = f"XLA failed at iteration {self.iteration} ({failure}); {after}, without it."
        self.plan = self.plan.without_jit(note)
        self._note(note)
        self._rebuild_step()

    def _shrink(self, begun: bool) -> None:
        """Half as many faces at once from now on."""
        plan = self.plan
        if plan.micro_batch == 1:
            raise ModelError(
                f"Memory ran out at iteration {self.iteration} with a single face at a time; close "
                "other programs that use it, or make a model with a lower resolution or smaller "
                "dims. Everything up to the last save is kept."
            )
        smaller = parts_at_most(plan.batch, plan.micro_batch // 2)
        self.plan = dataclasses.replace(plan, micro_batch=smaller)
        after = "training goes on from the last save" if begun else "the iteration is repeated"
        self._note(
            f"Memory ran out at iteration {self.iteration} with {plan.micro_batch} faces at once; "
            f"batches of {plan.batch} are worked through {smaller} at a time from now on, with the "
            f"same result, and {after}."
        )
        self._rebuild_step()

    def _rebuild_step(self) -> None:
        """The step anew, by the plan as it is now; loss scales stay."""
        old = self._step
        self._build_step()
        for name, scale in old.loss_scales.items():
            self._step.loss_scales[name].scale.assign(scale.scale)
            self._step.loss_scales[name].good_steps.assign(scale.good_steps)

    def _color_change(self, indices: npt.NDArray[np.int64]) -> Tensor:
        """How src faces take over the colors of random dst faces, which come in rounds as well."""
        assert self._color_sampler is not None
        src, dst = (self._sides[side].training.colors for side in ("src", "dst"))
        if src is None or dst is None:
            raise ValueError("ct_mode needs faces that were prepared with their colors")
        references = self._color_sampler.take(self._positions["src"], len(indices))
        change = color_change(self.options.ct_mode, src, indices, dst, references)
        return tf.constant(self.devices.of_this_worker(change))

    def face_counts(self) -> dict[str, dict[str, int]]:
        return {
            side: {
                "training": len(faces.training),
                "held_out": len(faces.held_out) if faces.held_out else 0,
            }
            for side, faces in self._sides.items()
        }

    def evaluate(self) -> dict[str, float] | None:
        """Mean loss on the held-out faces of each side that has some, unwarped.

        None where none are held out, or where a loss is no number.
        """
        looked = self._looked
        measures = (
            looked.measures
            if looked is not None
            else self._evaluator.held_out(self._step.evaluate, at_once=self.plan.micro_batch)
        )
        names = {side: f"{side}/held_out/loss" for side in self._sides}
        self._held_out_losses = {
            side: measures[name] for side, name in names.items() if name in measures
        }
        if not self._held_out_losses:
            return None
        losses = {side: sample.mean for side, sample in self._held_out_losses.items()}
        return losses if np.isfinite(list(losses.values())).all() else None

    def _score_of(self, measures: Mapping[str, float] | None) -> float | None:
        return None if measures is None else sum(measures.values())

    @property
    def comparable(self) -> str:
        """Differs between looks whose losses are not to be compared."""
        return meaning_of(self.options, self._evaluator.faces_digest)

    @property
    def scored_by(self) -> str:
        return meaning_of(self.options, self._evaluator.held_out_digest)

    @property
    def stretch_names(self) -> dict[str, list[str]]:
        """What the held-out stretches of each side are called, in the order of a look's means."""
        return self._evaluator.stretch_names

    def look(self, *, swap: bool) -> Evaluation:
        """What the watch sees now (see `Evaluator.look`); the same at each call until training goes on.

        Args:
            swap: Swapped faces as well, which costs about a second on a CPU.
        """
        looked = self._looked
        if looked is None or (swap and not looked.swap):
            looked = self._evaluator.look(
                self._step.evaluate,
                self._paint_in_parts,
                at_once=self.plan.micro_batch,
                swap=swap,
            )
            self._looked = looked
        return looked

    def preview(self) -> bytes:
        """The preview as a JPEG: DeepFaceLab's grid, and a run of swapped dst frames."""
        resolution = self.options.resolution
        return encode_jpeg(preview(self._sides, self._paint_in_parts, resolution=resolution))

    # --- saving -----------------------------------------------------------------------------------

    def _saved(self, checkpoint: Checkpoint) -> None:
        super()._saved(checkpoint)
        self._go_back = functools.partial(self.restore, checkpoint)

    def _contents(self, preview: bytes) -> Contents:
        weights = self._finite_weights()
        self.history.flush()
        held_out = self.evaluate()
        return Contents(
            iteration=self.iteration,
            weights=weights,
            optimizer=self._state.optimizer(),
            state=self._summary(held_out),
            preview=preview,
        )

    def diverged(self) -> DivergedError:
        """The error that tells of losses or weights that are no numbers any more."""
        return DivergedError(
            f"Training diverged before iteration {self.iteration} (a loss or weight is not a "
            f"number) and was not saved; the last good checkpoint is {self._last_good()}: run again with "
            "--set clipgrad=yes or a lower learning_rate to go on from it."
        )

    def _summary(self, held_out: Mapping[str, float] | None) -> dict[str, Any]:
        return {
            "architecture": self.options.arch,
            "options": to_plain(self.options),
            "pretraining": self.options.pretrain,
            "seed": self.seed,
            "seed_stream": self.seed_stream,
            "from_nothing": self._start == self.start_new,
            "precision": self.precision,
            "step_plan": self.plan.to_plain(),
            "sampler": {side: {"position": at} for side, at in self._positions.items()},
            "loss_history": {"file": self.history.path.name, "count": self.iteration},
            "loss_scales": self._scales_to_plain(),
            "faces": self.face_counts(),
            "held_out": held_out,
            "held_out_intervals": held_out and intervals_of(self._held_out_losses),
            "held_out_loss": self._score_of(held_out),
            "saved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **{name: ask() for name, ask in self.also_saved.items()},
        }

    def _loaded(self, checkpoint: Checkpoint, note: Callable[[str], None]) -> ModelState:
        weights = checkpoint.weights()
        if self._judge_changed(checkpoint.state()):
            weights = {n: v for n, v in weights.items() if not n.startswith(("D_src/", "GAN/"))}
        with self.devices.variables():
            return ModelState(
                self.options,
                seed=self.seed,
                weights=weights,
                optimizer=checkpoint.optimizer(),
                source=str(checkpoint.folder),
                note=note,
            )

    def _judge_changed(self, state: Mapping[str, Any]) -> bool:
        """True if the patch discriminator looks at other patches now, or is of another width.

        Strides are not seen in its weights, so shapes alone do not tell. It starts anew then.
        """
        if isinstance(self.options, Quick96Options) or not self.options.uses_gan:
            return False
        before = swap_options_of(state["architecture"], state["options"])
        assert not isinstance(before, Quick96Options)
        now = self.options
        return (before.gan_patch, before.gan_dims) != (now.gan_patch, now.gan_dims)

    def _take(self, state: ModelState) -> None:
        """Train this state from now on."""
        self._state = state
        self._build_step()

    def _build_step(self) -> None:
        self._looked = None
        self._step = TrainingStep(
            self.options,
            self._state,
            precision=self.precision,
            seed=self._stream_seed,
            micro_batches=self.plan.parts,
            jit=self.plan.jit,
            devices=self.devices,
        )

    def _paint_in_parts(
        self, src: npt.NDArray[np.uint8], dst: npt.NDArray[np.uint8]
    ) -> tuple[Pictures, Pictures, Pictures]:
        """A `Painter` that takes no more memory than training, and compiles for one shape."""
        return painted_in_parts(self._step.paint, src, dst, at_once=min(8, self.plan.micro_batch))


def intervals_of(losses: Mapping[str, Sample]) -> dict[str, list[float]]:
    """By side: between which two values the loss of all such faces probably lies (90 %).

    Nothing of a side with fewer than two stretches, where that is not known.
    """
    found = {side: interval_of(sample) for side, sample in losses.items()}
    return {
        side: [i.low, i.high] for side, i in found.items() if np.isfinite([i.low, i.high]).all()
    }


def number_tensor(number: int) -> Tensor:
    """An int64 tensor that is forgotten after use.

    TensorFlow keeps every number of Python that it ever turned into a tensor, for good: one new
    number per iteration is 750 bytes each time.
    """
    return tf.constant(np.int64(number))


def restarted_networks(options: SaehdOptions | AmpOptions) -> tuple[str, ...]:
    """Scopes of the networks that start anew after pretraining: those that hold the people.

    AMP has no pretraining in DeepFaceLab. Its inters start anew where they are trained; otherwise
    they are fixed random projections that encoder and decoder were trained for, and stay.
    """
    if isinstance(options, AmpOptions):
        return ("inter_src/", "inter_dst/") if options.train_inters else ()
    return ("inter/",) if options.architecture.family == "df" else ("inter_AB/", "inter_B/")
