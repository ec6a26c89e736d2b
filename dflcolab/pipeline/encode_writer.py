# pyright: strict
"""How a video of `encode` follows the dst video: depth, rate, colors, sound and times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from dflcolab.media.color import ColorTags
from dflcolab.media.encoders import Encoder
from dflcolab.media.hdr import carries_hdr, with_hdr
from dflcolab.media.probe import VideoInfo
from dflcolab.media.provenance import PLAIN_NOTE
from dflcolab.media.video_writer import VideoWriter, nominal_rate, shift_to_zero
from dflcolab.pipeline.encode_jobs import Job

METADATA = {"comment": PLAIN_NOTE}
"""Plain tags of every video."""


def source_depth(info: VideoInfo | None) -> int:
    """Bits a value of the dst video; pictures have eight."""
    return info.bit_depth if info is not None else 8


def keeps_depth(job: Job, encoder: Encoder, info: VideoInfo | None) -> bool:
    """Whether the encoder takes the fine values of the dst video."""
    return job.kind in ("result", "foreground") and min(source_depth(info), encoder.bit_depth) > 8


def with_source_hdr(encoder: Encoder, job: Job, info: VideoInfo | None) -> Encoder:
    """The encoder, carrying HDR's static metadata of the dst video over where it can."""
    if info is None or info.hdr is None or job.kind != "result" or not carries_hdr(encoder):
        return encoder
    return with_hdr(encoder, info.hdr)


def lost_of_source(job: Job, name: str, encoder: Encoder, info: VideoInfo | None) -> list[str]:
    """What a result lacks of its dst video, one sentence each.

    Args:
        job: The result; other kinds are not meant to be like the dst video.
        name: Of its file.
        encoder: What encodes it.
        info: Of the dst video; None where dst is pictures.
    """
    if info is None or job.kind != "result":
        return []
    found: list[str] = []
    if info.bit_depth > 8 and encoder.bit_depth == 8:
        found.append(
            f"{name} has eight bits a value, the dst video {info.bit_depth}: fine steps of color are lost; "
            "leave codec and pixel_format at auto, and lossless out, to keep ten."
        )
    if info.hdr is not None and not carries_hdr(encoder):
        found.append(
            f"{name} does not say how bright the dst video gets (HDR's static metadata); leave codec "
            "at auto to carry that over."
        )
    return found


def writer_for(
    path: Path, encoder: Encoder, size: tuple[int, int], job: Job, info: VideoInfo | None
) -> VideoWriter:
    """Writes the video of a job.

    Args:
        path: Where to.
        encoder: Encodes the pictures.
        size: Their width and height.
        job: What is written.
        info: Of the dst video; None where dst is pictures.
    """
    width, height = size
    times = job.timeline.times
    same_size = info is not None and info.width * height == info.height * width
    return VideoWriter(
        path,
        width=width,
        height=height,
        encoder=encoder,
        rate=nominal_rate(info.average_rate if info else 1 / job.timeline.time_base, times),
        time_base=job.timeline.time_base,
        color=info.color if info is not None else ColorTags(),
        sample_aspect_ratio=info.sample_aspect_ratio if info and same_size else Fraction(1),
        sound=sound_of(job, info),
        shift=shift_of(job, info),
        metadata=METADATA,
    )


def sound_of(job: Job, info: VideoInfo | None) -> Path | None:
    """Where the sound of a job comes from."""
    return job.video if info is not None and info.has_audio and job.sound else None


def shift_of(job: Job, info: VideoInfo | None) -> Fraction:
    """Seconds added to all times of a job."""
    if info is None or not job.sound:
        return Fraction(0)
    sound_starts = [track.start_s for track in info.audio if track.start_s is not None]
    keeps_offsets = "mp4" in info.container.split(",")
    return shift_to_zero(job.timeline.times[0], sound_starts, keeps_offsets=keeps_offsets)
