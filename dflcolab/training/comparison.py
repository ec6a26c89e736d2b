"""Two models on the same faces, by the same yardstick, whatever they were trained with.

What a training calls its loss depends on its options and its resolution. Here every model paints in
its own resolution; its pictures are brought to one size and compared there with the faces, always in
the same way: the loss of a SAEHD model with its default options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Array, Tensor
from dflcolab.backend import tf
from dflcolab.losses.reconstruction import reconstruction_parts
from dflcolab.models.autoencoder import Face
from dflcolab.models.build import swap_model
from dflcolab.models.kinds import SwapModelOptions
from dflcolab.models.layers import Weights
from dflcolab.models.weight_map import checked_weights
from dflcolab.training.augment import PADDING, Sampled
from dflcolab.training.evaluator import Evaluator
from dflcolab.training.face_measures import face_measures
from dflcolab.training.objective import Batch, Compared
from dflcolab.training.preview import painted_in_parts
from dflcolab.training.side_faces import SideFaces
from dflcolab.training.step import objective_of
from dflcolab.watch.looks import Sample

_AT_ONCE = 8


@dataclass(frozen=True)
class Compare:
    """What one model does on the faces that both are shown.

    Attributes:
        measures: Of the held-out faces (see `Evaluator.look`), by the same names.
        src: Faces of src, `[N, R, R, 3]` uint8, BGR, and what the model paints of them.
        dst: Faces of dst, and what it paints of them.
        swap: The same dst faces with the face of src.
    """

    measures: dict[str, Sample]
    src: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
    dst: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
    swap: npt.NDArray[np.uint8]


class ModelAtSize:
    """A trained model that paints and is judged at a size that need not be its own.

    Args:
        options: Of the model.
        weights: Full variable name to float32 array; discriminators may be among them.
        size: Side of the faces in pixels.
        source: What to name in errors.

    Raises:
        ModelError: A weight is missing or does not fit.
    """

    def __init__(
        self,
        options: SwapModelOptions,
        weights: Mapping[str, Array],
        *,
        size: int,
        source: str,
    ) -> None:
        self._size, self._own = size, options.resolution
        self._objective = objective_of(options)
        known = checked_weights(swap_model(options).shapes(), weights, source=source)
        self._weights = Weights({name: tf.constant(value) for name, value in known.items()})
        self.judge = tf.function(self._judge, autograph=False)
        self._views = tf.function(self._paint, autograph=False)

    def paint(
        self, src: npt.NDArray[np.uint8], dst: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """What it paints of src, of dst, and the swap; `[N, R, R, 3]`, float32 in 0..1."""
        return painted_in_parts(self._views, src, dst, at_once=_AT_ONCE)

    def _judge(self, src: Sampled, dst: Sampled) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Measures of each face of src and dst (see `face_measures`)."""
        own = (Sampled(*(resized(part, self._own) for part in side)) for side in (src, dst))
        painted = self._objective.compare(self._weights, Batch(*own))
        first, second = (
            face_measures(side, self._compared(side, compared.face))
            for side, compared in zip((src, dst), painted, strict=True)
        )
        return first, second

    def _compared(self, side: Sampled, face: Face) -> Compared:
        face = Face(resized(face.picture, self._size), resized(face.mask, self._size))
        parts = reconstruction_parts(
            side.target,
            side.mask,
            side.eyes_mouth,
            face.picture,
            face.mask,
            masked_training=True,
            eyes_mouth_prio=False,
        )
        return Compared(face, parts)

    def _paint(self, src: Tensor, dst: Tensor) -> tuple[Tensor, ...]:
        own = (resized(side, self._own) for side in (src, dst))
        views = self._objective.views(self._weights, *own)
        return tuple(resized(view, self._size) for view in views)


def compare_on(
    model: ModelAtSize,
    options: SwapModelOptions,
    sides: Mapping[str, SideFaces],
    *,
    most: int,
    shown: int,
) -> Compare:
    """Measure a model on faces that it has never seen.

    Args:
        model: The model at the size of the faces.
        options: Any of the two models': the faces' extent is taken from them.
        sides: `src` and `dst`; a side without held-out faces is not measured.
        most: Faces of a side at most.
        shown: Faces of a side whose pictures are given back.
    """
    evaluator = Evaluator(options, sides, most=most, most_warped=1)
    looked = evaluator.look(model.judge, model.paint, at_once=_AT_ONCE, swap=True)
    measures = {
        name: sample for name, sample in looked.measures.items() if name.split("/")[1] == "held_out"
    }
    src, dst = (_some(sides[side], shown) for side in ("src", "dst"))
    painted = [_bytes(pictures) for pictures in model.paint(src, dst)]
    return Compare(measures, (src, painted[0]), (dst, painted[1]), painted[2])


def resized(pictures: Tensor, size: int) -> Tensor:
    """`[B, R, R, C]` at another size: averaged down, or smoothly enlarged within 0..1."""
    if pictures.shape[1] == size:
        return pictures
    if pictures.shape[1] > size:
        return tf.image.resize(pictures, [size, size], method="area")
    return tf.clip_by_value(tf.image.resize(pictures, [size, size], method="bicubic"), 0.0, 1.0)


def _some(side: SideFaces, count: int) -> npt.NDArray[np.uint8]:
    """`[count, R, R, 3]`: held-out faces, evenly spread, or others where there are none."""
    faces = side.held_out if side.held_out is not None else side.training
    places = (np.arange(count) * len(faces) // count).astype(np.int64)
    return faces.batch(places)[:, PADDING:-PADDING, PADDING:-PADDING, :3]


def _bytes(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.clip(np.rint(np.nan_to_num(pictures) * 255), 0, 255).astype(np.uint8)
