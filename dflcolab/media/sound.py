# pyright: strict
# pyright: reportUnknownMemberType=false
# PyAV's own annotations leave gaps.
"""The sound of a video, carried over to another: bit for bit where the container takes it."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.container.output import OutputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.packet import Packet

from dflcolab.errors import MediaError
from dflcolab.media.container import has_decoder, open_container

_AAC_BITS_PER_SECOND_AND_CHANNEL = 128_000


class SoundFate(enum.StrEnum):
    """What became of the sound."""

    NONE = "none"
    COPIED = "copied"
    REENCODED = "re-encoded"


@dataclass
class _Track:
    source: AudioStream
    target: AudioStream
    copied: bool
    next_ticks: int | None = None


class SoundCarrier:
    """Feeds the sound tracks of one file into another container, in step with its pictures.

    Args:
        source: File whose sound is wanted.
        container: Container being written; its tracks must be added before anything is written.
        shift: Seconds added to every time.

    Attributes:
        fate: What became of the sound.
        messages: What the user should know, one sentence each.
    """

    def __init__(self, source: Path, container: OutputContainer, *, shift: Fraction) -> None:
        self.fate = SoundFate.NONE
        self.messages: list[str] = []
        self._name = source.name
        self._shift = shift
        self._output = container
        self._input: InputContainer = open_container(source)
        self._tracks: dict[int, _Track] = {}
        for stream in self._input.streams.audio:
            self._add(stream)
        self._packets = self._demuxed()
        self._waiting: Packet[AudioStream] | None = None

    def _add(self, stream: AudioStream) -> None:
        if not has_decoder(stream):
            self.messages.append(
                f"A sound track of {self._name} has an unknown format and was left out."
            )
            return
        codec = stream.codec_context.codec.canonical_name
        try:
            target = self._output.add_stream_from_template(stream)
            copied = True
        except (ValueError, FFmpegError):
            target = self._add_aac(stream)
            copied = False
            self.messages.append(
                f"The sound of {self._name} ({codec}) does not fit into this kind of file; "
                "it was converted to AAC."
            )
            self.fate = SoundFate.REENCODED
        if self.fate is SoundFate.NONE:
            self.fate = SoundFate.COPIED
        language = stream.language
        if language:
            target.metadata["language"] = language
        self._tracks[stream.index] = _Track(stream, target, copied)

    def _add_aac(self, stream: AudioStream) -> AudioStream:
        context = stream.codec_context
        target = self._output.add_stream("aac", rate=context.sample_rate)
        target.codec_context.layout = context.layout
        target.codec_context.bit_rate = (
            _AAC_BITS_PER_SECOND_AND_CHANNEL * context.layout.nb_channels
        )
        return target

    def _demuxed(self) -> Iterator[Packet[AudioStream]]:
        streams = [track.source for track in self._tracks.values()]
        if not streams:
            return
        try:
            for packet in self._input.demux(streams):
                yield cast("Packet[AudioStream]", packet)
        except FFmpegError:
            self.messages.append(
                f"The sound of {self._name} is damaged; it was used up to the damaged place."
            )

    def feed(self, until: Fraction | None = None) -> None:
        """Write all sound that begins before `until` (source time in seconds); None = all."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            if until is not None and _time(packet) > until:
                self._waiting = packet
                return
            self._write(packet)

    def finish(self) -> None:
        """Write what is left and close the source."""
        self.feed()
        for track in self._tracks.values():
            if not track.copied:
                self._output.mux(track.target.encode(None))
        self.close()

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _write(self, packet: Packet[AudioStream]) -> None:
        track = self._tracks[packet.stream.index]
        if track.copied:
            if packet.size:
                self._copy(packet, track)
            return
        try:
            frames = packet.decode()
        except EndOfFile:
            return
        except FFmpegError:
            self._note_damage()
            return
        for frame in cast("list[Any]", frames):
            if frame.pts is not None:
                frame.pts += round(self._shift / frame.time_base)
            self._output.mux(track.target.encode(frame))

    def _copy(self, packet: Packet[AudioStream], track: _Track) -> None:
        """Pass a packet on with its time; one that states none follows its predecessor."""
        shift = round(self._shift / packet.time_base)
        stated = packet.pts if packet.pts is not None else packet.dts
        ticks = stated + shift if stated is not None else track.next_ticks or shift
        track.next_ticks = ticks + (packet.duration or 0)
        packet.pts = packet.dts = ticks
        packet.stream = track.target
        try:
            self._output.mux(packet)
        except FFmpegError as error:
            if isinstance(error, OSError):  # the disk, not the sound
                raise
            raise MediaError(
                f"The sound of {self._name} cannot be copied ({error.strerror}); "
                "convert the video's sound to AAC first."
            ) from error

    def _note_damage(self) -> None:
        text = f"Parts of the sound of {self._name} are damaged and were left out."
        if text not in self.messages:
            self.messages.append(text)


def _time(packet: Packet[AudioStream]) -> Fraction:
    ticks = packet.dts if packet.dts is not None else packet.pts
    # What states no time (also the flush at the end) goes out with its neighbours.
    return Fraction(-(10**9)) if ticks is None else ticks * packet.time_base
