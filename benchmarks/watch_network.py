"""The toy problems of `watch_toy` with the real step: a SAEHD df-d model of 32 pixels on the same kind of faces.

Losses, optimizer and networks are those of training. Three things differ, so that it takes hundreds of
iterations: a larger learning rate; faces are shown as they are, without DeepFaceLab's random views; and
there is no noise, which its losses learn late. Few faces of dst do not make it over-fit in that time,
since the man of the clip hardly moves; so only src is few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.demo_workspace import demo_faces
from benchmarks.watch_toy import SIDES, Curves, Faces, Looks, Problem, dealt
from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.faces.face_type import FaceType
from dflcolab.models.saehd.options import saehd_options
from dflcolab.training.augment import plain_batch
from dflcolab.training.model_state import ModelState
from dflcolab.training.sampler import Sampler
from dflcolab.training.session import number_tensor
from dflcolab.training.step import TrainingStep

OPTIONS = saehd_options(
    {"resolution": 32, "archi": "df-d", "ae_dims": 32, "e_dims": 8, "d_dims": 8, "d_mask_dims": 4,
     "batch_size": 4, "face_type": "whole_face", "random_warp": False, "learning_rate": 1e-3}
)  # fmt: skip

_AT_ONCE = 16


class Network:
    """The faces and one compiled model, which all trainings use one after the other."""

    def __init__(self) -> None:
        faces = demo_faces(FaceType.WHOLE, OPTIONS.resolution)
        self._clips = {side: part.faces for side, part in zip(SIDES, faces, strict=True)}
        self._state = ModelState(OPTIONS, seed=0)
        self._step = TrainingStep(OPTIONS, self._state, jit=True)
        self._plain = tf.function(plain_batch, autograph=False)

    def train(self, problem: Problem, seed: int, *, iterations: int, every: int) -> Curves:
        """Train one model from the start, with a look every so many iterations.

        Args:
            problem: The faces.
            seed: Of weights, order, who gets which stretch, light and noise.
            iterations: How many.
            every: Iterations between looks.
        """
        self._restart(seed)
        sides = {side: dealt(self._clips[side], problem, side, seed, noise=0.0) for side in SIDES}
        looks = Looks(sides)
        training = [sides[side]["training"].faces for side in SIDES]
        samplers = [Sampler(len(faces), [seed, index]) for index, faces in enumerate(training)]
        count = OPTIONS.batch_size
        shown: list[list[float]] = []
        for iteration in range(1, iterations + 1):
            batch = [
                self._plain(faces[sampler.take((iteration - 1) * count, count)])
                for faces, sampler in zip(training, samplers, strict=True)
            ]
            losses = self._step.fixed_step(*batch, number_tensor(iteration))
            shown.append([float(np.mean(loss)) for loss in losses])
            if iteration % every == 0:
                looks.take(iteration, self._losses)
        return looks.curves(shown, every)

    def _restart(self, seed: int) -> None:
        """Fresh weights in the variables that the compiled step knows."""
        fresh = ModelState(OPTIONS, seed=seed)
        for name, variable in self._state.variables.items():
            variable.assign(fresh.variables[name])
        for name, optimizer in self._state.optimizers.items():
            optimizer.load(fresh.optimizers[name].state(), source="a fresh model")

    def _losses(self, faces: Mapping[str, Faces]) -> dict[str, npt.NDArray[np.floating]]:
        """Of each face, by side."""
        found: dict[str, list[npt.NDArray[np.floating]]] = {side: [] for side in SIDES}
        for start in range(0, max(map(len, faces.values())), _AT_ONCE):
            places = range(start, start + _AT_ONCE)
            pair = [
                self._plain(np.take(faces[side], places, axis=0, mode="wrap")) for side in SIDES
            ]
            judged: Sequence[Mapping[str, Tensor]] = self._step.evaluate(*pair)
            for side, values in zip(SIDES, judged, strict=True):
                found[side].append(np.asarray(values["loss"]))
        return {side: np.concatenate(parts)[: len(faces[side])] for side, parts in found.items()}
