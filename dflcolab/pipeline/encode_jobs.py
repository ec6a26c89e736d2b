# pyright: strict
"""What `encode` has to write: which picture is shown when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from dflcolab.errors import WorkspaceError
from dflcolab.media.config import EncodeConfig
from dflcolab.media.frame_sequence import list_frames
from dflcolab.media.gif import FRAMES_PER_SECOND
from dflcolab.media.timeline import Timeline, read_timeline
from dflcolab.workspace.workspace import Side, Workspace

_NTSC = Fraction(1000, 1001)
_NAMED_MISSING = 3

EXPORT_FOLDER = "export"
"""Folder of the workspace with parts for other programs."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One video to write.

    Attributes:
        name: File name without ending.
        kind: "result", "mask", "comparison", "clip" or "foreground".
        stems: Frame names in order.
        pictures: Picture of each frame that has one.
        timeline: When each frame is shown.
        video: The dst video; None if dst is pictures.
        originals: Original picture of each frame, where dst is pictures.
        masks: Mask of each frame that has one; for the foreground only.
        first: Number of the first frame within the footage.
        sound: Carry the sound of the dst video over.
        parts: Encoded parts of the video, where they take the place of pictures.
    """

    name: str
    kind: str
    stems: tuple[str, ...]
    pictures: dict[str, Path]
    timeline: Timeline
    video: Path | None
    originals: dict[str, Path] = field(default_factory=dict[str, Path])
    masks: dict[str, Path] = field(default_factory=dict[str, Path])
    first: int = 0
    sound: bool = True
    parts: tuple[Path, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Frames without a picture, in order."""
        if self.parts:
            return []
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
    job = video_job(workspace, video, read_timeline(video))
    if any(stem not in merged for stem in job.stems):
        # The packets promise more frames than were merged: count those that really decode.
        job = video_job(workspace, video, read_timeline(video, decode=True))
    return replace(job, pictures={stem: merged[stem] for stem in job.stems if stem in merged})


def video_job(workspace: Workspace, video: Path, timeline: Timeline) -> Job:
    """The result of a dst video, without its pictures yet."""
    return Job(
        name=result_name(workspace, video),
        kind="result",
        stems=_stems(workspace.frame_prefix(video), len(timeline.times)),
        pictures={},
        timeline=timeline,
        video=video,
    )


def result_name(workspace: Workspace, video: Path) -> str:
    """Name of a dst video's result without ending, such as `result_2`."""
    prefix = workspace.frame_prefix(video)
    suffix = f"_{prefix.removesuffix('-')}" if prefix else ""
    return workspace.result_path("").name + suffix


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
    pictures = mask_pictures(job, workspace)
    if not pictures:
        return None
    masks = replace(_renamed(job, workspace, "mask"), pictures=pictures, originals={})
    if masks.missing:
        messages.append(f"{len(masks.missing)} frames of {masks.name} have no mask and are black.")
    return masks


def mask_of_parts(job: Job, workspace: Workspace, parts: Sequence[Path]) -> Job:
    """The job for the mask video of a result that is made of parts."""
    return replace(_renamed(job, workspace, "mask"), parts=tuple(parts))


def mask_pictures(job: Job, workspace: Workspace) -> dict[str, Path]:
    """The masks that a merge left, by frame."""
    found = {path.stem: path for path in list_frames(workspace.merged_mask_dir)}
    return {stem: found[stem] for stem in job.stems if stem in found}


def comparison_job(job: Job, workspace: Workspace, messages: list[str]) -> Job | None:
    """The job for the video that shows before and after; None if there is no before."""
    if not _has_originals(job):
        messages.append(
            f"There are no frames in {workspace.frames_dir(Side.DST)} to compare the merged ones with, "
            "so no comparison was written."
        )
        return None
    return _renamed(job, workspace, "comparison")


def foreground_job(job: Job, workspace: Workspace) -> Job:
    """The job for the new faces alone, with transparency.

    Raises:
        WorkspaceError: There are no masks, or no frames from before the merge.
    """
    masks = mask_pictures(job, workspace)
    if not masks or not _has_originals(job):
        what = "masks" if not masks else "dst frames"
        raise WorkspaceError(
            f"The foreground cannot be cut out, because there are no {what} for {job.name}; "
            "merge again with the dst footage in its place."
        )
    name = _renamed(job, workspace, "foreground").name.removeprefix(
        f"{workspace.result_path('').name}_"
    )
    return replace(job, name=f"{EXPORT_FOLDER}/{name}", kind="foreground", masks=masks, sound=False)


def clip_job(job: Job, workspace: Workspace, config: EncodeConfig, messages: list[str]) -> Job:
    """The job for the short clip: part of the frames, from time zero on."""
    begin = job.timeline.times[0] + Fraction(config.clip_start).limit_denominator(1000)
    length = Fraction(config.clip_length).limit_denominator(1000)
    if begin >= job.timeline.end:
        begin = max(job.timeline.times[0], job.timeline.end - length)
        messages.append(
            f"{job.name} ends before second {config.clip_start:g}; the clip shows its end."
        )
    times = job.timeline.times
    inside = [i for i, time in enumerate(times) if begin <= time < begin + length]
    inside = inside or [max(i for i, time in enumerate(times) if time <= begin)]
    first, behind = inside[0], inside[-1] + 1
    ends = job.timeline.end if behind == len(times) else times[behind]
    start = times[first]
    return replace(
        _renamed(job, workspace, "clip"),
        stems=job.stems[first:behind],
        timeline=Timeline(
            tuple(time - start for time in times[first:behind]),
            ends - start,
            job.timeline.time_base,
        ),
        first=job.first + first,
        sound=False,
    )


def thinned(timeline: Timeline) -> list[int]:
    """Numbers of the frames that a GIF shows: the first of each of its steps."""
    slots = [int(time * FRAMES_PER_SECOND) for time in timeline.times]
    return [i for i, slot in enumerate(slots) if i == 0 or slot > slots[i - 1]]


def _has_originals(job: Job) -> bool:
    return job.video is not None or all(stem in job.originals for stem in job.stems)


def _renamed(job: Job, workspace: Workspace, kind: str) -> Job:
    """The same frames under the name of another kind: result_2 becomes result_mask_2."""
    result = workspace.result_path("").name
    return replace(job, name=job.name.replace(result, f"{result}_{kind}", 1), kind=kind)
