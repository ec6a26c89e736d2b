# pyright: strict
"""One frame before and after merging, for trying a look without touching any result."""

from __future__ import annotations

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import WorkspaceError
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.frame_source import DstFrame
from dflcolab.merging.job import MergeJob
from dflcolab.merging.motion import STILL, motions
from dflcolab.merging.networks import Question
from dflcolab.merging.options import CompositeOptions


def before_and_after(job: MergeJob) -> tuple[str, Image]:
    """The first frame of a job that holds a face: as it is, and as it would be merged.

    Nothing is written.

    Returns:
        The frame's name, and both pictures side by side at the height of the frame.

    Raises:
        WorkspaceError: No frame of the job's range has a face.
        ModelError: A network's answers are not numbers.
        MediaError: The footage cannot be read.
    """
    index, stem = next(iter(frames_with_faces(job).items()))
    frame = frame_at(job, index, stem)
    merged = merged_frame(job, index, frame, job.look.at(index))
    return stem, np.hstack([frame.image, _as_high(merged, frame.image.shape[0])])


def left_out_of_a_frame(job: MergeJob, stem: str) -> str:
    """Which options of a frame its preview does not show, in one sentence; "" if it shows all.

    Landmarks are smoothed before any frame is made, so they are.
    """
    options = job.look.at(job.frames.stems.index(stem))
    names = [name for name in ("smooth_masks", "smooth_colors") if getattr(options, name)]
    if not names:
        return ""
    return f"{' and '.join(names)} cannot be seen in a single frame; the merge applies them."


def frames_with_faces(job: MergeJob) -> dict[int, str]:
    """Number → name of the frames of a job that hold a face, in order.

    Raises:
        WorkspaceError: There is none.
    """
    stems = job.frames.stems
    found = {
        index: stem
        for index, stem in enumerate(stems[job.start : job.stop], job.start)
        if job.faces.of(stem)
    }
    if found:
        return found
    last = (len(stems) if job.stop is None else job.stop) - 1
    where = f"frame {last}" if last == job.start else f"frames {job.start} to {last}"
    raise WorkspaceError(
        f"There is no dst face in {where} of {job.frames.description}; choose others with --frames, "
        "or run `dflcolab extract` for dst."
    )


def frame_at(job: MergeJob, index: int, stem: str) -> DstFrame:
    """One frame of the footage.

    Args:
        job: Whose footage.
        index: Number of the frame.
        stem: Its name.

    Raises:
        WorkspaceError: It cannot be read, alone.
        MediaError: The footage cannot be read.
    """
    frame = next(iter(job.frames.walk(index, index + 1, lambda name: name == stem)), None)
    if frame is None:
        raise WorkspaceError(
            f"Frame {index} of {job.frames.description} cannot be read; choose another with --frames."
        )
    return frame


def merged_frame(job: MergeJob, index: int, frame: DstFrame, options: CompositeOptions) -> Image:
    """A frame as it would be merged with some options; masks and colors are not steadied over time.

    Raises:
        ModelError: A network's answers are not numbers.
    """
    stem = frame.stem
    motion = STILL
    if options.motion_blur_power:
        around = job.frames.stems[max(index - 1, 0) : index + 2]
        motion = motions(around, job.faces.by_stem).get(stem, STILL)
    predictor = job.networks.predictor
    questions = [
        (stem, place, Question(frame.image, points, options))
        for place, points in enumerate(job.faces.of(stem))
    ]
    merged, _ = composite_frame(
        frame.image,
        job.answer(questions),
        face_type=predictor.face_type,
        options=options,
        motion=motion,
        resolution=predictor.resolution,
    )
    return merged


def _as_high(picture: Image, height: int) -> Image:
    """The picture at the height of the frame; only raw predictions have another one."""
    if picture.shape[0] == height:
        return picture
    width = round(picture.shape[1] * height / picture.shape[0])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR).astype(
        np.uint8, copy=False
    )
