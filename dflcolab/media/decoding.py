# pyright: strict
"""Decoding a video from its first frame to its last, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from av.container.input import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame as AVFrame
from av.video.stream import VideoStream

from dflcolab.media.clock import Clock, clock_of
from dflcolab.media.container import opened_video

_TRIES_AFTER_READ_ERROR = 20


def decoded_frames(path: Path, problems: list[str]) -> Iterator[tuple[Fraction, AVFrame]]:
    """All frames that decode, in order of presentation, each with its time.

    Decodes with all cores. On the first error it starts over with one core and skips what it has
    given already: so the frames of a damaged file are the same each time.

    Args:
        path: The video.
        problems: Gets one sentence per kind of trouble.

    Raises:
        MediaError: Not a video.
    """
    n_given = 0
    try:
        with opened_video(path) as (container, stream):
            clock = clock_of(stream)
            for packet in container.demux(stream):
                for frame in packet.decode():
                    yield clock.time_of(frame.pts), frame
                    n_given += 1
            _note_times(clock, path, problems)
            return
    except EndOfFile:
        return
    except FFmpegError:
        pass
    with opened_video(path, threads=False) as (container, stream):
        clock = clock_of(stream)
        damage = _Damage()
        for index, frame in enumerate(_patiently(container, stream, damage)):
            time = clock.time_of(frame.pts)
            if index >= n_given:
                yield time, frame
        _note_times(clock, path, problems)
        damage.note(path, problems)


class _Damage:
    """Counts what could not be read or decoded."""

    def __init__(self) -> None:
        self.n_packets = 0
        self.n_reads = 0
        self.first: Fraction | None = None

    def packet(self, packet: Packet[VideoStream]) -> None:
        self.n_packets += 1
        if self.first is None and packet.pts is not None:
            self.first = packet.pts * packet.time_base

    def note(self, path: Path, problems: list[str]) -> None:
        if self.n_packets:
            where = f" (the first near {float(self.first):.1f} s)" if self.first is not None else ""
            problems.append(
                f"{path.name} is damaged: {self.n_packets} of its pieces could not be decoded{where}; "
                "everything else is used."
            )
        if self.n_reads:
            problems.append(f"{path.name} could not be read to its end; what came before is used.")


def _patiently(
    container: InputContainer, stream: VideoStream, damage: _Damage
) -> Iterator[AVFrame]:
    """Frames of a damaged file: errors are counted and passed over."""
    for packet in _packets(container, stream, damage):
        try:
            frames = packet.decode()
        except EndOfFile:
            return
        except FFmpegError:
            damage.packet(packet)
            continue
        yield from frames


def _packets(
    container: InputContainer, stream: VideoStream, damage: _Damage
) -> Iterator[Packet[VideoStream]]:
    """Packets up to the real end; reading goes on behind a broken place."""
    for _ in range(_TRIES_AFTER_READ_ERROR):
        try:
            yield from container.demux(stream)
        except FFmpegError:
            damage.n_reads += 1
        else:
            return


def _note_times(clock: Clock, path: Path, problems: list[str]) -> None:
    if clock.n_jumps:
        problems.append(
            f"The times in {path.name} jump back {clock.n_jumps} times; "
            "the parts are shown one after the other."
        )
    if clock.n_guessed:
        problems.append(
            f"{clock.n_guessed} frames of {path.name} state no usable time; "
            "theirs is derived from the frame before."
        )
