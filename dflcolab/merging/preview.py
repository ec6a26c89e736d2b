# pyright: strict
"""One frame before and after merging, for trying a look without touching any result."""

from __future__ import annotations

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import WorkspaceError
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.job import MergeJob
from dflcolab.merging.motion import STILL, motions
from dflcolab.merging.networks import Question


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
    stems = job.frames.stems
    index, stem = _first_with_a_face(job, stems)
    options = job.look.at(index)
    motion = STILL
    if options.motion_blur_power:
        motion = motions(stems, job.faces.by_stem).get(stem, STILL)
    frame = next(iter(job.frames.walk(index, index + 1, lambda name: name == stem)), None)
    if frame is None:
        raise WorkspaceError(
            f"Frame {index} of {job.frames.description} cannot be read; choose another with --frames."
        )
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
    return stem, np.hstack([frame.image, _as_high(merged, frame.image.shape[0])])


def _first_with_a_face(job: MergeJob, stems: list[str]) -> tuple[int, str]:
    for index, stem in enumerate(stems[job.start : job.stop], job.start):
        if job.faces.of(stem):
            return index, stem
    last = (len(stems) if job.stop is None else job.stop) - 1
    where = f"frame {last}" if last == job.start else f"frames {job.start} to {last}"
    raise WorkspaceError(
        f"There is no dst face in {where} of {job.frames.description}; choose others with --frames, "
        "or run `dflcolab extract` for dst."
    )


def _as_high(picture: Image, height: int) -> Image:
    """The picture at the height of the frame; only raw predictions have another one."""
    if picture.shape[0] == height:
        return picture
    width = round(picture.shape[1] * height / picture.shape[0])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR).astype(
        np.uint8, copy=False
    )
