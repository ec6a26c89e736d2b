# pyright: strict
"""One video of `encode`: its pictures encoded, signed and put in place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import MediaError
from dflcolab.files import storage_errors, write_bytes
from dflcolab.media.certificate import Identity
from dflcolab.media.config import Comparison, EncodeConfig, VideoCodec
from dflcolab.media.encoders import (
    Encoder,
    alpha_encoder,
    choose_encoder,
    mask_encoder,
    settled_codec,
)
from dflcolab.media.gif import gif_bytes
from dflcolab.media.hardware import hardware_encoder
from dflcolab.media.joined_video import join_videos
from dflcolab.media.label import Label
from dflcolab.media.probe import VideoInfo, probe
from dflcolab.media.provenance import PLAIN_NOTE
from dflcolab.media.signed_file import signed_when_done
from dflcolab.media.video_reader import VideoReader
from dflcolab.media.video_writer import VideoWriter
from dflcolab.pipeline.encode_frames import (
    Picture,
    Shape,
    comparison_frames,
    foreground_frames,
    labeled,
    merged_shape,
    result_frames,
    scaled,
)
from dflcolab.pipeline.encode_jobs import Job, thinned
from dflcolab.pipeline.encode_writer import (
    METADATA,
    keeps_depth,
    lost_of_source,
    shift_of,
    sound_of,
    source_depth,
    with_source_hdr,
    writer_for,
)
from dflcolab.progress import Progress
from dflcolab.workspace.workspace import Workspace

_OWN_ENCODER = ("foreground", "clip")
"""Kinds whose encoder is not the user's choice."""


@dataclass(frozen=True, kw_only=True)
class EncodedVideo:
    """One video that was written.

    Attributes:
        path: The file.
        kind: "result", "mask", "comparison", "clip" or "foreground".
        frames: Number of frames.
        duration_s: Length of the pictures in seconds.
        width: Width in pixels.
        height: Height in pixels.
        codec: Codec of the pictures.
        sound: "copied", "re-encoded" or "none".
        bit_depth: Bits a value of the pictures.
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
    bit_depth: int
    provenance: str
    filled: int
    size_bytes: int

    def summary(self) -> str:
        """What was written, in one sentence."""
        return (
            f"Wrote {self.path} ({self.frames} frames, {self.duration_s:.2f} s, "
            f"{self.width}x{self.height}, {self.codec}, sound {self.sound}, signed)."
        )


class VideoMaker:
    """Makes the videos of one run of `encode`.

    Args:
        workspace: Where they go.
        config: How they are written.
        progress: Shown, and asked for a wish to stop.
        messages: Gets what the user should know.
        identity: Certificate to sign with; None = this machine's.
    """

    def __init__(
        self,
        workspace: Workspace,
        config: EncodeConfig,
        progress: Progress,
        messages: list[str],
        identity: Identity | None,
    ) -> None:
        self._workspace = workspace
        self._config = config
        self._progress = progress
        self.messages = messages
        self._identity = identity

    def make(self, job: Job) -> EncodedVideo:
        """One video, by the graphics card if that is wanted and works.

        Raises:
            MediaError: A merged frame is damaged or has another size, or the encoder is missing.
            StorageError: The disk is full; an earlier file stays.
            Interrupted: Asked to stop; an earlier file stays.
        """
        reader = reader_of(job)
        info = _info_of(reader)
        encoder = self._hardware(job, info)
        if encoder is not None:
            try:
                return self._written(job, reader, encoder)
            except MediaError as error:
                self.messages.append(
                    f"The graphics card did not encode {job.name} ({error}); the processor did."
                )
        return self._written(job, reader, self._encoder(job, info))

    def encoder(self, job: Job, info: VideoInfo) -> Encoder:
        """What encodes the parts of a job: the graphics card if that is wanted and works."""
        return self._hardware(job, info) or self._encoder(job, info)

    def _codec(self, job: Job, depth: int) -> VideoCodec:
        """What the pictures of a job are compressed with."""
        if job.kind == "foreground":
            return VideoCodec.PRORES
        if job.kind == "clip":
            return VideoCodec.H264
        return settled_codec(self._config.codec, lossless=self._config.lossless, source_depth=depth)

    def _encoder(self, job: Job, info: VideoInfo | None) -> Encoder:
        config = self._config
        depth = source_depth(info)
        if job.kind == "foreground":
            return alpha_encoder()
        if job.kind == "clip":
            return choose_encoder(VideoCodec.H264, variable_rate=job.timeline.is_variable)
        encoder = choose_encoder(
            self._codec(job, depth),
            quality=config.quality,
            lossless=config.lossless,
            pixel_format=config.pixel_format,
            effort=config.effort,
            source_depth=depth,
            variable_rate=job.timeline.is_variable,
        )
        if job.kind == "mask":
            return mask_encoder(encoder)
        return with_source_hdr(encoder, job, info)

    def _hardware(self, job: Job, info: VideoInfo | None) -> Encoder | None:
        """The graphics card's encoder, if it is wanted for this job and works."""
        if not self._config.hardware or job.kind in _OWN_ENCODER:
            return None
        depth = source_depth(info)
        codec = self._codec(job, depth)
        found = hardware_encoder(codec, quality=self._config.quality, source_depth=depth)
        if found is None:
            self.messages.append(
                f"No graphics card here encodes {codec.value}; the processor did it."
            )
        return found

    def _frames(
        self, job: Job, reader: VideoReader | None, shape: Shape, *, deep: bool
    ) -> tuple[Iterator[Picture], Shape]:
        """The pictures of a job, and their size."""
        config = self._config
        height, width = shape
        if job.kind == "foreground":
            return foreground_frames(job, reader, shape, deep=deep), shape
        frames: Iterator[Picture]
        if job.kind == "comparison":
            how = config.comparison or Comparison.SIDE_BY_SIDE
            frames = comparison_frames(job, reader, shape, how)
            if how is Comparison.SIDE_BY_SIDE:
                width *= 2
        else:
            frames = result_frames(job, reader, shape, deep=deep)
        if config.label and job.kind != "mask":
            frames = labeled(frames, Label(config.label, width, height))
        if job.kind == "clip":
            goal = min(config.clip_width, width) // 2 * 2
            height = max(2, round(height * goal / width / 2) * 2)
            return scaled(frames, (height, goal)), (height, goal)
        return frames, (height, width)

    def _written(self, job: Job, reader: VideoReader | None, encoder: Encoder) -> EncodedVideo:
        """Encode, sign, put in place."""
        config, workspace = self._config, self._workspace
        info = _info_of(reader)
        suffix = encoder.suffix
        if config.container != "auto" and job.kind not in _OWN_ENCODER:
            suffix = f".{config.container}"
        is_gif = job.kind == "clip" and config.clip == "gif"
        if is_gif:
            suffix = ".gif"
        path = workspace.root / f"{job.name}{suffix}"
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with signed_when_done(
                path, title=path.name, parent=job.video, identity=self._identity
            ) as file:
                if job.parts:
                    sound, (height, width) = self._join(file.unsigned, job, info, encoder)
                else:
                    sound, (height, width) = self._draw(
                        file.unsigned, job, reader, encoder, path.name
                    )
        if reader is not None:
            self.messages += reader.problems
        self.messages += job.timeline.problems
        self.messages += lost_of_source(job, path.name, encoder, info)
        return EncodedVideo(
            path=path,
            kind=job.kind,
            frames=len(thinned(job.timeline)) if is_gif else len(job.stems),
            duration_s=float(job.timeline.end - job.timeline.times[0]),
            width=width,
            height=height,
            codec="gif" if is_gif else self._codec(job, source_depth(info)).value,
            sound=sound,
            bit_depth=encoder.bit_depth,
            provenance=file.state,
            filled=len(job.missing) if job.kind == "result" else 0,
            size_bytes=path.stat().st_size,
        )

    def _draw(
        self, file: Path, job: Job, reader: VideoReader | None, encoder: Encoder, name: str
    ) -> tuple[str, Shape]:
        """Encode the pictures of a job; what became of the sound, and their size."""
        info = _info_of(reader)
        shape = merged_shape(job)
        same_size = info is not None and (info.height, info.width) == shape
        deep = same_size and keeps_depth(job, encoder, info)
        frames, (height, width) = self._frames(job, reader, shape, deep=deep)
        if file.suffix == ".gif":
            return self._write_gif(file, job, frames), (height, width)
        writer = writer_for(file, encoder, (width, height), job, info)
        sound = self._write_video(writer, job, frames, name)
        self.messages += [text.replace(file.name, name) for text in writer.messages]
        return sound, (height, width)

    def _join(
        self, file: Path, job: Job, info: VideoInfo | None, encoder: Encoder
    ) -> tuple[str, Shape]:
        """Put the parts of a job together; what became of the sound, and the size."""
        fate, messages = join_videos(
            file,
            job.parts,
            job.timeline,
            sound=sound_of(job, info),
            shift=shift_of(job, info),
            metadata=METADATA,
            tag=encoder.tag,
        )
        self.messages += messages
        part = probe(job.parts[0])
        return fate.value, (part.height, part.width)

    def _write_video(
        self, writer: VideoWriter, job: Job, frames: Iterator[Picture], name: str
    ) -> str:
        """Give all frames to the writer; what became of the sound."""
        total = len(job.stems)
        with (
            writer,
            self._progress.task(f"Encoding {name}", total=total, unit="frames") as task,
        ):
            for image, time, duration in zip(
                frames, job.timeline.times, job.timeline.durations, strict=True
            ):
                self._progress.raise_if_stopped()
                writer.write(image, time, duration)
                task.advance()
        return writer.sound_fate.value

    def _write_gif(self, path: Path, job: Job, frames: Iterator[Picture]) -> str:
        shown = thinned(job.timeline)
        chosen = set(shown)
        times = [job.timeline.times[i] for i in shown]
        images = [image for i, image in enumerate(frames) if i in chosen]
        write_bytes(path, gif_bytes(images, times, job.timeline.end, PLAIN_NOTE), durable=False)
        return "none"


def reader_of(job: Job) -> VideoReader | None:
    """Of the job's dst video; None where dst is pictures."""
    return VideoReader(job.video) if job.video is not None else None


def _info_of(reader: VideoReader | None) -> VideoInfo | None:
    return reader.info if reader is not None else None
