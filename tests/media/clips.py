"""Small videos made on the spot, whose frames can be told apart by what they show."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

N_BITS = 8


def numbered_frame(number: int, width: int = 96, height: int = 64) -> np.ndarray:
    """A frame that shows its number as 8 light or dark bars, over a colored lower half."""
    image = np.zeros((height, width, 3), np.uint8)
    edges = np.linspace(0, width, N_BITS + 1).astype(int)
    for bit in range(N_BITS):
        image[: height // 2, edges[bit] : edges[bit + 1]] = 210 if number >> bit & 1 else 40
    image[height // 2 :, : width // 2] = (60, 90, 200)
    image[height // 2 :, width // 2 :] = (180, 120, 50)
    return image


def number_of(image: np.ndarray) -> int:
    """The number that a frame shows."""
    height, width = image.shape[:2]
    edges = np.linspace(0, width, N_BITS + 1).astype(int)
    bars = [
        image[2 : height // 2 - 2, edges[b] + 2 : edges[b + 1] - 2].mean() for b in range(N_BITS)
    ]
    return sum(1 << bit for bit, bar in enumerate(bars) if bar > 125)


def make_video(
    path: Path,
    *,
    n_frames: int = 24,
    ticks: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 12800),
    rate: int = 25,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    audio: str | None = None,
    audio_start: Fraction = Fraction(0),
    audio_s: float = 1.0,
    audio_rate: int = 48000,
    muxer: dict[str, str] | None = None,
    prepare: Callable[[object], None] | None = None,
) -> Path:
    """A video of numbered frames, shown at the given ticks; with a tone if `audio` names a codec."""
    width, height = size
    ticks = ticks or [round(k / rate / time_base) for k in range(n_frames)]
    if options is None:
        options = {"crf": "10", "g": "8", "preset": "veryfast"} if codec == "libx264" else {}
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.codec_context.width, stream.codec_context.height = width, height
        stream.codec_context.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        if prepare is not None:
            prepare(stream)
        packets = []
        sound = container.add_stream(audio, rate=audio_rate) if audio else None
        container.start_encoding()
        for k, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(numbered_frame(k, width, height), "bgr24")
            frame = frame.reformat(format=pix_fmt, interpolation=0x44002)
            frame.pts, frame.time_base = tick, time_base
            packets += stream.encode(frame)
        packets += stream.encode(None)
        following = dict(zip(ticks, [*ticks[1:], 2 * ticks[-1] - ticks[-2]], strict=True))
        for packet in packets:
            if packet.pts in following:
                packet.duration = following[packet.pts] - packet.pts
        if sound is not None:
            packets += tone(sound, audio_rate, audio_s, audio_start)
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        for packet in packets:
            container.mux(packet)
    return path


def tone(stream, rate: int, seconds: float, start: Fraction) -> list:
    """A rising tone as encoded packets."""
    n = int(rate * seconds)
    moments = np.arange(n) / rate
    wave = (0.4 * np.sin(2 * np.pi * (300 + 200 * moments) * moments)).astype(np.float32)
    packets = []
    step = 1024
    for begin in range(0, n, step):
        part = np.stack([wave[begin : begin + step]] * 2)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = begin + round(start * rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def set_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write (a, b, c, d) in whole units into the track header of an MP4's first track."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4
    place += 40 if data[place] == 0 else 52
    a, b, c, d = (value << 16 for value in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


def sound_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """Time and content of every packet of the first sound track."""
    with av.open(str(path)) as container:
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(audio=0)
            if packet.size
        ]
