"""How well a model paints faces that it learns from, and faces that it never sees.

The faces are chosen once, and the random views of some of them are drawn once, from a fixed seed: two
looks differ by what the model learned between them, and by nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Tensor
from dflcolab.backend import tf
from dflcolab.config import to_plain
from dflcolab.models.kinds import SwapModelOptions
from dflcolab.training.augment import Sampled, plain_batch, sample_batch
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.side_faces import SideFaces, by_stretch
from dflcolab.training.swap_measures import Painter, SwapMeasures
from dflcolab.watch.looks import Sample, sample_of

MOST_FACES = 32
"""Faces of a group that are looked at as they are."""

MOST_WARPED = 16
"""Faces of a group that are looked at with the training's warp."""

_AT_ONCE = 4  # faces whose views are drawn together, whatever the batch is
_SEED = 20_011
_HELD_OUT = ("src/held_out", "dst/held_out")
_LOSS_OPTIONS = (
    "resolution", "face_type", "masked_training", "eyes_mouth_prio", "blur_out_mask", "morph_factor",
)  # fmt: skip
"""Options that decide what a loss of faces as they are means."""
_SMALLEST_SQUARE = 1e-6  # 60 dB: finer than bytes can show
_SMALLEST_SPREAD = 1e-5
"""Mean square, in 0..1, below which the faces of a group are one and the same picture."""

Judge = Callable[[Sampled, Sampled], tuple[dict[str, Tensor], dict[str, Tensor]]]
"""From faces of src and dst to measures of each face (see `face_measures`)."""


@dataclass(frozen=True)
class Evaluation:
    """What a look found.

    Attributes:
        measures: By `<side>/<group>/<measure>`.
        swap: True if swapped faces were looked at.
        seconds: How long it took; the first one compiles what it needs.
    """

    measures: dict[str, Sample]
    swap: bool
    seconds: float


class _Group(NamedTuple):
    """Faces that are looked at together: which they are, and the stretch of each."""

    faces: TrainingFaces
    indices: npt.NDArray[np.int64]
    stretches: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)


class Evaluator:
    """Looks at a fixed choice of faces.

    Args:
        options: Of the model; what it is, and how its training scales faces.
        sides: `src` and `dst`.
        most: Faces per group and side.
        most_warped: The same for the faces with the training's warp.

    Attributes:
        stretch_names: What the held-out stretches of each side are called, in the order of
            `Sample.means`; nothing of a side of which that is not known.
    """

    def __init__(
        self,
        options: SwapModelOptions,
        sides: Mapping[str, SideFaces],
        *,
        most: int = MOST_FACES,
        most_warped: int = MOST_WARPED,
    ) -> None:
        self._scale = options.random_scale
        self._groups = _groups(sides, most)
        self._warped_groups = _groups(sides, most_warped)
        self._warped: dict[str, Sampled] = {}
        self.stretch_names = _names(sides, self._groups)
        self._swap = None
        if all(side.held_out for side in sides.values()):
            self._swap = SwapMeasures(sides["src"], sides["dst"], options.face_type)

    @functools.cached_property
    def faces_digest(self) -> str:
        """Stands for the chosen faces, by their pixels: looks at other faces are not compared."""
        return _digest(self._groups.values())

    @functools.cached_property
    def held_out_digest(self) -> str:
        """The same of the held-out ones alone, which the score of a state is made from."""
        return _digest(self._groups[name] for name in _HELD_OUT if name in self._groups)

    def held_out(self, judge: Judge, *, at_once: int) -> dict[str, Sample]:
        """Losses of the held-out faces as they are, named as by `look`; empty without any.

        Args:
            judge: The model as it is now.
            at_once: Faces of a side that the model takes; one shape, so that it compiles once.
        """
        if not any(name in self._groups for name in _HELD_OUT):
            return {}
        # A side without held-out faces lends training faces, which say nothing here.
        pair = (self._existing("src", "held_out"), self._existing("dst", "held_out"))
        measured = zip(pair, self._measured(judge, pair, at_once), strict=True)
        return {
            f"{name}/loss": sample_of(values["loss"], self._groups[name].stretches)
            for name, values in measured
            if name in _HELD_OUT
        }

    def look(self, judge: Judge, paint: Painter, *, at_once: int, swap: bool) -> Evaluation:
        """Measure all groups.

        `<side>/held_out/…` and `<side>/training/…` hold the training's loss as `loss`, its parts as
        they enter it (`dssim` is 10 DSSIM, `square`, `mask`, `eyes_mouth`), and inside of the mask
        `psnr` (dB, at most 60), `color` (distance of the mean colors in Lab), `mask_iou` and
        `variety`: the spread of the painted faces about their mean, as a share of that of the
        targets; 1 is right, near 0 the model paints the same face for all. Groups called
        `…_warped` have their `loss` alone, of random views as training draws them.

        Args:
            judge: The model as it is now.
            paint: The same, for the measures of swapped faces.
            at_once: Faces of a side that the model takes.
            swap: Look at swapped faces as well (see `SwapMeasures`).
        """
        began = time.perf_counter()
        measures: dict[str, Sample] = {}
        for group in ("training", "held_out"):
            # A side without held-out faces lends training faces, whose measures are known.
            pair = (self._existing("src", group), self._existing("dst", group))
            for name, values in zip(pair, self._measured(judge, pair, at_once), strict=True):
                if name.endswith(group):
                    measures |= _samples(name, self._groups[name], values)
            for name, values in zip(pair, self._losses_warped(judge, pair, at_once), strict=True):
                if name.endswith(group):
                    stretches = self._warped_groups[name].stretches
                    measures[f"{name}_warped/loss"] = sample_of(values, stretches)
        if swap and self._swap is not None:
            measures |= self._swap.look(paint)
        return Evaluation(measures, swap, time.perf_counter() - began)

    def _existing(self, side: str, group: str) -> str:
        name = f"{side}/{group}"
        return name if name in self._groups else f"{side}/training"

    def _measured(
        self, judge: Judge, pair: tuple[str, str], at_once: int
    ) -> list[dict[str, npt.NDArray[np.float32]]]:
        """Measures of each face of two groups as they are."""

        def batch(name: str, places: npt.NDArray[np.int64]) -> Sampled:
            group = self._groups[name]
            return plain_batch(tf.constant(group.faces.batch(group.indices[places])))

        counts = [len(self._groups[name]) for name in pair]
        return _judged(judge, batch, pair, counts, at_once)

    def _losses_warped(
        self, judge: Judge, pair: tuple[str, str], at_once: int
    ) -> list[npt.NDArray[np.float32]]:
        """Losses of each face of two groups in random views."""

        def batch(name: str, places: npt.NDArray[np.int64]) -> Sampled:
            return Sampled(*(tf.constant(part[places] / np.float32(255)) for part in views[name]))

        views = {name: self._views(name) for name in pair}
        counts = [len(self._warped_groups[name]) for name in pair]
        found = _judged(judge, batch, pair, counts, at_once)
        return [values["loss"] for values in found]

    def _views(self, name: str) -> Sampled:
        """Random views of a group, as bytes; drawn at the first look, on the CPU."""
        if name not in self._warped:
            group = self._warped_groups[name]
            drawn: list[Any] = []
            for start in range(0, len(group), _AT_ONCE):
                places = np.arange(start, start + _AT_ONCE) % len(group)
                with tf.device("CPU"):
                    faces = tf.constant(group.faces.batch(group.indices[places]))
                    seed = tf.constant(np.array([_SEED, start], np.int64))
                    views = sample_batch(
                        faces, seed, random_warp=True, flip=False, scale=self._scale
                    )
                drawn.append([np.rint(part * 255).astype(np.uint8) for part in views])
            parts = (np.concatenate(part)[: len(group)] for part in zip(*drawn, strict=True))
            self._warped[name] = Sampled(*parts)
        return self._warped[name]


def meaning_of(options: SwapModelOptions, faces: str) -> str:
    """Fingerprint of what a loss means and of whose it is: alike where losses can be compared.

    Args:
        options: Of the model.
        faces: A digest of the faces (see `Evaluator`).
    """
    plain = to_plain(options)
    known = {name: plain[name] for name in _LOSS_OPTIONS if name in plain}
    text = json.dumps([options.arch, known, faces], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _digest(groups: Iterable[_Group]) -> str:
    digests = sorted(
        hashlib.sha256(face.tobytes()).digest()
        for group in groups
        for face in group.faces.batch(group.indices)
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()[:16]


def choose(stretches: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Places of faces from as many stretches as possible, evenly; ascending.

    Args:
        stretches: Stretch of each face, `[N]`.
        count: How many faces; all of them where there are fewer.
    """
    members = by_stretch(stretches)
    n_used = min(len(members), count)
    used = [members[place] for place in _evenly(len(members), n_used)]
    shares = [0] * len(used)
    left = min(count, sum(map(len, used)))
    while left:
        for index, faces in enumerate(used):
            if left and shares[index] < len(faces):
                shares[index] += 1
                left -= 1
    picked = [faces[_evenly(len(faces), n)] for faces, n in zip(used, shares, strict=True)]
    return np.sort(np.concatenate(picked)) if picked else np.zeros(0, np.int64)


def _evenly(n: int, count: int) -> npt.NDArray[np.int64]:
    """`count` places among `n`, the middles of equal parts."""
    return ((np.arange(count) + 0.5) * n / max(count, 1)).astype(np.int64)


def _groups(sides: Mapping[str, SideFaces], most: int) -> dict[str, _Group]:
    """The chosen faces by `<side>/<group>`; as many training faces as held-out ones."""
    groups: dict[str, _Group] = {}
    for side, known in sides.items():
        n_held = 0 if known.held_out is None else len(known.held_out)
        count = min(most, n_held or most)
        for name, faces, stretches in (
            ("training", known.training, known.training_stretches),
            ("held_out", known.held_out, known.held_out_stretches),
        ):
            if faces is not None and len(faces):
                indices = choose(stretches, count)
                groups[f"{side}/{name}"] = _Group(faces, indices, stretches[indices])
    return groups


def _names(sides: Mapping[str, SideFaces], groups: Mapping[str, _Group]) -> dict[str, list[str]]:
    """Names of the held-out stretches that are looked at, by side."""
    found: dict[str, list[str]] = {}
    for side, known in sides.items():
        group = groups.get(f"{side}/held_out")
        numbers = [] if group is None else np.unique(group.stretches).tolist()
        if numbers and all(number in known.stretch_names for number in numbers):
            found[side] = [known.stretch_names[number] for number in numbers]
    return found


def _judged(
    judge: Judge,
    batch: Callable[[str, npt.NDArray[np.int64]], Sampled],
    names: tuple[str, str],
    counts: list[int],
    at_once: int,
) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Measures of all faces of two groups, in batches of one shape.

    Args:
        judge: The model.
        batch: From a group's name and places in it to faces.
        names: The two groups.
        counts: Faces in each; the smaller one is gone through again beside the larger one.
        at_once: Faces in a batch.
    """
    collected: list[list[dict[str, Any]]] = [[], []]
    for start in range(0, max(counts), at_once):
        places = np.arange(start, start + at_once)
        pair = [batch(name, places % n) for name, n in zip(names, counts, strict=True)]
        for parts, found in zip(collected, judge(*pair), strict=True):
            parts.append({name: np.asarray(values) for name, values in found.items()})
    return [
        {name: np.concatenate([part[name] for part in parts])[:n] for name in parts[0]}
        for parts, n in zip(collected, counts, strict=True)
    ]


def _samples(
    name: str, group: _Group, values: Mapping[str, npt.NDArray[np.float32]]
) -> dict[str, Sample]:
    """Samples of a group's measures, by their full names."""
    per_face = {
        measure: values[measure]
        for measure in ("loss", "dssim", "square", "mask", "eyes_mouth")
        if measure in values
    }
    # Faces without a mask have no inside; what a model paints of them still has a loss.
    inside = values["small_mask"].max(axis=(1, 2, 3)) > 0.5
    squares = np.maximum(values["inside"], _SMALLEST_SQUARE)
    colors = [_lab(values[f"color_{kind}"]) for kind in ("target", "painted")]
    masked = {
        "psnr": -10 * np.log10(squares),
        "mask_iou": values["mask_iou"],
        "color": np.linalg.norm(colors[0] - colors[1], axis=1),
    }
    samples = {
        f"{name}/{measure}": sample_of(found, group.stretches)
        for measure, found in per_face.items()
    }
    if inside.any():
        for measure, found in masked.items():
            samples[f"{name}/{measure}"] = sample_of(found[inside], group.stretches[inside])
    spread = variety(values["small_target"], values["small_painted"], values["small_mask"])
    if spread is not None:
        samples[f"{name}/variety"] = sample_of(spread, group.stretches)
    return samples


def variety(
    targets: npt.NDArray[np.float32],
    painted: npt.NDArray[np.float32],
    masks: npt.NDArray[np.float32],
) -> npt.NDArray[np.float64] | None:
    """How far each painted face lies from the mean of all, as a share of what the targets do.

    Compared where faces usually are (by the mean mask), since what is painted outside of the masks
    is nobody's concern. The values' mean is the ratio of two variances.

    Args:
        targets: `[N, S, S, 3]` in 0..1.
        painted: The same.
        masks: `[N, S, S, 1]`.

    Returns:
        `[N]`; None where the targets are one and the same picture.
    """
    weight = masks.astype(np.float64).mean(axis=0)
    total = 3 * weight.sum()

    def distances(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        exact = pictures.astype(np.float64)
        return (np.square(exact - exact.mean(axis=0)) * weight).sum(axis=(1, 2, 3)) / total

    spread = distances(targets).mean() if total else 0.0
    return distances(painted) / spread if spread > _SMALLEST_SPREAD else None


def _lab(colors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Colors `[N, 3]`, BGR in 0..1, in Lab."""
    exact = np.ascontiguousarray(colors[None], np.float32)
    return np.asarray(cv2.cvtColor(exact, cv2.COLOR_BGR2LAB))[0]
