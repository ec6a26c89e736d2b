"""The face mesh: 478 points on a face, and how sure the network is that there is one.

The network wants an upright face in the middle of a 256 x 256 picture. A first pass on the
detector's crop gives a mesh; a second pass on a square cut around that mesh makes the result
independent of how well the detector's box sat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from dflcolab.arrays import Image
from dflcolab.detection.geometry import FloatArray, RotatedSquare, box_of_points, upright_angle
from dflcolab.detection.litert import LiteModel
from dflcolab.detection.models import LANDMARKS

INPUT_SIZE = 256
DETECTOR_CROP = 1.4
"""Side of the first crop in sides of the detector's box."""

MESH_CROP = 1.5
"""Side of every further crop in sides of the box around the mesh."""

_STILL = 0.03

N_FACE_POINTS = 468  # the rest are the irises
_RIGHT_EYE, _LEFT_EYE, _MOUTH = (33, 133), (362, 263), (61, 291)


@dataclass(frozen=True, eq=False)
class Mesh:
    """A face found by the landmark network.

    Attributes:
        points: `[478, 2]` in frame pixels.
        logit: Presence before the sigmoid; above 0 the network sees a face.
    """

    points: FloatArray
    logit: float

    @property
    def presence(self) -> float:
        """Probability that there is a face, 0..1."""
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, self.logit))))

    @property
    def box(self) -> FloatArray:
        """Upright box around the face points, `[4]` in frame pixels."""
        return box_of_points(self.points[:N_FACE_POINTS])

    def crop(self) -> RotatedSquare:
        """The square from which the next pass, or the next frame, is cut."""
        points = self.points[:N_FACE_POINTS]
        angle = upright_angle(
            *(points[list(pair)].mean(axis=0) for pair in (_RIGHT_EYE, _LEFT_EYE, _MOUTH))
        )
        cosine, sine = math.cos(angle), math.sin(angle)
        turn = np.array([[cosine, sine], [-sine, cosine]], np.float32)
        box = box_of_points(points @ turn.T)
        centre = (box[:2] + box[2:]) / 2 @ turn
        side = MESH_CROP * float(max(box[2] - box[0], box[3] - box[1]))
        return RotatedSquare(float(centre[0]), float(centre[1]), max(side, 1.0), angle)


class FaceMesh:
    """The landmark network; safe to call from any thread."""

    def __init__(self) -> None:
        self._model = LiteModel(LANDMARKS)

    def run(self, image: Image, square: RotatedSquare) -> Mesh:
        """Mesh of a face that a detector found: two passes.

        Args:
            image: `[H, W, 3]` BGR. Parts of the square outside of it count as black.
            square: Where the face is.
        """
        return self._run_once(image, self._run_once(image, square).crop())

    def follow(self, image: Image, square: RotatedSquare, *, still: float = _STILL) -> Mesh:
        """Mesh of a face whose place is known, as from the frame before.

        One pass does where the face hardly moved: a second one would move the points by 0.1 to
        0.3 % of the face, a tenth of what the network errs by. Otherwise as `run`.

        Args:
            image: `[H, W, 3]` BGR.
            square: `Mesh.crop` of the frame before, or where the face is for another reason.
            still: Up to which shift in sides, change of size as a share, and turn in radians one
                pass does.
        """
        mesh = self._run_once(image, square)
        after = mesh.crop()
        return mesh if square.near(after, still) else self._run_once(image, after)

    def _run_once(self, image: Image, square: RotatedSquare) -> Mesh:
        matrix = square.matrix(INPUT_SIZE)
        crop = warp_smooth(image, matrix, INPUT_SIZE, 1.0 / (square.side / INPUT_SIZE))
        rgb = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
        batch = rgb[np.newaxis].astype(np.float32) * np.float32(1 / 255)
        outputs = self._model(batch)
        # Outputs: points [1, 1, 1, 1434], presence [1, 1, 1, 1], tongue [1, 1].
        points = next(item for item in outputs if item.size == 1434).reshape(-1, 3)[:, :2]
        logit = next(item for item in outputs if item.shape == (1, 1, 1, 1)).item()
        inverse = cv2.invertAffineTransform(matrix)
        moved = points @ inverse[:, :2].T + inverse[:, 2]
        return Mesh(moved.astype(np.float32), float(logit))


def warp_smooth(image: Image, matrix: np.ndarray, size: int, scale: float) -> Image:
    """Bilinear affine warp that does not alias when it shrinks.

    Where the crop shrinks the frame by more than two, the region is halved (averaging) as often as
    needed first, so no pixel of the face is skipped over.

    Args:
        image: `[H, W, 3]` BGR.
        matrix: `[2, 3]`, frame pixels to crop pixels.
        size: Side of the crop.
        scale: Crop pixels per frame pixel.
    """
    matrix = np.asarray(matrix, np.float64)
    if scale <= 0.5:
        image, matrix = _shrunk(image, matrix, size, scale)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _shrunk(image: Image, matrix: np.ndarray, size: int, scale: float) -> tuple[Image, np.ndarray]:
    """The part of the picture that the crop needs, shrunk by a whole factor, and its matrix."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [size, 0], [size, size], [0, size]]) @ inverse[:, :2].T
    corners += inverse[:, 2]
    factor = int(1.0 / scale)
    height, width = image.shape[:2]
    margin = 2 * factor
    left = int(np.clip(corners[:, 0].min() - margin, 0, width))
    top = int(np.clip(corners[:, 1].min() - margin, 0, height))
    right = int(np.clip(corners[:, 0].max() + margin, 0, width))
    bottom = int(np.clip(corners[:, 1].max() + margin, 0, height))
    columns, rows = (right - left) // factor, (bottom - top) // factor
    if columns < 1 or rows < 1:
        return image, matrix
    part = image[top : top + rows * factor, left : left + columns * factor]
    small = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    # Pixel centres: x_frame = factor * (x_small + 0.5) - 0.5 + left
    shift = np.array([left, top]) + (factor - 1) / 2
    moved = matrix.copy()
    moved[:, :2] = matrix[:, :2] * factor
    moved[:, 2] = matrix[:, :2] @ shift + matrix[:, 2]
    return small, moved  # type: ignore[return-value]
