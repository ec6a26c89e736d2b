# pyright: strict
"""`merge`: put the trained face into the dst frames."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dflcolab.engine.chosen_checkpoint import better_state
from dflcolab.errors import WorkspaceError
from dflcolab.files import storage_errors, write_bytes
from dflcolab.media.frame_sequence import encode_image
from dflcolab.merging.config import MergeConfig
from dflcolab.merging.job import MergeJob
from dflcolab.merging.look import Look, load_look
from dflcolab.merging.merger import MergeCounts, merge_frames
from dflcolab.merging.networks import Enhancer
from dflcolab.merging.preview import before_and_after, left_out_of_a_frame
from dflcolab.merging.segments import Segmenter
from dflcolab.merging.stretches import Jitter
from dflcolab.pipeline.encode_video import EncodedVideo
from dflcolab.pipeline.merge_faces import FacesToMerge
from dflcolab.pipeline.merge_opening import (
    load_segmenter,
    modes_with_xseg,
    open_merge,
    require_permission,
    require_xseg,
)
from dflcolab.pipeline.merge_video import merge_to_videos, video_options
from dflcolab.progress import Progress
from dflcolab.runtime.where import Where
from dflcolab.workspace.workspace import Workspace


@dataclass(frozen=True)
class MergeReport:
    """What `merge` did.

    Attributes:
        model: Name of the model; with models for people, all of them.
        iteration: How long it was trained; the first one of several.
        frames: Frames that stand in `merged` now (or in parts of the video), of those asked for.
        frames_with_face: Of these, frames in which at least one face is replaced.
        merged: Frames made now in which a face was replaced.
        passed: Frames made now without a face, unchanged.
        kept: Frames that stood from an earlier run with the same settings, faces and weights.
        faces: Faces replaced now.
        seconds: Time on the clock, loading and checks included.
        frames_per_second: Frames made now, by the time of merging alone.
        options: The look, with its ranges and keyframes.
        folder: Where the frames are, or the parts of the video.
        people: Faces of each person that was named, all frames counted.
        jitter_before: How much the faces trembled as found; None where nothing is smoothed.
        jitter_after: How much they tremble as merged.
        preview: The picture that was made instead of merging; None if there was none.
        preview_frame: The frame that it shows.
        problems: What was left out, one sentence each.
        better: Sentences about models of which another state has the lower held-out score.
        videos: Videos that were made straight from the dst video.
    """

    model: str
    iteration: int
    frames: int
    frames_with_face: int
    merged: int
    passed: int
    kept: int
    faces: int
    seconds: float
    frames_per_second: float
    options: dict[str, Any]
    folder: Path
    people: dict[str, int] = field(default_factory=dict[str, int])
    jitter_before: Jitter | None = None
    jitter_after: Jitter | None = None
    preview: Path | None = None
    preview_frame: str | None = None
    problems: tuple[str, ...] = field(default=())
    videos: tuple[EncodedVideo, ...] = ()
    better: tuple[str, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        made = self.merged + self.passed
        lines = [video.summary() for video in self.videos]
        if not lines:
            lines = [f"{self.frames} merged frames are in {self.folder}."]
        if self.preview is not None:
            lines = [
                f"{self.preview} shows frame {self.preview_frame} before and after; merged frames are untouched."
            ]
        if made:
            lines.append(
                f"Made now: {made} ({self.faces} faces in {self.merged} frames, {self.passed} "
                f"without a face), {self.frames_per_second:.1f} frames/s."
            )
        if self.kept:
            lines.append(f"Kept from before: {self.kept}.")
        lines += [f"{who}: {count} faces." for who, count in self.people.items()]
        before, after = self.jitter_before, self.jitter_after
        if before is not None and after is not None and before.triples:
            lines.append(
                f"Trembling of the landmarks {before.landmarks:.2f} px as found, {after.landmarks:.2f} px "
                f"as merged; of the whole face {before.box:.2f} px, {after.box:.2f} px."
            )
        lines += [*self.better, *self.problems[:5]]
        if len(self.problems) > 5:
            lines.append(f"… and {len(self.problems) - 5} more problems.")
        return "\n".join(lines)


def merge(
    workspace: Workspace,
    config: MergeConfig,
    *,
    progress: Progress | None = None,
    where: Where | None = None,
) -> MergeReport:
    """Merge the dst frames with a trained model, into pictures or straight into the result video.

    Frames without a face, and faces whose file was deleted, stay as they are. Safe to run again:
    frames that were merged with the same settings, faces and weights are kept.

    Args:
        workspace: Its dst footage, dst faces and model are read; `data_dst/merged` and
            `data_dst/merged_mask` are written, or with `video` the result.
        config: Which state of which model, which frames, which look; or a preview of it, which writes nothing else.
        progress: Shown to the user, and asked for a wish to stop.
        where: Kind of place; found out when None.

    Raises:
        RightsError: The rights of src or dst are not recorded, or the machine's operator has rules
            and the user has not chosen yet.
        ContentGuardError: The dst footage is sexually explicit.
        ConfigError: An option is unknown or out of range.
        WorkspaceError: There is no dst footage, or no frame in the wanted range.
        FacesetError: There is no dst face.
        ModelError: The model was not trained, or an XSeg model is asked for that is not there.
        CheckpointError: The checkpoint that is asked for is not there or not whole.
        FormatError: The file of `enhancer` is missing or no weights.
        MediaError: The dst video is none.
        Interrupted: Stopped as asked; finished frames are kept.
        StorageError: Disk full, read-only or gone.
    """
    progress = progress or Progress()
    begin = time.perf_counter()
    require_permission(workspace, where)
    look = load_look(config, workspace.root)
    require_xseg(workspace, config.xseg, look)
    how = video_options(workspace, config) if config.video else None

    better: list[str] = []

    def helpers(problems: list[str]) -> tuple[Segmenter | None, Enhancer | None]:
        return _segmenter(workspace, config, look, problems, better), _enhancer(config, look)

    opened = open_merge(workspace, config, look, helpers, progress=progress)
    job, models, found, problems = opened.job, opened.models, opened.found, opened.problems
    better += opened.better
    for sentence in better:
        progress.message(sentence)
    frames = job.frames
    usual = next(iter(models.values()))
    merging_begin = time.perf_counter()
    folder, videos, shown = workspace.merged_dir, list[EncodedVideo](), None
    if config.preview is not None:
        counts, shown = MergeCounts(), _write_preview(job, config.preview)
        problems += filter(None, [left_out_of_a_frame(job, shown)])
    elif how is not None:
        made_videos = merge_to_videos(workspace, job, how, progress=progress)
        counts, folder, videos = made_videos.counts, made_videos.folder, made_videos.videos
        problems += made_videos.messages
    else:
        counts = _merged(job, progress)
    if config.preview is None and not counts.total:
        raise WorkspaceError(
            f"There is no frame in the range {config.frames} of {job.frames.description}; "
            "frames are counted from 0."
        )
    now = time.perf_counter()
    problems += frames.problems
    if counts.unmatched:
        problems.append(
            f"{len(counts.unmatched)} frames named by dst faces are not in {frames.description} "
            f"(for example {counts.unmatched[0]}); these faces were not merged."
        )
    for problem in problems:
        progress.message(problem)
    made = counts.merged + counts.passed
    return MergeReport(
        model=" + ".join(models),
        iteration=usual.iteration,
        frames=counts.total,
        frames_with_face=counts.merged + counts.kept_with_face,
        merged=counts.merged,
        passed=counts.passed,
        kept=counts.kept,
        faces=counts.faces,
        seconds=round(now - begin, 2),
        frames_per_second=round(made / max(now - merging_begin, 1e-9), 2) if made else 0.0,
        options=look.plain(),
        folder=folder,
        people=_counted(found),
        jitter_before=found.before,
        jitter_after=found.after,
        preview=config.preview,
        preview_frame=shown,
        problems=tuple(problems),
        videos=tuple(videos),
        better=tuple(better),
    )


def _counted(found: FacesToMerge) -> dict[str, int]:
    """Faces of each person that was named."""
    wishes = [f"{wish.who} ({wish.model})" for wish in found.people.values()]
    return {who: wishes.count(who) for who in dict.fromkeys(wishes)}


def _merged(job: MergeJob, progress: Progress) -> MergeCounts:
    """The frames on the disk."""
    for folder in (job.folder, job.mask_folder):
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    return merge_frames(job, progress=progress)


def _write_preview(job: MergeJob, path: Path) -> str:
    """One frame before and after, signed as merged frames are; gives the frame's name."""
    stem, picture = before_and_after(job)
    data = encode_image(picture, path.suffix)
    if job.stamp is not None:
        data = job.stamp(data, f"{path.name} ({stem})", len(job.faces.of(stem)))
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
    return stem


def _segmenter(
    workspace: Workspace,
    config: MergeConfig,
    look: Look,
    problems: list[str],
    better: list[str],
) -> Segmenter | None:
    """The XSeg network, if the look asks for one."""
    if not modes_with_xseg(look):
        return None
    network = load_segmenter(workspace, config, problems)
    sentence = better_state(
        workspace.model_dir(config.xseg),
        config.xseg_checkpoint,
        network.iteration,
        option="--xseg-checkpoint",
        field="",
    )
    better += [sentence] if sentence else []
    return network


def _enhancer(config: MergeConfig, look: Look) -> Enhancer | None:
    """The network behind super-resolution, if one is named and the look asks for it."""
    if config.enhancer is None or not look.uses("super_resolution_power"):
        return None
    from dflcolab.engine.face_enhancer import load_enhancer

    return load_enhancer(config.enhancer)
