"""YuNet, the main detector, through OpenCV.

It sees faces between roughly 10 and 300 pixels well. One pass at 320 pixels catches the large
ones (and those in bad light), one at 640 the rest; 1280 adds faces under 3 % of the frame.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.detection.detections import Detection, merge_detections
from dflcolab.detection.models import YUNET, model_bytes

MIN_SCORE = 0.6
"""Score under which a box is no face (measured: 99 % recall at 12 false boxes per 529 faces)."""

NEEDED_LOGITS = ((0.6, 0.8, 0.85, 0.9), (12.0, 4.0, 0.0, -8.0))
"""Scores, and the presence of the mesh that a box of such a score needs; linear in between.

The mesh was taught on faces from the front: on profiles its presence falls below 0 while its points
still sit well, and there a sure detector outvotes it. In return a weak detection needs a mesh that
is very sure. Chosen on 25 pictures: hidden heads and false boxes lie under the line by 5 or more.
"""

_NMS_OVERLAP = 0.3
_MAX_CANDIDATES = 5000
_LOG_LEVEL_ERROR = 2
_BUILDING = threading.Lock()


class YuNet:
    """The detector at several scales; safe to call from any thread.

    Args:
        min_score: Boxes below are dropped, 0..1.
    """

    def __init__(self, *, min_score: float = MIN_SCORE) -> None:
        self._min_score = min_score
        self._local = threading.local()

    def detect(self, image: Image, long_sides: Sequence[int]) -> list[Detection]:
        """Faces of a frame.

        Args:
            image: `[H, W, 3]` BGR.
            long_sides: Lengths in pixels to which the longer side is brought before a pass; the
                results of all passes are merged.

        Returns:
            One detection per face, largest first.
        """
        found: list[Detection] = []
        for long_side in long_sides:
            found.extend(self._detect_at(image, long_side))
        return merge_detections(found)

    def _detect_at(self, image: Image, long_side: int) -> list[Detection]:
        height, width = image.shape[:2]
        scale = long_side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrink = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR
        small = cv2.resize(image, size, interpolation=shrink)
        _, rows = self._network(long_side, size).detect(small)
        if rows is None:
            return []
        back = np.array([width / size[0], height / size[1]], np.float32)
        return [_detection(row, back) for row in np.asarray(rows, np.float32)]

    def _network(self, slot: int, size: tuple[int, int]) -> Any:
        """The network of this thread for one scale (each keeps buffers of its input size)."""
        networks: dict[int, Any] = self._local.__dict__.setdefault("networks", {})
        sizes: dict[int, tuple[int, int]] = self._local.__dict__.setdefault("sizes", {})
        if slot not in networks:
            networks[slot] = _build(size, self._min_score)
            sizes[slot] = size
        if sizes[slot] != size:
            networks[slot].setInputSize(size)
            sizes[slot] = size
        return networks[slot]


def _build(size: tuple[int, int], min_score: float) -> Any:
    content = np.frombuffer(model_bytes(YUNET), np.uint8)
    factory: Any = cv2.FaceDetectorYN
    with _BUILDING, _errors_only():
        return factory.create(
            "onnx", content, np.empty(0, np.uint8), size, min_score, _NMS_OVERLAP, _MAX_CANDIDATES
        )


@contextmanager
def _errors_only() -> Iterator[None]:
    """OpenCV 5 warns at every construction that its new engine ignores targets; nobody asked."""
    # OpenCV 4 has the two functions at the top, OpenCV 5 in a module of their own.
    logging: Any = getattr(cv2.utils, "logging", cv2)
    level = logging.getLogLevel()
    logging.setLogLevel(_LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        logging.setLogLevel(level)


def _detection(row: np.ndarray, back: np.ndarray) -> Detection:
    """Row: x, y, w, h; right eye, left eye, nose, right and left mouth corner; score."""
    points = row[4:14].reshape(5, 2) * back
    corner = row[:2] * back
    return Detection(
        box=np.concatenate([corner, corner + row[2:4] * back]),
        score=float(row[14]),
        right_eye=points[0],
        left_eye=points[1],
        mouth=(points[3] + points[4]) / 2,
        needed_logit=float(np.interp(row[14], *NEEDED_LOGITS)),
    )
