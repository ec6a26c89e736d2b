# pyright: strict
# pyright: reportUnknownMemberType=false
# PyAV's own annotations leave gaps.
"""Several encoded videos as one, their packets copied as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from av.container.output import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from dflcolab.errors import MediaError
from dflcolab.media.container import opened_video
from dflcolab.media.sound import SoundFate
from dflcolab.media.timeline import Timeline
from dflcolab.media.video_mux import VideoMux


@dataclass(frozen=True)
class _Part:
    """One of the videos: what a reader must know, and the order of its packets.

    Attributes:
        path: The file.
        head: The head that decoders start with, and the size.
        order: Place of each packet's picture among the pictures, packets as they are decoded.
    """

    path: Path
    head: tuple[bytes, int, int]
    order: list[int]


def join_videos(
    path: Path,
    parts: Sequence[Path],
    timeline: Timeline,
    *,
    sound: Path | None = None,
    shift: Fraction = Fraction(0),
    metadata: Mapping[str, str] | None = None,
    tag: str | None = None,
) -> tuple[SoundFate, list[str]]:
    """Write one video with the pictures of all parts, and the sound of another file.

    Nothing is encoded again. The pictures get the times given here, whatever times they have in the
    parts; only their order counts.

    Args:
        path: Where to; ".mp4" or ".mov".
        parts: Videos of one encoder with the same settings, in order; each begins with a key frame.
        timeline: When each picture is shown.
        sound: A file whose sound tracks are carried over, in sync with the given times.
        shift: Seconds added to all times, of pictures and sound.
        metadata: Plain tags of the file, such as `comment`.
        tag: Four-letter code of the pictures, where the default is not understood everywhere.

    Returns:
        What became of the sound, and what the user should know.

    Raises:
        MediaError: A part is no video, the parts do not fit together, or they hold another number of
            pictures than the timeline.
        StorageError: Disk full, read-only or gone.
    """
    found = [_looked_at(part) for part in parts]
    for part in found[1:]:
        if part.head != found[0].head:
            raise MediaError(
                f"{part.path} and {found[0].path.name} were encoded in different ways and cannot be joined; "
                f"delete {part.path.parent} and run again."
            )
    places: list[int] = []
    for part in found:
        places += [len(places) + place for place in part.order]
    if len(places) != len(timeline.times):
        raise MediaError(
            f"The parts of {path.name} hold {len(places)} pictures instead of {len(timeline.times)}; "
            f"delete {parts[0].parent} and run again."
        )
    base = timeline.time_base
    ticks = [round((timeline.times[place] + shift) / base) for place in places]
    durations = timeline.durations

    def add_video(container: OutputContainer) -> VideoStream:
        with opened_video(parts[0]) as (_, template):
            # opaque: by the codec that reads it, as not every one that writes is here.
            stream = container.add_stream_from_template(template, opaque=True)
            stream.time_base = base
            context = cast(Any, stream.codec_context)
            context.sample_aspect_ratio = template.sample_aspect_ratio or Fraction(1)
            if tag is not None:
                context.codec_tag = tag
            return stream

    with VideoMux(path, time_base=base, sound=sound, shift=shift, metadata=metadata) as mux:
        mux.add_tracks(add_video)
        mux.start()
        rows = zip(_packets(parts), places, ticks, decoding_ticks(ticks), strict=True)
        for packet, place, shown, decoded in rows:
            mux.feed_sound(timeline.times[place])
            mux.expect(shown, durations[place])
            packet.stream = mux.stream
            packet.time_base = base
            packet.pts, packet.dts = shown, decoded
            mux.add([packet])
        mux.finish()
    return mux.sound_fate, mux.messages


def decoding_ticks(shown: Sequence[int]) -> list[int]:
    """When each packet is decoded: rising, and never behind the time when it is shown.

    Args:
        shown: Time at which each picture is shown, in ticks, packets in order of decoding; all
            different.

    Returns:
        The sorted times, as many places earlier as the latest packet asks for; those before the
        first picture are at the distance of the first two.
    """
    rising = sorted(shown)
    rank = {ticks: place for place, ticks in enumerate(rising)}
    delay = max((place - rank[ticks] for place, ticks in enumerate(shown)), default=0)
    step = rising[1] - rising[0] if len(rising) > 1 else 1
    early = [rising[0] - step * k for k in range(delay, 0, -1)]
    return [*early, *rising][: len(rising)]


def _looked_at(path: Path) -> _Part:
    with opened_video(path) as (container, stream):
        context = cast(Any, stream.codec_context)
        head = (bytes(context.extradata or b""), int(context.width), int(context.height))
        try:
            shown = [cast(int, packet.pts) for packet in container.demux(stream) if packet.size]
        except FFmpegError as error:
            raise MediaError(f"{path} is damaged; delete it and run again.") from error
    rank = {ticks: place for place, ticks in enumerate(sorted(shown))}
    return _Part(path, head, [rank[ticks] for ticks in shown])


def _packets(parts: Sequence[Path]) -> Iterator[Packet[VideoStream]]:
    for path in parts:
        with opened_video(path) as (container, stream):
            for packet in container.demux(stream):
                if packet.size:
                    yield packet
