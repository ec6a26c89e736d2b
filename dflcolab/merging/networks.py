# pyright: strict
"""The networks behind a merge, asked about faces in batches.

Three may be there: the model that swaps, an XSeg network for the mask modes with XSeg, and one that
enlarges faces for `super_resolution_power`. Each face is shown only to those that the options of its
frame ask for. What each must offer is a protocol here, so merging knows nothing of how it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image, Landmarks, Mask
from dflcolab.errors import ModelError
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.face import (
    FaceToMerge,
    Prediction,
    face_crop,
    resized_picture,
    working_size,
)
from dflcolab.merging.options import CompositeOptions
from dflcolab.merging.segments import Segmenter, dst_crop, mask_in_model_crop, swap_crop


class Predictor(Protocol):
    """A model that turns dst faces into swapped ones."""

    @property
    def resolution(self) -> int:
        """Side of its crops in pixels."""
        ...

    @property
    def face_type(self) -> FaceType:
        """Extent of its crops."""
        ...

    def predict(
        self, faces: FloatImage, morphs: npt.NDArray[np.float32]
    ) -> tuple[FloatImage, Mask, Mask]:
        """Swapped faces and their masks, and the masks of the dst faces.

        Args:
            faces: `[B, R, R, 3]`, float32 BGR in 0..1.
            morphs: `[B]`, how far from dst (0) to src (1) each is morphed, by models that morph.

        Returns:
            `[B, R, R, 3]`, `[B, R, R, 1]`, `[B, R, R, 1]` in 0..1.
        """
        ...


class Enhancer(Protocol):
    """Paints faces four times as large, with detail; the hook behind `super_resolution_power`.

    Without one, `imaging.back_projection.enlarged` takes its place, which needs no weights.
    """

    @property
    def identity(self) -> str:
        """Text that changes when its answers change."""
        ...

    def enhance(self, faces: FloatImage) -> FloatImage:
        """Larger faces.

        Args:
            faces: `[B, R, R, 3]`, float32 BGR in 0..1.

        Returns:
            `[B, 4R, 4R, 3]` in 0..1.
        """
        ...


@dataclass(frozen=True)
class Question:
    """A face of a frame and the look it is to get."""

    frame: Image
    landmarks: Landmarks
    options: CompositeOptions


@dataclass(frozen=True)
class Networks:
    """What a merge may ask.

    Attributes:
        predictor: The model that swaps.
        segmenter: For mask modes with XSeg; None if no frame has one.
        enhancer: For super-resolution by a network; None enlarges without.
        batch: Faces shown at once. A smaller rest is filled up, so that the shape never changes.
    """

    predictor: Predictor
    segmenter: Segmenter | None = None
    enhancer: Enhancer | None = None
    batch: int = 8

    def depends_on(self, options: CompositeOptions) -> dict[str, str]:
        """What besides the swap model the result of these options depends on."""
        found: dict[str, str] = {}
        if options.mask_mode.needs_xseg and self.segmenter is not None:
            found["xseg"] = self.segmenter.identity
        if options.super_resolution_power:
            found["enhancer"] = "none" if self.enhancer is None else self.enhancer.identity
        return found

    def answer(self, questions: Sequence[Question]) -> list[FaceToMerge]:
        """The faces ready to be put in, in the order of the questions.

        Raises:
            ModelError: A network's answers are not numbers.
            ValueError: A frame asks for XSeg masks and there is no segmenter.
        """
        model = self.predictor
        crops = [
            face_crop(
                q.frame, q.landmarks, working_size(q.options, model.resolution), model.face_type
            )
            for q in questions
        ]
        inputs = [resized_picture(crop, model.resolution) for crop in crops]
        morphs = [np.array(q.options.morph, np.float32) for q in questions]
        swaps = self._in_batches("model", model.predict, inputs, morphs)
        answers = [Prediction(*parts) for parts in swaps]
        self._segment(questions, answers)
        self._enhance(questions, answers)
        return [
            FaceToMerge(q.landmarks, answer, crop, model.face_type)
            for q, answer, crop in zip(questions, answers, crops, strict=True)
        ]

    def _segment(self, questions: Sequence[Question], answers: list[Prediction]) -> None:
        """Add the XSeg masks that are asked for."""
        model_type = self.predictor.face_type
        modes = [q.options.mask_mode for q in questions]
        if not any(mode.needs_xseg for mode in modes):
            return
        segmenter = self.segmenter
        if segmenter is None:
            raise ValueError("the mask mode needs a segmenter")
        own_type = segmenter.face_type
        asked: list[tuple[int, str, FloatImage]] = []
        for i, (q, mode) in enumerate(zip(questions, modes, strict=True)):
            if mode.needs_dst_xseg:
                asked.append((i, "dst_xseg", dst_crop(q.frame, q.landmarks, own_type)))
            if mode.needs_swap_xseg:
                crop = swap_crop(
                    answers[i].swap,
                    q.frame,
                    q.landmarks,
                    model_type=model_type,
                    face_type=own_type,
                )
                asked.append((i, "swap_xseg", crop))

        def segment(crops: FloatImage) -> tuple[Mask]:
            return (segmenter.predict(crops),)

        masks = self._in_batches("XSeg model", segment, [crop for _, _, crop in asked])
        for (i, name, _), (mask,) in zip(asked, masks, strict=True):
            fitting = mask_in_model_crop(
                mask, questions[i].landmarks, model_type=model_type, face_type=own_type
            )
            answers[i] = replace(answers[i], **{name: fitting})

    def _enhance(self, questions: Sequence[Question], answers: list[Prediction]) -> None:
        """Add the enlarged faces that are asked for."""
        enhancer = self.enhancer
        if enhancer is None:
            return

        def enhance(crops: FloatImage) -> tuple[FloatImage]:
            return (enhancer.enhance(crops),)

        places = [i for i, q in enumerate(questions) if q.options.super_resolution_power]
        faces = [answers[i].swap for i in places]
        found = self._in_batches("enhancer", enhance, faces)
        for i, (enhanced,) in zip(places, found, strict=True):
            answers[i] = replace(answers[i], enhanced=enhanced)

    def _in_batches(
        self,
        name: str,
        ask: Callable[..., tuple[FloatImage, ...]],
        *inputs: Sequence[npt.NDArray[np.float32]],
    ) -> list[list[npt.NDArray[np.float32]]]:
        """Answers by face, each a list of what the network gives; inputs are one sequence an argument."""
        found: list[list[npt.NDArray[np.float32]]] = []
        count = len(inputs[0])
        for begin in range(0, count, self.batch):
            size = min(self.batch, count - begin)
            given = [_filled(part[begin : begin + size], self.batch) for part in inputs]
            outputs = [np.clip(np.asarray(values, np.float32), 0.0, 1.0) for values in ask(*given)]
            if not all(np.isfinite(values).all() for values in outputs):
                raise ModelError(
                    f"The {name}'s weights are broken: it paints no numbers; go back to an earlier "
                    "checkpoint."
                )
            found += [[values[i] for values in outputs] for i in range(size)]
        return found


def _filled(part: Sequence[npt.NDArray[np.float32]], size: int) -> npt.NDArray[np.float32]:
    """The arrays as one batch of `size`, with zeros behind them."""
    batch = np.zeros((size, *part[0].shape), np.float32)
    batch[: len(part)] = part
    return batch
