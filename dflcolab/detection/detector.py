"""Which detector looks when: the recipe for one frame."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.detection.blazeface import BlazeFace
from dflcolab.detection.detections import Detection, merge_detections
from dflcolab.detection.geometry import FloatArray
from dflcolab.detection.mesh import FaceMesh
from dflcolab.detection.yunet import YuNet

_USUAL = (320, 640)
_SMALL_FACES = 1280
_WORTH_LOOKING_CLOSER = 900  # long side above which 1280 shows more than 640 did

_QUARTER_TURNS = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180)

_LOWER_SCORE = 0.3
"""Score from which `thorough` asks the mesh about a box of either detector."""

SURE_SCORE = 0.9
"""YuNet's score from which a box is passed on without asking the mesh first."""


class FaceDetector:
    """Finds the faces of a frame; safe to call from any thread.

    YuNet looks at two scales. Boxes that it is not sure of must be confirmed by the mesh, else a
    false one would keep the others from being asked: BlazeFace, then YuNet at 1280 pixels (large
    frames).

    Args:
        mesh: The landmark network.
        small_faces: Always look at 1280 pixels too. Finds faces under 3 % of the frame, costs three
            times as much and gives more false boxes.
        rotations: Look at the frame turned by quarter turns as well. Finds people who lie beside
            others who stand, costs four times as much.
        thorough: Ask both detectors at all scales, take boxes of half the usual score to the mesh,
            and believe the mesh whatever the score. For frames in which the usual look failed and
            whose result somebody will see; three times the cost of `small_faces`.
    """

    def __init__(
        self,
        mesh: FaceMesh,
        *,
        small_faces: bool = False,
        rotations: bool = False,
        thorough: bool = False,
    ) -> None:
        self._mesh = mesh
        self._yunet = YuNet(min_score=_LOWER_SCORE) if thorough else YuNet()
        self._blazeface = BlazeFace(min_score=_LOWER_SCORE) if thorough else BlazeFace()
        self._small_faces = small_faces
        self._rotations = rotations
        self._thorough = thorough

    def detect(self, image: Image) -> list[Detection]:
        """Faces of a frame `[H, W, 3]` BGR, one detection per face, largest first."""
        found = self._detect_upright(image)
        if not self._rotations:
            return found
        height, width = image.shape[:2]
        for turn in _QUARTER_TURNS:
            turned = np.asarray(cv2.rotate(image, turn), np.uint8)
            matrix = _way_back(turn, width, height)
            seen = [item.with_mesh(turned, self._mesh) for item in self._detect_upright(turned)]
            found.extend(item.mapped(matrix) for item in seen if item.confirmed)
        return merge_detections(found)

    def _detect_upright(self, image: Image) -> list[Detection]:
        if self._thorough:
            seen = self._yunet.detect(image, (*_USUAL, _SMALL_FACES))
            seen += self._blazeface.detect(image)
            eased = [replace(item, needed_logit=min(item.needed_logit, 0.0)) for item in seen]
            return merge_detections(self._credible(image, eased))
        closer = max(image.shape[:2]) > _WORTH_LOOKING_CLOSER
        scales = (*_USUAL, _SMALL_FACES) if self._small_faces and closer else _USUAL
        seen = self._yunet.detect(image, scales)
        found = self._credible(image, seen)
        if not found or len(found) < len(seen):
            others = self._credible(image, self._blazeface.detect(image))
            found = merge_detections([*found, *others])
        if not found and closer and not self._small_faces:
            found = self._credible(image, self._yunet.detect(image, (_SMALL_FACES,)))
        return found

    def _credible(self, image: Image, seen: list[Detection]) -> list[Detection]:
        """Those of one detector's boxes that it is sure of or that the mesh confirms."""
        looked = [
            item if item.score >= SURE_SCORE else item.with_mesh(image, self._mesh) for item in seen
        ]
        return [item for item in looked if item.mesh is None or item.confirmed]


def _way_back(turn: int, width: int, height: int) -> FloatArray:
    """`[2, 3]` map from a turned copy to the frame of `width` x `height` (pixel centres)."""
    if turn == cv2.ROTATE_90_CLOCKWISE:
        rows = [[0, 1, 0], [-1, 0, height - 1]]
    elif turn == cv2.ROTATE_90_COUNTERCLOCKWISE:
        rows = [[0, -1, width - 1], [1, 0, 0]]
    else:
        rows = [[-1, 0, width - 1], [0, -1, height - 1]]
    return np.array(rows, np.float32)
