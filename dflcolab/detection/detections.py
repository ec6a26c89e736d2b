"""What every detector returns, and how several of them are merged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dflcolab.arrays import Image
from dflcolab.detection.geometry import (
    FloatArray,
    RotatedSquare,
    box_area,
    coverage,
    overlap,
    upright_angle,
)
from dflcolab.detection.mesh import DETECTOR_CROP, FaceMesh, Mesh

SAME_FACE_OVERLAP = 0.3
"""Two boxes that overlap more (intersection over union) are the same face."""

SAME_FACE_COVERAGE = 0.75
"""A box that lies inside another by more than this part is the same face."""


@dataclass(frozen=True, eq=False)
class Detection:
    """A face as a detector sees it.

    Attributes:
        box: `[4]` left, top, right, bottom in frame pixels.
        score: Confidence of the detector, 0..1.
        right_eye: `[2]`, the subject's right eye.
        left_eye: `[2]`.
        mouth: `[2]`, the middle of the mouth.
        needed_logit: Presence (before the sigmoid) that the face mesh must reach for this box to
            count as a face; each detector sets it from how far its score can be trusted.
        mesh: The face's points, if somebody has looked already.
    """

    box: FloatArray
    score: float
    right_eye: FloatArray
    left_eye: FloatArray
    mouth: FloatArray
    needed_logit: float = 0.0
    mesh: Mesh | None = None

    @property
    def side(self) -> float:
        """Longer side of the box in pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))

    def crop(self, factor: float) -> RotatedSquare:
        """Upright square around the face, `factor` times as large as the box."""
        angle = upright_angle(self.right_eye, self.left_eye, self.mouth)
        x, y = (self.box[:2] + self.box[2:]) / 2
        return RotatedSquare(float(x), float(y), factor * self.side, angle)

    def with_mesh(self, image: Image, network: FaceMesh) -> Detection:
        """The same with the face's points; what is known already is kept."""
        if self.mesh is not None:
            return self
        return dataclasses.replace(self, mesh=network.run(image, self.crop(DETECTOR_CROP)))

    @property
    def confirmed(self) -> bool:
        """Whether the mesh (see `with_mesh`) speaks for a face strongly enough."""
        return self.mesh is not None and self.mesh.logit > self.needed_logit

    def mapped(self, matrix: FloatArray) -> Detection:
        """The same face in another picture, `matrix` being a `[2, 3]` map by quarter turns."""

        def move(points: FloatArray) -> FloatArray:
            return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

        corners = move(self.box.reshape(2, 2))
        return dataclasses.replace(
            self,
            box=np.concatenate([corners.min(axis=0), corners.max(axis=0)]),
            right_eye=move(self.right_eye),
            left_eye=move(self.left_eye),
            mouth=move(self.mouth),
            mesh=None if self.mesh is None else Mesh(move(self.mesh.points), self.mesh.logit),
        )


def merge_detections(detections: Sequence[Detection]) -> list[Detection]:
    """One detection per face: of those that show the same face the surest stays.

    Returns:
        The remaining detections, largest box first.
    """
    kept: list[Detection] = []
    for candidate in sorted(detections, key=lambda item: -item.score):
        if not any(same_face(candidate.box, other.box) for other in kept):
            kept.append(candidate)
    return sorted(kept, key=lambda item: -box_area(item.box))


def same_face(first: FloatArray, second: FloatArray) -> bool:
    """True when two boxes are so close that only one face can be meant."""
    return (
        overlap(first, second) > SAME_FACE_OVERLAP or coverage(first, second) > SAME_FACE_COVERAGE
    )
