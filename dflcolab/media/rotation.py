# pyright: strict
"""The display matrix: how a camera asks for its frames to be turned before they are shown."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame as AVFrame

P = TypeVar("P", bound=np.generic)


@dataclass(frozen=True)
class Orientation:
    """Turn clockwise by this angle, then mirror left-right if asked to.

    Attributes:
        clockwise: 0, 90, 180 or 270 degrees.
        mirrored: Mirror left-right after turning.
    """

    clockwise: int = 0
    mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.clockwise % 180 == 90

    def apply(self, image: npt.NDArray[P]) -> npt.NDArray[P]:
        """The picture of any depth as it is meant to be seen; the same object if nothing is to be done."""
        if self.clockwise:
            image = np.rot90(image, -self.clockwise // 90)
        if self.mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)


def orientation_of(frame: AVFrame) -> Orientation:
    """What the display matrix of a decoded frame asks for; turned to the nearest quarter.

    The matrix holds 3 × 3 numbers in fixed point: a point (x, y) of the frame is shown at
    (a·x + c·y, b·x + d·y), y pointing down (ISO/IEC 14496-12, track header).
    """
    data = side_data_bytes(frame, "DISPLAYMATRIX")
    if data is None or len(data) < 36:
        return Orientation()
    a, b, _, c, d = struct.unpack("=9i", data[:36])[:5]
    if not (a or b or c or d):
        return Orientation()
    mirrored = a * d - b * c < 0
    if mirrored:  # undo the final left-right mirror: it changed the sign of the new x
        a, c = -a, -c
    angle = round(float(np.degrees(np.arctan2(b, a))) / 90) * 90 % 360
    return Orientation(angle, mirrored)


def side_data_bytes(frame: AVFrame, kind: str) -> bytes | None:
    """What a decoded frame carries beside its picture; None if it has nothing of that kind.

    Args:
        frame: From the decoder.
        kind: FFmpeg's name, such as DISPLAYMATRIX.
    """
    # Looked up one by one: asking the collection by name fails on some frames.
    side_data = cast(Any, frame.side_data)
    for index in range(len(side_data)):
        entry = side_data[index]
        if str(entry.type).endswith(kind):
            return bytes(entry)
    return None
