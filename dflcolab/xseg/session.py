"""One XSeg network in training: weights, optimizer, faces, counters; how it steps and is saved."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Mask, Tensor
from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Checkpoint, Contents
from dflcolab.engine.loss_history import LossHistory, losses_name
from dflcolab.engine.precision import Precision
from dflcolab.errors import DivergedError
from dflcolab.models.xseg.options import XSegOptions
from dflcolab.training.augment import PADDING
from dflcolab.training.devices import Devices
from dflcolab.training.model_state import ModelState
from dflcolab.training.preview import encode_jpeg
from dflcolab.training.returning_session import ReturningSession
from dflcolab.training.sampler import Sampler
from dflcolab.training.saved_session import silent
from dflcolab.training.session import number_tensor
from dflcolab.watch.looks import Sample, sample_of
from dflcolab.xseg.dataset import Faces
from dflcolab.xseg.mask_measures import boundary_f_score, cut, intersection_over_union
from dflcolab.xseg.preview import draw_masks
from dflcolab.xseg.step import MaskStep

_ROWS = 2  # of a preview, of each kind of face
_MOST_LOOKED_AT = 64  # training faces at each look


@dataclass(frozen=True)
class Material:
    """What a network learns from and is judged by.

    Attributes:
        training: Faces with masks; in pretraining any faces.
        held_out: Faces with masks that it never learns from; None where none are held out.
        others: Faces without labels, for previews; None where there are none.
        held_out_cells: Stretches of frames that are held out (see `held_out`).
        learned_cells: Such that this run or one before learned from.
        training_stretches: Number of the stretch of frames of each face of `training`.
        held_out_stretches: The same for `held_out`.
    """

    training: Faces
    held_out: Faces | None = None
    others: Faces | None = None
    held_out_cells: tuple[str, ...] = ()
    learned_cells: tuple[str, ...] = ()
    training_stretches: tuple[int, ...] = ()
    held_out_stretches: tuple[int, ...] = ()


class MaskSession(ReturningSession):
    """Everything that changes while a network trains.

    Args:
        model_dir: Where checkpoints and the loss history go.
        options: The network and how it trains.
        material: The faces.
        seed: Root of all random numbers.
        precision: Type the network computes in.

    Attributes:
        history: Losses of all iterations, in the first column.
        precision: As given.
    """

    options: XSegOptions

    def __init__(
        self,
        model_dir: Path,
        options: XSegOptions,
        material: Material,
        *,
        seed: int,
        precision: Precision,
    ) -> None:
        losses = LossHistory(model_dir / losses_name(pretraining=options.pretrain))
        super().__init__(model_dir, losses, options, seed=seed, devices=Devices())
        self.precision: Precision = precision
        self._material = material
        self._position = 0
        self._judged: dict[str, npt.NDArray[np.float64]] | None = None
        self._judged_at = -1
        self._make_samplers()

    def _make_samplers(self) -> None:
        count, phase = len(self._material.training), int(self.options.pretrain)
        self._order = Sampler(count, [self._stream_seed, 0, phase])
        self._backgrounds = Sampler(count, [self._stream_seed, 1, phase])

    def start_new(self) -> None:
        """Begin with fresh weights at iteration 0."""
        self._take(ModelState(self.options, seed=self.seed), iteration=0, position=0)
        self.restored = {}
        self._start = self.start_new

    def restore(
        self,
        checkpoint: Checkpoint,
        *,
        note: Callable[[str], None] = silent,
        seed_stream: int | None = None,
    ) -> None:
        # No part of the network ever starts anew, so there is nothing to note.
        stored = checkpoint.state()
        self._use_stream(stored.get("seed_stream", 0) if seed_stream is None else seed_stream)
        position = stored.get("sampler", {}).get("masks", {}).get("position", 0)
        self._take(self._loaded(checkpoint), iteration=checkpoint.iteration, position=int(position))
        self._restore_scales(stored.get("loss_scales", {}))
        self.restored = stored
        if self._start is None and stored.get("from_nothing"):
            self._start = self.start_new

    def leave_pretraining(self, checkpoint: Checkpoint) -> None:
        """Keep all that was learned, and start at iteration 0 with the labels, as DeepFaceLab does."""
        self._take(self._loaded(checkpoint), iteration=0, position=0)
        self.restored = {}
        self._start = functools.partial(self.leave_pretraining, checkpoint)

    def train_one(self) -> Tensor:
        """One step; its mean loss `[1]`, still on the device."""
        count = self.options.batch_size
        self.iteration += 1
        faces = self._material.training
        batch = faces.batch(self._order.take(self._position, count))
        others = faces.batch(self._backgrounds.take(self._position, count))
        self._position += count
        return self._step.step(batch, others, number_tensor(self.iteration))[None]

    def evaluate(self) -> dict[str, float] | None:
        """Held-out faces as they are: `loss`, `iou`, `boundary_f`; in pretraining the loss alone.

        None where none are held out, or where one is no number.
        """
        judged = self._judge_held_out()
        if judged is None:
            return None
        means = {name: float(values.mean()) for name, values in judged.items()}
        return means if np.isfinite(list(means.values())).all() else None

    def _score_of(self, measures: Mapping[str, float] | None) -> float | None:
        return None if measures is None else measures["loss"]

    def face_counts(self) -> dict[str, dict[str, int]]:
        held = self._material.held_out
        n_held = 0 if held is None else len(held)
        return {"masks": {"training": len(self._material.training), "held_out": n_held}}

    def look(self) -> dict[str, Sample] | None:
        """What the watch sees: measures of held-out and of training faces, by stretch of frames.

        Returns:
            By `masks/<held_out or training>/<measure>`; None where no face is held out.
        """
        judged = self._judge_held_out()
        if judged is None:
            return None
        material = self._material
        known = self._judge(self._looked_at)
        groups = {
            "held_out": (judged, material.held_out_stretches),
            "training": (known, material.training_stretches[:: self._look_step]),
        }
        return {
            f"masks/{group}/{name}": sample_of(values, stretches)
            for group, (measures, stretches) in groups.items()
            for name, values in measures.items()
        }

    @property
    def _look_step(self) -> int:
        return -(-len(self._material.training) // _MOST_LOOKED_AT)

    @property
    def _looked_at(self) -> npt.NDArray[np.uint8]:
        """Training faces that a look is at."""
        return self._material.training.faces[:: self._look_step]

    @functools.cached_property
    def comparable(self) -> str:
        """Differs between looks whose losses are not to be compared: those at other faces or masks.

        So do those after training on other faces, which a look need not be at.
        """
        digest = hashlib.sha256(self.scored_by.encode())
        digest.update("\n".join(self._material.training.names).encode(errors="surrogateescape"))
        digest.update(self._looked_at.tobytes())
        return digest.hexdigest()[:16]

    @functools.cached_property
    def scored_by(self) -> str:
        held_out = self._material.held_out
        digest = hashlib.sha256(str(self.options.face_type).encode())
        if held_out is not None:
            digest.update(held_out.faces.tobytes())
        return digest.hexdigest()[:16]

    def _judge_held_out(self) -> dict[str, npt.NDArray[np.float64]] | None:
        faces = self._material.held_out
        if faces is not None and self._judged_at != self.iteration:
            self._judged, self._judged_at = self._judge(faces.faces), self.iteration
        return self._judged

    def _judge(self, faces: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float64]]:
        """Measures of faces as they are, one value each."""
        masks, losses = self._predicted(faces)
        found = {"loss": losses.astype(np.float64)}
        if not self.options.pretrain:
            drawn = faces[:, PADDING:-PADDING, PADDING:-PADDING, 3] > 127
            pairs = [(cut(mask), plane) for mask, plane in zip(masks, drawn, strict=True)]
            found["iou"] = np.array([intersection_over_union(*pair) for pair in pairs])
            found["boundary_f"] = np.array([boundary_f_score(*pair) for pair in pairs])
        return found

    def preview(self) -> bytes:
        """Training faces, held-out ones and unlabelled ones as a JPEG."""
        picked: list[npt.NDArray[np.uint8]] = []
        drawn: list[bool] = []
        parts = (self._material.training, self._material.held_out, self._material.others)
        have_masks = not self.options.pretrain
        for faces, is_drawn in zip(parts, (have_masks, have_masks, False), strict=True):
            if faces is not None:
                n = min(_ROWS, len(faces))
                places = (np.arange(n) + 0.5) * len(faces) / n
                picked.append(faces.batch(places.astype(np.int64)))
                drawn += [is_drawn] * n
        shown = np.concatenate(picked)
        masks, _ = self._predicted(shown)
        inner = shown[:, PADDING:-PADDING, PADDING:-PADDING]
        return encode_jpeg(draw_masks(inner, masks, labelled=drawn))

    def _predicted(self, faces: npt.NDArray[np.uint8]) -> tuple[Mask, npt.NDArray[np.float32]]:
        """Masks `[N, R, R, 1]` and losses `[N]`, in batches of one shape."""
        count = self.options.batch_size
        masks: list[Mask] = []
        losses: list[npt.NDArray[np.float32]] = []
        for start in range(0, len(faces), count):
            places = np.arange(start, start + count) % len(faces)
            inner = faces[places][:, PADDING:-PADDING, PADDING:-PADDING]
            mask, loss = self._step.compare(inner)
            masks.append(mask.numpy())
            losses.append(loss.numpy())
        return np.concatenate(masks)[: len(faces)], np.concatenate(losses)[: len(faces)]

    # --- saving -----------------------------------------------------------------------------------

    def diverged(self) -> DivergedError:
        """The error that tells of losses or weights that are no numbers any more."""
        return DivergedError(
            f"Mask training diverged before iteration {self.iteration} (a loss or weight is not a "
            f"number) and was not saved; the last good checkpoint is {self._last_good()}: run again with a lower "
            "--set learning_rate to go on from it."
        )

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

    def _summary(self, held_out: Mapping[str, float] | None) -> dict[str, Any]:
        return {
            "architecture": self.options.arch,
            "options": to_plain(self.options),
            "pretraining": self.options.pretrain,
            "seed": self.seed,
            "seed_stream": self.seed_stream,
            "from_nothing": self._start == self.start_new,
            "precision": self.precision,
            "sampler": {"masks": {"position": self._position}},
            "loss_history": {"file": self.history.path.name, "count": self.iteration},
            "loss_scales": self._scales_to_plain(),
            "faces": self.face_counts(),
            "held_out_cells": list(self._material.held_out_cells),
            "learned_cells": list(self._material.learned_cells),
            "held_out": held_out,
            "held_out_loss": self._score_of(held_out),
            **{name: value() for name, value in self.also_saved.items()},
            "saved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }

    def _loaded(self, checkpoint: Checkpoint) -> ModelState:
        return ModelState(
            self.options,
            seed=self.seed,
            weights=checkpoint.weights(),
            optimizer=checkpoint.optimizer(),
            source=str(checkpoint.folder),
        )

    def _take(self, state: ModelState, *, iteration: int, position: int) -> None:
        self._state = state
        self._step = MaskStep(self.options, state, precision=self.precision, seed=self._stream_seed)
        self.iteration, self._position = iteration, position
        self._judged_at = -1
        self.history.start_at(iteration)
