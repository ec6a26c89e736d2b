# pyright: strict
"""`merge --video`: the result straight from the dst video, in parts that a stopped run finds again."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import DeepImage, Image
from dflcolab.config import from_mapping, parse_assignments, to_plain
from dflcolab.errors import ConfigError, WorkspaceError
from dflcolab.files import storage_errors
from dflcolab.media.certificate import user_identity
from dflcolab.media.config import EncodeConfig
from dflcolab.media.encoders import Encoder, mask_encoder
from dflcolab.media.frame_sequence import list_frames
from dflcolab.media.label import Label
from dflcolab.media.probe import VideoInfo
from dflcolab.media.signed_file import remove_unsigned, signed_when_done
from dflcolab.media.timeline import read_timeline
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter
from dflcolab.merging.config import MergeConfig
from dflcolab.merging.job import MergeJob
from dflcolab.merging.journal import MergeJournal
from dflcolab.merging.merger import MergeCounts, merge_frames
from dflcolab.merging.part_output import PartCoding, PartOutput
from dflcolab.merging.parts import PART_FRAMES, Part, cut_into_parts, touched
from dflcolab.pipeline.encode_jobs import Job, mask_of_parts, video_job
from dflcolab.pipeline.encode_video import EncodedVideo, VideoMaker
from dflcolab.pipeline.encode_writer import keeps_depth, writer_for
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace

_NEED_PICTURES = ("comparison", "clip", "export", "allow_missing")
_CODING_VERSION = 2
"""Raised when the same frames give other parts, so that old ones are made anew."""


@dataclass
class MergedVideos:
    """What a merge straight to videos did.

    Attributes:
        counts: Frames made and kept.
        folder: Where the parts lie.
        videos: The videos written; none while parts are missing.
        messages: What the user should know, one sentence each.
    """

    counts: MergeCounts
    folder: Path
    videos: list[EncodedVideo] = field(default_factory=list[EncodedVideo])
    messages: list[str] = field(default_factory=list[str])


def video_options(workspace: Workspace, config: MergeConfig) -> EncodeConfig:
    """How the video is to be written, checked before anything is loaded.

    Raises:
        ConfigError: An option is unknown, out of range, or needs merged pictures.
        WorkspaceError: There is no dst video.
    """
    found = from_mapping(EncodeConfig, parse_assignments(config.encode), source="--encode")
    usual = EncodeConfig()
    for name in _NEED_PICTURES:
        if getattr(found, name) != getattr(usual, name):
            raise ConfigError(
                f"{name} of encode needs the merged pictures; leave out --video, and run "
                "`dflcolab encode` after the merge."
            )
    if not workspace.videos(Side.DST):
        pictures = list_frames(workspace.frames_dir(Side.DST))
        instead = (
            "merge the pictures without --video, then run `dflcolab encode`, or "
            if pictures
            else ""
        )
        raise WorkspaceError(
            f"There is no data_dst video in {workspace.root} to merge straight to a video; {instead}put "
            "data_dst.mp4 there."
        )
    return replace(found, certificate=found.certificate or config.certificate)


def merge_to_videos(
    workspace: Workspace,
    job: MergeJob,
    config: EncodeConfig,
    *,
    progress: Progress,
    part_frames: int = PART_FRAMES,
) -> MergedVideos:
    """Merge the wanted frames into parts; when all parts stand, the result and its mask video.

    Args:
        workspace: Where the videos go, and the parts: `data_dst/merged/parts`.
        job: What is merged, from the dst videos.
        config: How the videos are written.
        progress: Shown to the user, and asked for a wish to stop.
        part_frames: Frames of a part.

    Raises:
        Interrupted: Somebody asked to stop; finished parts are kept.
        WorkspaceError: No frame is asked for.
        ModelError: The model's answers are not numbers.
        MediaError: The footage cannot be read, frames differ in size, or the encoder fails.
        StorageError: The disk is full, read-only or gone.
    """
    return _Straight(workspace, job, config, progress, part_frames).run()


@dataclass
class _Footage:
    """One dst video on its way to a result."""

    video: Path
    info: VideoInfo
    job: Job
    encoder: Encoder
    parts: list[Part]
    coding: PartCoding


class _Straight:
    """One run of `merge_to_videos`."""

    def __init__(
        self,
        workspace: Workspace,
        job: MergeJob,
        config: EncodeConfig,
        progress: Progress,
        part_frames: int,
    ) -> None:
        self._workspace = workspace
        self._config = config
        self._progress = progress
        self._part_frames = part_frames
        self._messages: list[str] = []
        self._identity = user_identity(config.certificate) if config.certificate else None
        self._maker = VideoMaker(workspace, config, progress, self._messages, self._identity)
        self._footage = [
            self._look_at(number, video) for number, video in enumerate(workspace.videos(Side.DST))
        ]
        self._parts = [part for footage in self._footage for part in footage.parts]
        self._wanted = touched(self._parts, job.start, job.stop)
        self._folder = workspace.merged_parts_dir
        self._mask_folder = self._folder / "mask"
        self._journal = MergeJournal(
            self._folder, self._mask_folder, self._footage[0].encoder.suffix
        )
        self._job = self._whole_parts(job)

    def run(self) -> MergedVideos:
        for folder in (self._folder, self._mask_folder):
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            remove_unsigned(folder)
        remove_unsigned(self._workspace.root)
        output = PartOutput(
            self._journal,
            self._parts,
            self._wanted,
            [footage.coding for footage in self._footage],
            self._open_part,
            masked=self._config.mask,
        )
        pictures = list_frames(self._workspace.frames_dir(Side.DST))
        if pictures:
            self._messages.append(
                f"Frames were read from the video; the {len(pictures)} pictures in {pictures[0].parent} "
                "were not used."
            )
        counts = merge_frames(self._job, progress=self._progress, output=output)
        done = MergedVideos(counts, self._folder, messages=self._messages)
        if counts.total:
            for footage in self._footage:
                done.videos += self._finish(footage, output)
            if len(done.videos) >= len(self._footage):
                self._remove_others()
        done.messages = list(dict.fromkeys(self._messages))
        return done

    def _look_at(self, number: int, video: Path) -> _Footage:
        job = video_job(self._workspace, video, read_timeline(video))
        info = VideoReader(video).info
        encoder = self._maker.encoder(job, info)
        facts = {
            "version": _CODING_VERSION,
            "encoder": to_plain(encoder),
            "color": to_plain(info.color),
            "library": av.__version__,
            "label": self._config.label,
            "mask": self._config.mask,
        }
        coding = PartCoding(json.dumps(facts, sort_keys=True), keeps_depth(job, encoder, info))
        parts = cut_into_parts(number, job.stems, length=self._part_frames)
        return _Footage(video, info, job, encoder, parts, coding)

    def _whole_parts(self, job: MergeJob) -> MergeJob:
        """The job for whole parts: a part is made of all its frames or not at all."""
        deep = any(footage.coding.deep for footage in self._footage)
        # Parts are signed, and the result once more; no frame by itself.
        job = replace(
            job,
            folder=self._folder,
            mask_folder=self._mask_folder,
            stamp=None,
            signer="",
            deep=deep,
        )
        if not self._wanted:
            return job
        before = self._parts[: self._parts.index(self._wanted[0])]
        start = sum(len(part.stems) for part in before)
        stop = start + sum(len(part.stems) for part in self._wanted)
        return replace(job, start=start, stop=None if job.stop is None else stop)

    @contextmanager
    def _open_part(self, part: Part, shape: tuple[int, int]) -> Generator[_PartFiles]:
        footage = self._footage[part.video]
        height, width = shape
        label = self._config.label
        path = self._journal.picture_path(part.name)
        with self._written(footage, footage.encoder, path, shape) as pictures:
            files = _PartFiles(
                footage.job, part, pictures, Label(label, width, height) if label else None
            )
            if not self._config.mask:
                yield files
                return
            path = self._journal.mask_path(part.name)
            encoder = mask_encoder(footage.encoder)
            with self._written(footage, encoder, path, shape) as masks:
                files.masks = masks
                yield files

    @contextmanager
    def _written(
        self, footage: _Footage, encoder: Encoder, path: Path, shape: tuple[int, int]
    ) -> Generator[VideoWriter]:
        """A video that stands, signed, when the context ends well."""
        height, width = shape
        result = footage.job.name
        title = f"{result}: {path.name}"
        with signed_when_done(path, title=title, identity=self._identity) as file:
            # The sound comes when the parts are joined.
            job = replace(footage.job, sound=False)
            writer = writer_for(file.unsigned, encoder, (width, height), job, footage.info)
            with writer:
                yield writer
        self._messages += [text.replace(file.unsigned.name, result) for text in writer.messages]

    def _finish(self, footage: _Footage, output: PartOutput) -> list[EncodedVideo]:
        """The result and its mask video, if all their parts stand."""
        missing = [part for part in footage.parts if part.name not in output.standing]
        short = any(part.name in output.short for part in footage.parts)
        if short or (missing and self._job.stop is None):
            # The packets promise more frames than came: count those that really decode.
            self._count_frames(footage)
            missing = [part for part in footage.parts if part.name not in output.standing]
        job = footage.job
        if missing:
            self._messages.append(
                f"{job.name}{footage.encoder.suffix} is not put together yet: {len(missing)} of its "
                f"{len(footage.parts)} parts are missing (the first begins with frame {missing[0].first}); "
                "run the same command without --frames to make them."
            )
            return []
        pictures = [self._journal.picture_path(part.name) for part in footage.parts]
        videos = [self._maker.make(replace(job, parts=tuple(pictures)))]
        if self._config.mask:
            masks = [self._journal.mask_path(part.name) for part in footage.parts]
            videos.append(self._maker.make(mask_of_parts(job, self._workspace, masks)))
        return videos

    def _count_frames(self, footage: _Footage) -> None:
        timeline = read_timeline(footage.video, decode=True)
        footage.job = video_job(self._workspace, footage.video, timeline)
        footage.parts = [part for part in footage.parts if part.first < len(timeline.times)]

    def _remove_others(self) -> None:
        """Remove parts that belong to none of the results: of another codec or another video."""
        names = [part.name for footage in self._footage for part in footage.parts]
        keep = {self._journal.picture_path(name) for name in names}
        if self._config.mask:
            keep |= {self._journal.mask_path(name) for name in names}
        for folder in (self._folder, self._mask_folder):
            with storage_errors(folder):
                for path in folder.iterdir():
                    if path.suffix in (".mp4", ".mov") and path not in keep:
                        path.unlink()


@dataclass
class _PartFiles:
    """The open files of a part."""

    job: Job
    part: Part
    pictures: VideoWriter
    label: Label | None
    masks: VideoWriter | None = None

    def write(self, image: Image | DeepImage, mask: npt.NDArray[np.uint8], index: int) -> None:
        """Append a frame; times count from the part's first."""
        timeline = self.job.timeline
        time = timeline.times[index] - timeline.times[self.part.first]
        duration = timeline.durations[index]
        labeled = self.label.stamp(image) if self.label is not None else image
        self.pictures.write(labeled, time, duration)
        if self.masks is not None:
            self.masks.write(mask, time, duration)
