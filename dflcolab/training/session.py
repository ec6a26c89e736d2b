"""One model in training: weights, optimizer, faces, counters; how it starts, steps and is saved."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Array, Tensor
from dflcolab.backend import tf
from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import (
    Checkpoint,
    Contents,
    best_of,
    list_checkpoints,
    write_checkpoint,
)
from dflcolab.engine.loss_history import LossHistory
from dflcolab.engine.precision import Precision
from dflcolab.errors import ModelError
from dflcolab.models.initial import initial_weights
from dflcolab.models.layers import Weights
from dflcolab.models.saehd.network import Saehd, SaehdSize
from dflcolab.models.saehd.options import SaehdOptions
from dflcolab.models.weight_map import checked_weights
from dflcolab.optimizers.optimizer import Optimizer
from dflcolab.training.augment import PADDING
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.preview import draw_preview, encode_jpeg, preview_rows
from dflcolab.training.sampler import Sampler
from dflcolab.training.step import TrainingStep

_MOST_EVALUATED = 32
_RESTARTED = {"df": ("inter/",), "liae": ("inter_AB/", "inter_B/")}


@dataclass(frozen=True)
class SideFaces:
    """The faces of one side.

    Attributes:
        training: What the model learns from.
        held_out: What it never sees; None where nothing was held out.
    """

    training: TrainingFaces
    held_out: TrainingFaces | None


class Session:
    """Everything that changes while a model trains.

    Args:
        model_dir: Where checkpoints and histories go.
        options: The model and how it trains.
        src: Faces of src.
        dst: Faces of dst.
        seed: Root of all random numbers.
        precision: Type the networks compute in.

    Attributes:
        iteration: Finished iterations.
        history: Losses of all iterations.
        options: As given.
    """

    def __init__(
        self,
        model_dir: Path,
        options: SaehdOptions,
        src: SideFaces,
        dst: SideFaces,
        *,
        seed: int,
        precision: Precision,
    ) -> None:
        self.model_dir = model_dir
        self.options = options
        self.iteration = 0
        self.seed = seed
        self.precision: Precision = precision
        self.model = Saehd(SaehdSize.of(options))
        self._sides = {"src": src, "dst": dst}
        self._positions = {"src": 0, "dst": 0}
        self.history = LossHistory(model_dir / losses_name(pretraining=options.pretrain))
        self._variables: dict[str, tf.Variable] = {}
        self._samplers = {
            side: Sampler(
                len(faces.training),
                [seed, index, int(options.pretrain)],
                yaws=faces.training.yaws if options.uniform_yaw or options.pretrain else None,
            )
            for index, (side, faces) in enumerate(self._sides.items())
        }

    def start_new(self) -> None:
        """Begin with fresh weights at iteration 0."""
        self._build(initial_weights(self.model.shapes(), seed=self.seed))
        self.history.start_at(0)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on exactly where a verified checkpoint ended.

        Raises:
            CheckpointError: It does not fit the model.
        """
        state = checkpoint.state()
        source = str(checkpoint.folder)
        self._build(checked_weights(self.model.shapes(), checkpoint.weights(), source=source))
        self._optimizer.load(checkpoint.optimizer(), source=source)
        self.iteration = checkpoint.iteration
        self._positions = {side: int(state["sampler"][side]["position"]) for side in self._sides}
        scale = state.get("loss_scale")
        if scale and self._step.loss_scale.active:
            self._step.loss_scale.scale.assign(scale["scale"])
            self._step.loss_scale.good_steps.assign(scale["good_steps"])
        self.history.start_at(self.iteration)

    def leave_pretraining(self, checkpoint: Checkpoint) -> None:
        """Turn a pretrained model into one for two people, as DeepFaceLab does.

        Encoder, decoders and the optimizer's state stay; the inters start anew (DFL
        interoperability notes, section 4.3); iteration and losses start at 0.
        """
        source = str(checkpoint.folder)
        weights = checked_weights(self.model.shapes(), checkpoint.weights(), source=source)
        restarted = _RESTARTED[self.model.size.architecture.family]
        shapes = {n: s for n, s in self.model.shapes().items() if n.startswith(restarted)}
        self._build(weights | initial_weights(shapes, seed=self.seed + 1))
        self._optimizer.load(checkpoint.optimizer(), source=source)
        self.history.start_at(0)

    def train_one(self) -> Tensor:
        """One step; its losses `[2]` (src, dst), still on the device."""
        batches: list[Any] = []
        count = self.options.batch_size
        for side, faces in self._sides.items():
            indices = self._samplers[side].take(self._positions[side], count)
            self._positions[side] += count
            batches.append(faces.training.batch(indices))
        self.iteration += 1
        return self._step.step(*batches, tf.constant(self.iteration, tf.int64))

    def evaluate(self) -> dict[str, float] | None:
        """Mean loss on the held-out faces of each side, unwarped.

        None where none are held out, or where a loss is no number.
        """
        held = {side: faces.held_out for side, faces in self._sides.items()}
        src, dst = held["src"], held["dst"]
        if src is None or dst is None:
            return None
        totals: list[tuple[float, ...]] = []
        count = min(_MOST_EVALUATED, max(len(src), len(dst)))
        size = self.options.batch_size
        # Whole batches only, so that the step is compiled for one shape.
        for start in range(0, count, size):
            pair = [
                side.batch(np.arange(start, start + size) * max(1, len(side) // count) % len(side))
                for side in (src, dst)
            ]
            totals.append(tuple(float(loss) for loss in self._step.evaluate(*pair)))
        means = np.mean(totals, axis=0)
        if not np.isfinite(means).all():
            return None
        return {"src": float(means[0]), "dst": float(means[1])}

    def preview(self) -> bytes:
        """The preview grid as a JPEG: up to two rows of training faces, two of held-out ones."""
        rows = preview_rows(self.options.resolution)
        src, dst = (_preview_faces(self._sides[side], rows) for side in ("src", "dst"))
        return encode_jpeg(draw_preview(src, dst, self._paint))

    def save(self, *, keep: int, preview: bytes) -> Checkpoint:
        """Write a checkpoint of the present state.

        Raises:
            ModelError: A weight is not a finite number; the earlier checkpoints stay.
            StorageError: The disk is full.
        """
        weights = {name: variable.numpy() for name, variable in self._variables.items()}
        if not all(np.isfinite(value).all() for value in weights.values()):
            raise self.diverged()
        self.history.flush(durable=True)
        held_out = self.evaluate()
        score = None if held_out is None else held_out["src"] + held_out["dst"]
        contents = Contents(
            iteration=self.iteration,
            weights=weights,
            optimizer=self._optimizer.state(),
            state=self._state(held_out, score),
            preview=preview,
        )
        best = self._best_before(score)
        return write_checkpoint(self.model_dir, contents, keep=keep, best=best)

    def diverged(self) -> ModelError:
        """The error that tells of losses or weights that are no numbers any more."""
        checkpoints = list_checkpoints(self.model_dir)
        good = checkpoints[-1].folder.name if checkpoints else "none yet"
        return ModelError(
            f"Training diverged before iteration {self.iteration} (a loss or weight is not a "
            f"number) and was not saved; the last good checkpoint is {good}: run again with "
            "--set clipgrad=yes or a lower learning_rate to go on from it."
        )

    def _best_before(self, score: float | None) -> str | None:
        """Which checkpoint stays as the best: "" for the one about to be written."""
        checkpoints = list_checkpoints(self.model_dir)
        best = best_of(checkpoints)
        if score is None or best is None:
            return best if score is None else ""
        states = {c.folder.name: c.state() for c in checkpoints if c.folder.name == best}
        state = states[best]
        if state.get("pretraining") != self.options.pretrain:
            return ""
        return best if float(state["held_out_loss"]) <= score else ""

    def _state(self, held_out: Mapping[str, float] | None, score: float | None) -> dict[str, Any]:
        return {
            "architecture": "saehd",
            "options": to_plain(self.options),
            "pretraining": self.options.pretrain,
            "seed": self.seed,
            "precision": self.precision,
            "sampler": {side: {"position": at} for side, at in self._positions.items()},
            "loss_history": {"file": self.history.path.name, "count": self.iteration},
            "loss_scale": {
                "scale": float(self._step.loss_scale.scale.numpy()),
                "good_steps": int(self._step.loss_scale.good_steps.numpy()),
            },
            "faces": {
                side: {
                    "training": len(faces.training),
                    "held_out": len(faces.held_out) if faces.held_out else 0,
                }
                for side, faces in self._sides.items()
            },
            "held_out": held_out,
            "held_out_loss": score,
            "saved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }

    def _build(self, weights: Mapping[str, Array]) -> None:
        self._variables = {name: tf.Variable(tf.constant(value)) for name, value in weights.items()}
        self._optimizer = Optimizer(
            self._variables, "adabelief" if self.options.adabelief else "rmsprop"
        )
        self._step = TrainingStep(
            self.model,
            self._variables,
            self._optimizer,
            self.options,
            precision=self.precision,
            seed=self.seed,
        )
        self._paint = tf.function(self._paint_faces, autograph=False)

    def _paint_faces(self, src: Tensor, dst: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights = Weights(self._variables)
        face_src, face_dst = self.model.reconstruct(weights, src, dst)
        return face_src.picture, face_dst.picture, self.model.swap(weights, dst).picture


def losses_name(*, pretraining: bool) -> str:
    """File name of the loss history of a phase."""
    return "losses-pretraining.bin" if pretraining else "losses.bin"


def _preview_faces(faces: SideFaces, rows: int) -> npt.NDArray[np.uint8]:
    """`[rows, R, R, 3]`: training faces from all over, then held-out ones."""
    n_held = rows // 2 if faces.held_out is not None else 0
    picked: list[Any] = []
    for part, count in ((faces.training, rows - n_held), (faces.held_out, n_held)):
        if part is not None and count:
            places = (np.arange(count) + 0.5) * len(part) / count
            picked.append(part.batch(places.astype(np.int64)))
    return np.concatenate(picked)[:, PADDING:-PADDING, PADDING:-PADDING, :3]
