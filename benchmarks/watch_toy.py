"""Toy problems of which it is known whether over-fitting begins: few faces, or many varied ones.

The faces are those of the demo clips, changed as footage never is: each has its own light, tint and
strong noise. Noise cannot be predicted. A model that has only few faces learns theirs by heart, and
from then on it must get worse on all others; one with many faces has nothing to learn by heart for a
long time. Stretches of neighbouring frames are dealt out at random: to training, to the watch (held out),
and to a third part that neither sees, which is the truth.

The model is as small as can be and still of the kind: one encoder, a decoder for each side, in NumPy,
dense layers, mean square error, Adam. It sees a face of 4 by 4 pixels and paints it at 16 by 16: as with
DeepFaceLab's warp, the input does not hold all that is to be painted. A training takes seconds. `watch_network` does the same
with the real step.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.detection.faces import detect_faces
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_type import FaceType
from dflcolab.media.video_reader import VideoReader
from dflcolab.watch.looks import Look, sample_of

SIDES = ("src", "dst")
_CLIPS = {"src": ("studio_woman.mp4", 3), "dst": ("webcam_man.mp4", 1)}
"""Of each side: the clip, and every how many frames a face is taken."""

SIZE = 16
HELD_OUT = 32
"""Faces that are looked at, of each group."""

_LENGTH, _GUARD = 3, 1  # faces of a stretch, and faces between two that nobody uses
_MOST_LOOKED = 8  # stretches
_FEW = 4  # stretches
_MANY = 2000  # faces
NOISE = 25.0
"""Standard deviation of the noise of each sample, of 255."""


Faces = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Problem:
    """How many faces there are to train on.

    Attributes:
        name: As in the tables.
        few: Sides with 12 training faces from 4 stretches. The others have all stretches that are
            left, each frame many times with new light and noise.
    """

    name: str
    few: frozenset[str]


FEW_BOTH = Problem("few faces on both sides", frozenset(SIDES))
FEW_SRC = Problem("few src faces, many dst faces", frozenset({"src"}))
MANY = Problem("many varied faces on both sides", frozenset[str]())


@dataclass(frozen=True, eq=False)
class Group:
    """Faces of one use: `[N, H, W, C]` uint8, and the stretch of each `[N]`."""

    faces: Faces
    stretches: Numbers

    def spread(self, most: int) -> Group:
        """At most so many of them, from all over."""
        n = len(self.faces)
        chosen = np.unique(np.linspace(0, n - 1, min(most, n)).astype(np.int64))
        return Group(self.faces[chosen], self.stretches[chosen])


@dataclass(frozen=True, eq=False)
class Curves:
    """One training.

    Attributes:
        looks: What the watch gets: losses of training and held-out faces by stretch.
        truth: Mean losses of the faces of the third part at each look, by side.
        training: Losses of all iterations as DeepFaceLab shows them, `[iterations, 2]`.
        every: Iterations between looks.
    """

    looks: tuple[Look, ...]
    truth: Mapping[str, npt.NDArray[np.float64]]
    training: npt.NDArray[np.float64]
    every: int


class Looks:
    """Collects the looks of one training.

    Args:
        sides: By side, the groups that `dealt` gave.
    """

    def __init__(self, sides: Mapping[str, Mapping[str, Group]]) -> None:
        self._groups = {
            use: {side: groups[use].spread(most) for side, groups in sides.items()}
            for use, most in (
                ("training", HELD_OUT),
                ("held_out", HELD_OUT),
                ("truth", 4 * HELD_OUT),
            )
        }
        self._looks: list[Look] = []
        self._truth: dict[str, list[float]] = {side: [] for side in SIDES}

    def take(
        self,
        iteration: int,
        losses_of: Callable[[Mapping[str, Faces]], Mapping[str, npt.NDArray[np.floating]]],
    ) -> None:
        """Look now.

        Args:
            iteration: Finished iterations.
            losses_of: From faces of each side to the loss of each face.
        """
        measures = {}
        for use, groups in self._groups.items():
            for side, values in losses_of({s: g.faces for s, g in groups.items()}).items():
                if use == "truth":
                    self._truth[side].append(float(values.mean()))
                else:
                    measures[f"{side}/{use}/loss"] = sample_of(values, groups[side].stretches)
        self._looks.append(Look(iteration, "manual", "toy", measures))

    def curves(self, training: list[list[float]], every: int) -> Curves:
        """All of them, with the losses of the iterations."""
        truth = {side: np.array(values) for side, values in self._truth.items()}
        return Curves(tuple(self._looks), truth, np.array(training), every)


def dealt(
    clip: Faces, problem: Problem, side: str, seed: int, *, noise: float = NOISE
) -> dict[str, Group]:
    """The faces of a side by use: `training`, `held_out`, `truth`.

    Args:
        clip: Its faces in the order of the video, `[N, H, W, C]`; the first three channels are changed.
        problem: How many are for training.
        side: `src` or `dst`.
        seed: Decides on stretches, light and noise.
        noise: Standard deviation of the noise, of 255.
    """
    generator = np.random.default_rng([seed, SIDES.index(side)])
    starts = generator.permutation(range(0, len(clip) - _LENGTH + 1, _LENGTH + _GUARD))
    # A third of a short clip each.
    looked = min(_MOST_LOOKED, len(starts) // 3)
    few = side in problem.few
    chosen = {
        "held_out": (starts[:looked], HELD_OUT),
        "truth": (starts[looked : 2 * looked], 4 * HELD_OUT),
        "training": (
            starts[2 * looked :][: _FEW if few else None], _FEW * _LENGTH if few else _MANY
        ),
    }  # fmt: skip
    return {use: _varied(clip, *choice, noise, generator) for use, choice in chosen.items()}


def _varied(
    clip: Faces, starts: Numbers, wanted: int, noise: float, generator: np.random.Generator
) -> Group:
    """At least `wanted` faces from the stretches, each with its own light, tint and noise."""
    frames = np.concatenate([np.arange(start, start + _LENGTH) for start in starts])
    copies = -(-wanted // len(frames))
    faces = clip[np.repeat(frames, copies)]
    pictures = faces[..., :3].astype(np.float32)
    n = len(faces)
    light, tint = generator.normal(0, 0.15, (n, 1, 1, 1)), generator.normal(0, 0.06, (n, 1, 1, 3))
    pictures *= np.exp(light + tint)
    pictures += generator.normal(0, 8, (n, 1, 1, 1)) + generator.normal(0, noise, pictures.shape)
    faces[..., :3] = np.clip(pictures, 0, 255).round()
    return Group(faces, np.repeat(np.arange(len(starts)), _LENGTH * copies))


@functools.cache
def clip_faces(side: str) -> Faces:
    """`[N, 16, 16, 3]` uint8: the faces of the side's demo clip. Do not change them."""
    name, step = _CLIPS[side]
    demo = Path(str(files("dflcolab") / "assets" / "demo"))
    found: list[Faces] = []
    for index, frame in enumerate(VideoReader(demo / name).frames()):
        if index % step:
            continue
        for face in detect_faces(frame.image, max_faces=1):
            matrix = alignment_matrix(face.landmarks, 4 * SIZE, FaceType.FULL)
            crop = cv2.warpAffine(frame.image, matrix, (4 * SIZE, 4 * SIZE))
            small = cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            found.append(np.asarray(small, np.uint8))
    faces = np.stack(found)
    faces.flags.writeable = False
    return faces


_BLOCK = 4  # pixels that are one of the input, per axis
_WIDTHS = (3 * (SIZE // _BLOCK) ** 2, 128, 64, 128, 3 * SIZE * SIZE)
_INPUT_GAIN = 4  # about one standard deviation of the pixels
_BATCH = 8
_RATE = 1e-3


def train(problem: Problem, seed: int, *, iterations: int, every: int) -> Curves:
    """Train one toy model, with a look every so many iterations.

    Args:
        problem: The faces.
        seed: Of weights, order, who gets which stretch, light and noise.
        iterations: How many.
        every: Iterations between looks.
    """
    sides = {side: dealt(clip_faces(side), problem, side, seed) for side in SIDES}
    looks = Looks(sides)
    generator = np.random.default_rng([seed, len(SIDES)])
    model = _Autoencoder(generator)
    shown: list[list[float]] = []
    for iteration in range(1, iterations + 1):
        batch = [
            sides[side]["training"].faces[
                generator.integers(len(sides[side]["training"].faces), size=_BATCH)
            ]
            for side in SIDES
        ]
        shown.append(model.step([_target(faces) for faces in batch]))
        if iteration % every == 0:
            looks.take(iteration, model.losses)
    return looks.curves(shown, every)


def _target(faces: Faces) -> Floats:
    """The pixels, `[N, 768]`, in 0..1."""
    return faces.reshape(len(faces), -1).astype(np.float32) / np.float32(255)


def _seen(target: Floats) -> Floats:
    """What the encoder gets of it, `[N, 48]`: the mean of each block, about 0."""
    n = SIZE // _BLOCK
    blocks = target.reshape(-1, n, _BLOCK, n, _BLOCK, 3).mean(axis=(2, 4))
    return (blocks.reshape(len(target), -1) - np.float32(0.5)) * np.float32(_INPUT_GAIN)


class _Autoencoder:
    """One encoder, a decoder for each side; four dense layers, leaky ReLU between."""

    def __init__(self, generator: np.random.Generator) -> None:
        def layers(*widths: int) -> list[Floats]:
            return [
                array.astype(np.float32)
                for n, m in itertools.pairwise(widths)
                for array in (generator.normal(0, (2 / (n + m)) ** 0.5, (n, m)), np.zeros(m))
            ]

        self._encoder = layers(*_WIDTHS[:3])
        self._decoders = [layers(*_WIDTHS[2:]) for _ in SIDES]
        flat = [*self._encoder, *self._decoders[0], *self._decoders[1]]
        self._moments = [_Adam(weight) for weight in flat]
        self._steps = 0

    def losses(self, faces: Mapping[str, Faces]) -> dict[str, npt.NDArray[np.floating]]:
        """Mean square error of each face, in units of the variance of the noise."""
        found: dict[str, npt.NDArray[np.floating]] = {}
        for index, side in enumerate(SIDES):
            target = _target(faces[side])
            painted = _passed(_seen(target), [*self._encoder, *self._decoders[index]])[-1]
            found[side] = np.square(painted - target).mean(axis=1) * (255 / NOISE) ** 2
        return found

    def step(self, batch: list[Floats]) -> list[float]:
        """Learn from a batch of each side; mean losses before that."""
        self._steps += 1
        n_encoder = len(self._encoder)
        shared: list[list[Floats]] = []
        own: list[Floats] = []
        shown: list[float] = []
        for target, decoder in zip(batch, self._decoders, strict=True):
            weights = [*self._encoder, *decoder]
            values = _passed(_seen(target), weights)
            error = values[-1] - target
            shown.append(float(np.square(error).mean()) * (255 / NOISE) ** 2)
            found = _gradients(values, weights, error * np.float32(2 / len(target)))
            shared.append(found[:n_encoder])
            own += found[n_encoder:]
        gradients = [first + second for first, second in zip(*shared, strict=True)] + own
        for moments, gradient in zip(self._moments, gradients, strict=True):
            moments.update(gradient, self._steps)
        return shown


class _Adam:
    """One array of weights and what Adam remembers of its gradients."""

    def __init__(self, weight: Floats) -> None:
        self._weight, self._mean, self._square = (
            weight,
            np.zeros_like(weight),
            np.zeros_like(weight),
        )

    def update(self, gradient: Floats, step: int) -> None:
        """Change the weights; steps count from 1."""
        self._mean += 0.1 * (gradient - self._mean)
        self._square += 0.01 * (gradient * gradient - self._square)
        size = np.sqrt(self._square / (1 - 0.99**step)) + 1e-6
        self._weight -= _RATE * self._mean / (1 - 0.9**step) / size


def _passed(given: Floats, weights: list[Floats]) -> list[Floats]:
    """The input and what each layer makes of it; the last layer is linear."""
    values = [given]
    for index in range(0, len(weights), 2):
        made = values[-1] @ weights[index] + weights[index + 1]
        last = index == len(weights) - 2
        values.append(made if last else np.maximum(made, np.float32(0.1) * made))
    return values


def _gradients(values: list[Floats], weights: list[Floats], error: Floats) -> list[Floats]:
    """Of all weights, from the gradient of the output."""
    found: list[Floats] = []
    for layer in reversed(range(len(weights) // 2)):
        found[:0] = [values[layer].T @ error, error.sum(axis=0)]
        if layer:
            below = error @ weights[2 * layer].T
            error = np.where(values[layer] > 0, below, np.float32(0.1) * below)
    return found
