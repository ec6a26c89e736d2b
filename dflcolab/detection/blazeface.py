"""BlazeFace (the full-range "back camera" model): the fallback for dark pictures and rolled heads.

Less exact than YuNet on small faces, but it finds heads that lie on the side and faces that are
nearly dark. Input 256 x 256 RGB in -1..1, 896 anchors: a 16 x 16 grid (stride 16) with two anchors
per cell, then an 8 x 8 grid (stride 32) with six. Boxes and points are offsets from the anchor's
centre in input pixels.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.detection.detections import Detection, merge_detections
from dflcolab.detection.geometry import FloatArray
from dflcolab.detection.litert import LiteModel
from dflcolab.detection.models import BLAZEFACE

MIN_SCORE = 0.5
NEEDED_LOGITS = ((0.5, 0.7, 0.9), (10.0, 5.0, 2.0))
"""Scores, and the presence of the mesh that a box of such a score needs; linear in between."""

INPUT_SIZE = 256
_GRIDS = ((16, 2), (32, 6))  # (stride in pixels, anchors per cell)


class BlazeFace:
    """The fallback detector; safe to call from any thread.

    Args:
        min_score: Boxes below are dropped, 0..1.
    """

    def __init__(self, *, min_score: float = MIN_SCORE) -> None:
        self._min_score = min_score
        self._model = LiteModel(BLAZEFACE)

    def detect(self, image: Image) -> list[Detection]:
        """Faces of a frame `[H, W, 3]` BGR, one detection per face, largest first."""
        height, width = image.shape[:2]
        scale = INPUT_SIZE / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        shrink = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR
        square = np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8)
        square[: size[1], : size[0]] = cv2.resize(image, size, interpolation=shrink)
        batch = square[np.newaxis, :, :, ::-1].astype(np.float32) / 127.5 - 1.0
        regressors, logits = self._model(batch)
        back = np.array([width / size[0], height / size[1]], np.float32)
        return merge_detections(decode(regressors[0], logits[0, :, 0], self._min_score, back))


@functools.cache
def anchors() -> FloatArray:
    """Anchor centres in input pixels, `[896, 2]`, x then y."""
    rows: list[FloatArray] = []
    for stride, per_cell in _GRIDS:
        cells = INPUT_SIZE // stride
        y, x = np.mgrid[0:cells, 0:cells]
        centres = np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5
        rows.append(np.repeat(centres * stride, per_cell, axis=0).astype(np.float32))
    return np.concatenate(rows)


def decode(
    regressors: FloatArray, logits: FloatArray, min_score: float, back: FloatArray
) -> list[Detection]:
    """Turn the network's outputs into detections.

    Args:
        regressors: `[896, 16]`: centre x, y, width, height, then six points (right eye, left eye,
            nose, mouth, right ear, left ear), in input pixels relative to the anchor.
        logits: `[896]`, before the sigmoid.
        min_score: Smallest score kept, 0..1.
        back: `[2]`, frame pixels per input pixel in x and y.
    """
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -50.0, 50.0)))
    found: list[Detection] = []
    for index in np.flatnonzero(scores >= min_score):
        anchor = anchors()[index]
        row = regressors[index]
        centre, half = row[:2] + anchor, row[2:4] / 2
        points = (row[4:16].reshape(6, 2) + anchor) * back
        found.append(
            Detection(
                box=np.concatenate([(centre - half) * back, (centre + half) * back]),
                score=float(scores[index]),
                right_eye=points[0],
                left_eye=points[1],
                mouth=points[3],
                needed_logit=float(np.interp(scores[index], *NEEDED_LOGITS)),
            )
        )
    return found
