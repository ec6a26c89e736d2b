"""A clip that is over in less than a second."""

from __future__ import annotations

from pathlib import Path

import av

N_BRIEF = 21
"""Behind so many of the dst clip, no frame needs a later one to be decoded."""

N_SHOWN = 72
"""The whole clip, for pictures of a video that takes some seconds."""


def cut(clip: Path, target: Path, n_frames: int) -> None:
    """The first frames of a clip of 30 a second and their sound, as they are."""
    with av.open(str(clip)) as whole, av.open(str(target), "w") as part:
        streams = {stream: part.add_stream_from_template(stream) for stream in whole.streams}
        n_read = 0
        for packet in whole.demux():
            assert packet.time_base is not None
            pictures = packet.stream.type == "video"
            n_read += pictures
            late = packet.dts is None or float(packet.dts * packet.time_base) >= n_frames / 30
            if n_read > n_frames if pictures else late:
                continue
            packet.stream = streams[packet.stream]
            part.mux(packet)
