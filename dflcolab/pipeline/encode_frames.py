# pyright: strict
"""The pictures of a job of `encode`, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from dflcolab.arrays import DeepImage, Image
from dflcolab.media.config import Comparison
from dflcolab.media.depth import with_fine_values
from dflcolab.media.frame_sequence import read_ahead, read_image
from dflcolab.media.label import Label
from dflcolab.media.video_reader import VideoReader
from dflcolab.pipeline.encode_jobs import Job

Picture = Image | DeepImage
Shape = tuple[int, int]
"""Height and width."""

_WIPE_S = Fraction(4)
"""Seconds in which the line goes over the picture and back."""

_LINE_SHARE = 300


@dataclass(frozen=True)
class _Original:
    """A frame before merging, with 16 bits a value where that is known."""

    image: Image
    deep: DeepImage | None = None


def result_frames(
    job: Job, reader: VideoReader | None, shape: Shape, *, deep: bool = False
) -> Iterator[Picture]:
    """The merged picture of every frame; what is missing comes from the original or is black.

    Args:
        job: A result, its masks or its clip.
        reader: Of the dst video.
        shape: Of the merged frames.
        deep: Give 16 bits a value, with the fine values of the dst video; for results only.
    """
    missing = set(job.missing)
    merged = _merged(job)
    if deep and reader is not None:
        for stem, original in zip(
            job.stems, originals(job, reader, shape, range(len(job.stems)), deep=True), strict=False
        ):
            assert original.deep is not None
            if stem in missing:
                yield original.deep
            else:
                yield with_fine_values(next(merged), original.image, original.deep)
        return
    wanted = [i for i, stem in enumerate(job.stems) if stem in missing]
    if job.kind == "mask":
        fillers = (np.zeros((*shape, 3), np.uint8) for _ in wanted)
    else:
        fillers = (original.image for original in originals(job, reader, shape, wanted))
    for stem in job.stems:
        yield next(fillers) if stem in missing else next(merged)


def comparison_frames(
    job: Job, reader: VideoReader | None, shape: Shape, how: Comparison
) -> Iterator[Image]:
    """Every frame before and after: beside each other, or with a line that wipes over it."""
    missing = set(job.missing)
    merged = _merged(job)
    everything = originals(job, reader, shape, range(len(job.stems)))
    start = job.timeline.times[0]
    for stem, time, original in zip(job.stems, job.timeline.times, everything, strict=False):
        after = original.image if stem in missing else next(merged)
        if how is Comparison.SIDE_BY_SIDE:
            yield np.hstack([original.image, after])
        else:
            yield _wiped(original.image, after, time - start)


def foreground_frames(
    job: Job, reader: VideoReader | None, shape: Shape, *, deep: bool
) -> Iterator[DeepImage]:
    """The new face alone with its transparency, BGRA `[H, W, 4]`, uint16; straight, not premultiplied.

    Laid over the original frame it gives the merged one.

    Args:
        job: A foreground.
        reader: Of the dst video.
        shape: Of the merged frames.
        deep: With the fine values of the dst video.
    """
    missing = set(job.missing)
    merged = _merged(job)
    everything = originals(job, reader, shape, range(len(job.stems)), deep=deep)
    for stem, original in zip(job.stems, everything, strict=False):
        after = original.image if stem in missing else next(merged)
        mask = np.zeros(shape, np.uint8)
        if stem in job.masks and stem not in missing:
            mask = read_image(job.masks[stem])[..., 0]
        if original.deep is None:
            yield foreground(_deep(after), _deep(original.image), mask)
        else:
            fine = with_fine_values(after, original.image, original.deep)
            yield foreground(fine, original.deep, mask)


def foreground(merged: DeepImage, original: DeepImage, mask: Image) -> DeepImage:
    """What must lie over the original, by its mask, to give the merged frame.

    From merged = original·(1 − m) + face·m. Where m is faint the division tells little, but what
    shows there is faint too.

    Args:
        merged: `[H, W, 3]` BGR, uint16.
        original: The same size.
        mask: `[H, W]`, uint8, 255 = face.

    Returns:
        BGRA `[H, W, 4]`, uint16 with 65535 as white and opaque.
    """
    found = np.zeros((*mask.shape, 4), np.uint16)
    found[..., :3] = merged
    found[..., 3] = _deep(mask)
    inside = mask > 0
    share = mask[inside, None].astype(np.float32) / np.float32(255)
    below = original[inside].astype(np.float32)
    face = below + (merged[inside].astype(np.float32) - below) / share
    found[inside, :3] = np.rint(np.clip(face, 0, 65535))
    return found


def _deep(picture: Image) -> DeepImage:
    """Eight bits as sixteen: 255 is 65535."""
    return picture.astype(np.uint16) * np.uint16(257)


def originals(
    job: Job,
    reader: VideoReader | None,
    shape: Shape,
    wanted: Sequence[int],
    *,
    deep: bool = False,
) -> Iterator[_Original]:
    """Frames before merging, at the size of the merged ones.

    Args:
        job: Whose frames.
        reader: Of the dst video; None where dst is pictures.
        shape: Size to give.
        wanted: Numbers within the job, rising.
        deep: With 16 bits a value; only from a video.
    """
    if not wanted:
        return
    if reader is None:
        for index in wanted:
            image = read_image(job.originals[job.stems[index]])
            yield _Original(_fitted(image, shape))
        return
    numbers = {job.first + index for index in wanted}
    first, stop = min(numbers), max(numbers) + 1
    for frame in reader.frames(first, stop, wanted=numbers.__contains__, deep=deep):
        fine = frame.deep
        yield _Original(_fitted(frame.image, shape), fine)


def scaled(frames: Iterator[Picture], shape: Shape) -> Iterator[Image]:
    """Frames at a smaller size."""
    for frame in frames:
        yield cv2.resize(frame, shape[::-1], interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )


def merged_shape(job: Job) -> Shape:
    """Size of the merged frames of a job, from the first one."""
    first = read_image(next(job.pictures[stem] for stem in job.stems if stem in job.pictures))
    return first.shape[0], first.shape[1]


def labeled(frames: Iterator[Picture], label: Label) -> Iterator[Picture]:
    """Frames with the label on each."""
    return map(label.stamp, frames)


def _merged(job: Job) -> Iterator[Image]:
    """The merged pictures that are there, in order."""
    return read_ahead([job.pictures[stem] for stem in job.stems if stem in job.pictures])


def _fitted(image: Image, shape: Shape) -> Image:
    if image.shape[:2] == shape:
        return image
    return cv2.resize(image, shape[::-1], interpolation=cv2.INTER_LINEAR).astype(
        np.uint8, copy=False
    )


def _wiped(before: Image, after: Image, time: Fraction) -> Image:
    """`before` left of a line, `after` right of it; the line goes to and fro."""
    phase = time / _WIPE_S % 1
    place = abs(1 - 2 * phase)
    width = before.shape[1]
    column = round(place * width)
    picture = after.copy()
    picture[:, :column] = before[:, :column]
    half = max(1, width // _LINE_SHARE)
    picture[:, max(0, column - half) : column + half] = 255
    return picture
