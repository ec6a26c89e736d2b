# pyright: strict
"""`encode`: merged frames and the dst video's sound become the result, signed as the last step."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dflcolab.errors import MediaError, StorageError
from dflcolab.files import storage_errors
from dflcolab.media.color import ColorTags
from dflcolab.media.config import EncodeConfig
from dflcolab.media.encoders import Encoder, choose_encoder
from dflcolab.media.frame_sequence import read_image
from dflcolab.media.probe import VideoInfo
from dflcolab.media.provenance import PLAIN_NOTE, read_provenance, sign_file
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter, nominal_rate, shift_to_zero
from dflcolab.pipeline.encode_jobs import Job, encode_jobs, job_frames, mask_job
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace, require_rights


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
    for left_over in workspace.root.glob(".result*.unsigned.*"):
        left_over.unlink(missing_ok=True)  # of a run that was killed
    messages: list[str] = []
    videos: list[EncodedVideo] = []
    for job in encode_jobs(workspace, config, messages):
        videos.append(_write(job, workspace, config, progress, messages))
        masks = mask_job(job, workspace, messages) if config.mask else None
        if masks is not None:
            videos.append(_write(masks, workspace, config, progress, messages))
    return EncodeReport(tuple(videos), tuple(dict.fromkeys(messages)))


def _write(
    job: Job,
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
                frames = job_frames(job, reader, (height, width))
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
    path: Path, encoder: Encoder, size: tuple[int, int], job: Job, info: VideoInfo | None
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
