# pyright: strict
"""Masks and colors of predicted faces smoothed over time, before they are put in.

Crops of a face lie on each other in all frames, so masks are averaged pixel by pixel there. Of the
colors, mean and spread of each channel follow a curve fitted through time: the swapped face and the
crop that color transfers compare it with are moved to it. Both look back and ahead alike, so nothing
lags; frames wait until those behind them are predicted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Mask
from dflcolab.imaging.local_fit import near_weights, smoothed
from dflcolab.merging.face import FaceToMerge, Prediction, resized_picture
from dflcolab.merging.frame_source import DstFrame
from dflcolab.merging.options import CompositeOptions
from dflcolab.merging.stretches import Sight, Stretches

_MASKS = ("swap_mask", "dst_mask", "swap_xseg", "dst_xseg")
_GAIN = (0.8, 1.25)
"""How far the spread of a channel may be changed; more would show as a change of contrast."""

_LEAST_SPREAD = 1e-3

Statistics = npt.NDArray[np.float64]
"""Mean and spread of the three channels of a picture, `[6]`."""


@dataclass(frozen=True)
class PredictedFrame:
    """One decoded frame and its faces as the networks answered.

    Attributes:
        index: Number of the frame in the footage.
        frame: The frame.
        faces: In the order in which they are put in.
    """

    index: int
    frame: DstFrame
    faces: Sequence[FaceToMerge]


@dataclass(frozen=True)
class _Seen:
    """What is kept of a face for its neighbors in time."""

    masks: dict[str, Mask]
    swap: Statistics
    shown: Statistics


def reach(options: CompositeOptions) -> int:
    """How many frames on each side the result of a frame depends on, beyond its landmarks."""
    return max(options.smooth_masks, options.smooth_colors)


def steady_faces(
    predicted: Iterable[PredictedFrame],
    stretches: Stretches,
    options_of: Callable[[str], CompositeOptions],
    longest: int,
) -> Iterator[PredictedFrame]:
    """The same frames in the same order, their faces steadied as each frame's look asks.

    Args:
        predicted: Frames in rising order; those within `reach` of a frame must be among them, as far
            as they exist.
        stretches: Which faces are the same one.
        options_of: Look of a frame by its name.
        longest: The largest `reach` of any frame.
    """
    seen: dict[tuple[str, int], _Seen] = {}
    waiting: deque[PredictedFrame] = deque()
    old: deque[PredictedFrame] = deque()
    for work in predicted:
        for place, face in enumerate(work.faces):
            seen[work.frame.stem, place] = _seen(face)
        waiting.append(work)
        while waiting and waiting[0].index + longest <= work.index:
            yield _steadied(first := waiting.popleft(), stretches, options_of, seen)
            old.append(replace(first, frame=DstFrame(first.frame.stem, first.frame.image[:0])))
        while old and waiting and old[0].index + longest < waiting[0].index:
            gone = old.popleft()
            for place in range(len(gone.faces)):
                del seen[gone.frame.stem, place]
    for work in waiting:
        yield _steadied(work, stretches, options_of, seen)


def _steadied(
    work: PredictedFrame,
    stretches: Stretches,
    options_of: Callable[[str], CompositeOptions],
    seen: dict[tuple[str, int], _Seen],
) -> PredictedFrame:
    options = options_of(work.frame.stem)
    if not reach(options):
        return work

    def around(place: int, radius: int) -> list[tuple[Sight, _Seen]]:
        return [
            (sight, seen[sight.stem, sight.place])
            for sight in stretches.around(work.frame.stem, place, radius)
            if (sight.stem, sight.place) in seen
        ]

    faces: list[FaceToMerge] = []
    for place, face in enumerate(work.faces):
        steady = face
        if options.smooth_masks:
            near = around(place, options.smooth_masks)
            steady = _with_steady_masks(steady, work.index, near, options)
        if options.smooth_colors:
            near = around(place, options.smooth_colors)
            steady = _with_steady_colors(steady, work.index, near, options)
        faces.append(steady)
    return replace(work, faces=faces)


def _with_steady_masks(
    face: FaceToMerge,
    index: int,
    around: Sequence[tuple[Sight, _Seen]],
    options: CompositeOptions,
) -> FaceToMerge:
    """Every mask as the average of its neighbors in time, the near ones counting more."""
    changes: dict[str, Mask] = {}
    for name in _MASKS:
        own = getattr(face.prediction, name)
        if own is None:
            continue
        known = [
            (sight.index - index, found.masks[name])
            for sight, found in around
            if name in found.masks and found.masks[name].shape == own.shape
        ]
        if len(known) < 2:
            continue
        weights = near_weights(tuple(offset for offset, _ in known), options.smooth_masks)
        total = np.zeros(own.shape, np.float32)
        for weight, (_, mask) in zip(weights / weights.sum(), known, strict=True):
            total += np.float32(weight) * mask
        changes[name] = total
    return replace(face, prediction=replace(face.prediction, **changes))


def _with_steady_colors(
    face: FaceToMerge,
    index: int,
    around: Sequence[tuple[Sight, _Seen]],
    options: CompositeOptions,
) -> FaceToMerge:
    """The swapped face and the crop of the frame with their colors on the fitted curve."""
    moments = np.array([sight.index for sight, _ in around])
    here = np.flatnonzero(moments == index)
    if not here.size:
        return face
    place, radius = int(here[0]), options.smooth_colors
    swaps = np.stack([found.swap for _, found in around])
    wanted = smoothed(moments, swaps, place, radius)
    prediction = replace(
        face.prediction, swap=_moved_to(face.prediction.swap, swaps[place], wanted)
    )
    if prediction.enhanced is not None:
        enhanced = _moved_to(prediction.enhanced, swaps[place], wanted)
        prediction = replace(prediction, enhanced=enhanced)
    crop = face.crop
    if crop is not None:
        shown = np.stack([found.shown for _, found in around])
        crop = _moved_to(crop, shown[place], smoothed(moments, shown, place, radius))
    return replace(face, prediction=prediction, crop=crop)


def _moved_to(picture: FloatImage, here: Statistics, wanted: Statistics) -> FloatImage:
    """The picture with the wanted mean and spread in its channels, in 0..1."""
    gain = np.clip(wanted[3:] / np.maximum(here[3:], _LEAST_SPREAD), *_GAIN)
    moved = (picture - here[:3]) * gain + wanted[:3]
    return np.clip(moved, 0.0, 1.0).astype(np.float32)


def _seen(face: FaceToMerge) -> _Seen:
    prediction = face.prediction
    masks = {name: getattr(prediction, name) for name in _MASKS}
    crop = face.crop if face.crop is not None else prediction.swap
    return _Seen(
        {name: mask for name, mask in masks.items() if mask is not None},
        _statistics(prediction.swap),
        _statistics(_small(crop, prediction)),
    )


def _small(crop: FloatImage, prediction: Prediction) -> FloatImage:
    return resized_picture(crop, prediction.size)


def _statistics(picture: FloatImage) -> Statistics:
    """Mean and spread of each channel over the middle of the face.

    The middle is the same ellipse in every frame: masks tremble, and colors would with them.
    """
    size = picture.shape[0]
    mean, spread = cv2.meanStdDev(picture, mask=_middle(size))
    return np.concatenate([mean.reshape(-1), spread.reshape(-1)]).astype(np.float64)


def _middle(size: int) -> npt.NDArray[np.uint8]:
    mask = np.zeros((size, size), np.uint8)
    axes = (round(0.22 * size), round(0.28 * size))
    cv2.ellipse(mask, (size // 2, round(0.55 * size)), axes, 0, 0, 360, 255, -1)
    return mask
