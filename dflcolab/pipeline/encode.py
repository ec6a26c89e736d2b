# pyright: strict
"""`encode`: merged frames and the dst video's sound become the result, signed as the last step."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from dflcolab.arrays import Image
from dflcolab.errors import MediaError, StorageError, WorkspaceError
from dflcolab.files import storage_errors
from dflcolab.media.color import ColorTags
from dflcolab.media.config import EncodeConfig
from dflcolab.media.encoders import Encoder, choose_encoder
from dflcolab.media.frame_sequence import list_frames, read_ahead, read_image
from dflcolab.media.probe import VideoInfo
from dflcolab.media.provenance import PLAIN_NOTE, read_provenance, sign_file
from dflcolab.media.timeline import Timeline, read_timeline
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter, nominal_rate, shift_to_zero
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Side, Workspace, require_rights

_NTSC = Fraction(1000, 1001)
_NAMED_MISSING = 3


@dataclass(frozen=True, kw_only=True)
class EncodedVideo:
    """One video that was written.

    Attributes:
        path: The file.
        kind: "result" or "mask".
        frames: Number of frames.
        duration_s: Length of the pictures in seconds.
        width: Width in pixels.
        height: Height in pixels.
        codec: Codec of the pictures.
        sound: "copied", "re-encoded" or "none".
        provenance: State of the signed note, read back: "valid".
        filled: Frames taken from the original because their merged frame is missing.
        size_bytes: Size of the file.
    """

    path: Path
    kind: str
    frames: int
    duration_s: float
    width: int
    height: int
    codec: str
    sound: str
    provenance: str
    filled: int
    size_bytes: int


@dataclass(frozen=True)
class EncodeReport:
    """What `encode` did.

    Attributes:
        videos: The videos written.
        messages: What the user should know, one sentence each.
    """

    videos: tuple[EncodedVideo, ...]
    messages: tuple[str, ...]

    def summary(self) -> str:
        """The report in a few lines."""
        lines = [
            f"Wrote {video.path} ({video.frames} frames, {video.duration_s:.2f} s, "
            f"{video.width}x{video.height}, {video.codec}, sound {video.sound}, signed)."
            for video in self.videos
        ]
        return "\n".join([*lines, *self.messages])


def encode(
    workspace: Workspace, config: EncodeConfig, *, progress: Progress | None = None
) -> EncodeReport:
    """Write `result.mp4` (and `result_mask.mp4`) from the merged frames.

    Frames get the times of the dst video's frames, and its sound as it is; so the result has the
    same number of frames, length and sound. Where dst was given as pictures, they follow each other
    at `config.fps`, without sound. A second dst video `data_dst_2.mp4` gives `result_2.mp4`.

    Every file carries a signed C2PA note that it is synthetic, and appears only once it is signed.

    Raises:
        RightsError: The rights of a person are not recorded.
        WorkspaceError: There are no merged frames, or some are missing.
        MediaError: A merged frame is damaged or has another size, or the encoder is missing.
        StorageError: The disk is full; an earlier result stays.
        Interrupted: Asked to stop; an earlier result stays.
    """
    progress = progress or Progress()
    require_rights(workspace)
    messages: list[str] = []
    videos: list[EncodedVideo] = []
    for job in _jobs(workspace, config, messages):
        videos.append(_write(job, workspace, config, progress, messages))
        masks = _masks_of(job, workspace, messages) if config.mask else None
        if masks is not None:
            videos.append(_write(masks, workspace, config, progress, messages))
    return EncodeReport(tuple(videos), tuple(dict.fromkeys(messages)))


@dataclass(frozen=True, kw_only=True)
class _Job:
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
        return [stem for stem in self.stems if stem not in self.pictures]


def _jobs(workspace: Workspace, config: EncodeConfig, messages: list[str]) -> list[_Job]:
    """One job per dst video that has merged frames, or one for pictures."""
    merged = {path.stem: path for path in list_frames(workspace.merged_dir)}
    if not merged:
        raise WorkspaceError(
            f"There are no merged frames in {workspace.merged_dir}; "
            f"run `dflcolab merge -w {workspace.root} --model NAME` first."
        )
    jobs: list[_Job] = []
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
    job = _job_of_pictures(workspace, merged, config.fps)
    _refuse_gaps(job, workspace, config)
    return [job]


def _job_of_video(workspace: Workspace, video: Path, merged: dict[str, Path]) -> _Job:
    prefix = workspace.frame_prefix(video)
    timeline = read_timeline(video)
    stems = _stems(prefix, len(timeline.times))
    if any(stem not in merged for stem in stems):
        # The packets promise more frames than were merged: count those that really decode.
        timeline = read_timeline(video, decode=True)
        stems = _stems(prefix, len(timeline.times))
    suffix = f"_{prefix.removesuffix('-')}" if prefix else ""
    return _Job(
        name=workspace.result_path("").name + suffix,
        kind="result",
        stems=stems,
        pictures={stem: merged[stem] for stem in stems if stem in merged},
        timeline=timeline,
        video=video,
    )


def _job_of_pictures(workspace: Workspace, merged: dict[str, Path], fps: float) -> _Job:
    originals = {path.stem: path for path in list_frames(workspace.frames_dir(Side.DST))}
    stems = tuple(originals or merged)
    rate = exact_rate(fps)
    times = tuple(index / rate for index in range(len(stems)))
    return _Job(
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


def _refuse_gaps(job: _Job, workspace: Workspace, config: EncodeConfig) -> None:
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


def _masks_of(job: _Job, workspace: Workspace, messages: list[str]) -> _Job | None:
    """The job for the mask video; frames without a mask are black there."""
    found = {path.stem: path for path in list_frames(workspace.merged_mask_dir)}
    pictures = {stem: found[stem] for stem in job.stems if stem in found}
    if not pictures:
        return None
    name = job.name.replace(workspace.result_path("").name, workspace.result_mask_path("").name, 1)
    masks = _Job(
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


def _write(
    job: _Job,
    workspace: Workspace,
    config: EncodeConfig,
    progress: Progress,
    messages: list[str],
) -> EncodedVideo:
    """Encode, sign, put in place."""
    reader = VideoReader(job.video) if job.video is not None else None
    info = reader.info if reader is not None else None
    encoder = choose_encoder(
        config.codec,
        quality=config.quality,
        lossless=config.lossless,
        pixel_format=config.pixel_format,
        effort=config.effort,
        source_depth=info.bit_depth if info is not None else 8,
        variable_rate=job.timeline.is_variable,
    )
    suffix = encoder.suffix if config.container == "auto" else f".{config.container}"
    path = workspace.root / f"{job.name}{suffix}"
    unsigned = workspace.root / f".{job.name}.{uuid.uuid4().hex[:8]}.unsigned{suffix}"
    first = read_image(next(job.pictures[stem] for stem in job.stems if stem in job.pictures))
    height, width = first.shape[:2]
    with storage_errors(path):
        try:
            writer = _writer(unsigned, encoder, (width, height), job, info)
            with (
                writer,
                progress.task(f"Encoding {path.name}", total=len(job.stems), unit="frames") as task,
            ):
                frames = _frames(job, reader, (height, width))
                durations = job.timeline.durations
                for image, time, duration in zip(
                    frames, job.timeline.times, durations, strict=True
                ):
                    progress.raise_if_stopped()
                    writer.write(image, time, duration)
                    task.advance()
            sign_file(unsigned, path, title=path.name, parent=job.video)
        except (MediaError, StorageError) as error:
            # Nobody knows the temporary file's name.
            raise type(error)(str(error).replace(unsigned.name, path.name)) from error
        finally:
            unsigned.unlink(missing_ok=True)
    note = read_provenance(path)
    if note is None or note.state == "invalid":
        path.unlink()
        raise MediaError(f"{path} could not be signed and was removed; encode again.")
    messages += [text.replace(unsigned.name, path.name) for text in writer.messages]
    if reader is not None:
        messages += reader.problems
    messages += job.timeline.problems
    return EncodedVideo(
        path=path,
        kind=job.kind,
        frames=writer.n_frames,
        duration_s=float(job.timeline.end - job.timeline.times[0]),
        width=width,
        height=height,
        codec=config.codec.value,
        sound=writer.sound_fate.value,
        provenance=note.state,
        filled=len(job.missing) if job.kind == "result" else 0,
        size_bytes=path.stat().st_size,
    )


def _writer(
    path: Path, encoder: Encoder, size: tuple[int, int], job: _Job, info: VideoInfo | None
) -> VideoWriter:
    width, height = size
    times = job.timeline.times
    same_size = info is not None and (info.width, info.height) == size
    shift = Fraction(0)
    if info is not None:
        sound_starts = [track.start_s for track in info.audio if track.start_s is not None]
        keeps_offsets = "mp4" in info.container.split(",")
        shift = shift_to_zero(times[0], sound_starts, keeps_offsets=keeps_offsets)
    return VideoWriter(
        path,
        width=width,
        height=height,
        encoder=encoder,
        rate=nominal_rate(info.average_rate if info else 1 / job.timeline.time_base, times),
        time_base=job.timeline.time_base,
        color=info.color if info is not None else ColorTags(),
        sample_aspect_ratio=info.sample_aspect_ratio if info and same_size else Fraction(1),
        sound=job.video if info is not None and info.has_audio else None,
        shift=shift,
        metadata={"comment": PLAIN_NOTE},
    )


def _frames(job: _Job, reader: VideoReader | None, shape: tuple[int, int]) -> Iterator[Image]:
    """The picture of every frame in order; what is missing comes from the original or is black."""
    missing = set(job.missing)
    pictures = read_ahead([job.pictures[stem] for stem in job.stems if stem in job.pictures])
    originals = _originals(job, reader, missing, shape)
    for stem in job.stems:
        yield next(originals if stem in missing else pictures)


def _originals(
    job: _Job, reader: VideoReader | None, missing: set[str], shape: tuple[int, int]
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
