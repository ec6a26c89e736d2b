# pyright: strict
"""What `encode` has to write: which picture is shown when, and what fills the gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import WorkspaceError
from dflcolab.media.config import EncodeConfig
from dflcolab.media.frame_sequence import list_frames, read_ahead, read_image
from dflcolab.media.timeline import Timeline, read_timeline
from dflcolab.media.video_reader import VideoReader
from dflcolab.workspace.workspace import Side, Workspace

_NTSC = Fraction(1000, 1001)
_NAMED_MISSING = 3


@dataclass(frozen=True, kw_only=True)
class Job:
    """One video to write.

    Attributes:
        name: File name without ending.
        kind: "result" or "mask".
        stems: Frame names in order.
        pictures: Picture of each frame that has one.
        timeline: When each frame is shown.
        video: The dst video; None if dst is pictures.
        originals: Original picture of each frame, where dst is pictures.
    """

    name: str
    kind: str
    stems: tuple[str, ...]
    pictures: dict[str, Path]
    timeline: Timeline
    video: Path | None
    originals: dict[str, Path] = field(default_factory=dict[str, Path])

    @property
    def missing(self) -> list[str]:
        """Frames without a picture, in order."""
        return [stem for stem in self.stems if stem not in self.pictures]


def encode_jobs(workspace: Workspace, config: EncodeConfig, messages: list[str]) -> list[Job]:
    """One job per dst video that has merged frames, or one for pictures.

    Args:
        workspace: Where the merged frames are.
        config: Says whether gaps are allowed, and the rate of pictures.
        messages: Gets what the user should know.

    Raises:
        WorkspaceError: There are no merged frames, or some are missing.
        MediaError: A dst video is not one.
    """
    merged = {path.stem: path for path in list_frames(workspace.merged_dir)}
    if not merged:
        raise WorkspaceError(
            f"There are no merged frames in {workspace.merged_dir}; "
            f"run `dflcolab merge -w {workspace.root} --model NAME` first."
        )
    jobs: list[Job] = []
    unused = set(merged)
    for video in workspace.videos(Side.DST):
        job = _job_of_video(workspace, video, merged)
        if len(job.missing) == len(job.stems):
            continue
        _refuse_gaps(job, workspace, config)
        jobs.append(job)
        unused -= set(job.stems)
    if jobs:
        left_out = [v.name for v in workspace.videos(Side.DST) if v not in {j.video for j in jobs}]
        messages += [f"{name} has no merged frames and gives no result." for name in left_out]
        if unused:
            messages.append(
                f"{len(unused)} pictures in {workspace.merged_dir} belong to no frame of the dst "
                f"video and were left out (such as {min(unused)})."
            )
        return jobs
    if workspace.videos(Side.DST):
        messages.append(
            f"The pictures in {workspace.merged_dir} are not named like frames of the dst video; "
            f"they are shown one after the other at {config.fps:g} frames per second, without sound."
        )
    job = _job_of_pictures(workspace, merged, config.fps)
    _refuse_gaps(job, workspace, config)
    return [job]


def _job_of_video(workspace: Workspace, video: Path, merged: dict[str, Path]) -> Job:
    prefix = workspace.frame_prefix(video)
    timeline = read_timeline(video)
    stems = _stems(prefix, len(timeline.times))
    if any(stem not in merged for stem in stems):
        # The packets promise more frames than were merged: count those that really decode.
        timeline = read_timeline(video, decode=True)
        stems = _stems(prefix, len(timeline.times))
    suffix = f"_{prefix.removesuffix('-')}" if prefix else ""
    return Job(
        name=workspace.result_path("").name + suffix,
        kind="result",
        stems=stems,
        pictures={stem: merged[stem] for stem in stems if stem in merged},
        timeline=timeline,
        video=video,
    )


def _job_of_pictures(workspace: Workspace, merged: dict[str, Path], fps: float) -> Job:
    originals = {path.stem: path for path in list_frames(workspace.frames_dir(Side.DST))}
    stems = tuple(originals or merged)
    rate = exact_rate(fps)
    times = tuple(index / rate for index in range(len(stems)))
    return Job(
        name=workspace.result_path("").name,
        kind="result",
        stems=stems,
        pictures={stem: merged[stem] for stem in stems if stem in merged},
        timeline=Timeline(times, len(stems) / rate, 1 / rate),
        video=None,
        originals=originals,
    )


def exact_rate(fps: float) -> Fraction:
    """The rate that a rounded number means: 23.976 is 24000/1001, 12.5 is 25/2."""
    ntsc = round(fps / _NTSC) * _NTSC
    if fps != round(fps) and abs(float(ntsc) - fps) < 0.005:
        return ntsc
    return Fraction(fps).limit_denominator(1000)


def _stems(prefix: str, n_frames: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{index + 1:05d}" for index in range(n_frames))


def _refuse_gaps(job: Job, workspace: Workspace, config: EncodeConfig) -> None:
    if not job.pictures:
        raise WorkspaceError(
            f"None of the pictures in {workspace.merged_dir} is named like a frame of dst; merge again."
        )
    missing = job.missing
    if missing and not config.allow_missing:
        named = ", ".join(missing[:_NAMED_MISSING]) + (
            " …" if len(missing) > _NAMED_MISSING else ""
        )
        raise WorkspaceError(
            f"{len(missing)} of {len(job.stems)} merged frames are missing in "
            f"{workspace.merged_dir} ({named}); finish the merge, or use --allow-missing to keep "
            "the original frames there."
        )


def mask_job(job: Job, workspace: Workspace, messages: list[str]) -> Job | None:
    """The job for the mask video of a result, None without masks; frames without one are black."""
    found = {path.stem: path for path in list_frames(workspace.merged_mask_dir)}
    pictures = {stem: found[stem] for stem in job.stems if stem in found}
    if not pictures:
        return None
    name = job.name.replace(workspace.result_path("").name, workspace.result_mask_path("").name, 1)
    masks = Job(
        name=name,
        kind="mask",
        stems=job.stems,
        pictures=pictures,
        timeline=job.timeline,
        video=job.video,
    )
    if masks.missing:
        messages.append(f"{len(masks.missing)} frames of {name} have no mask and are black.")
    return masks


def job_frames(job: Job, reader: VideoReader | None, shape: tuple[int, int]) -> Iterator[Image]:
    """The picture of every frame in order; what is missing comes from the original or is black."""
    missing = set(job.missing)
    pictures = read_ahead([job.pictures[stem] for stem in job.stems if stem in job.pictures])
    originals = _originals(job, reader, missing, shape)
    for stem in job.stems:
        yield next(originals if stem in missing else pictures)


def _originals(
    job: Job, reader: VideoReader | None, missing: set[str], shape: tuple[int, int]
) -> Iterator[Image]:
    if job.kind == "mask":
        black = np.zeros((*shape, 3), np.uint8)
        for _ in missing:
            yield black
    elif reader is not None and missing:
        numbers = {index for index, stem in enumerate(job.stems) if stem in missing}
        for frame in reader.frames(wanted=numbers.__contains__):
            yield frame.image
    else:
        for stem in job.stems:
            if stem in missing:
                yield read_image(job.originals[stem])
