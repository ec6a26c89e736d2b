"""Faces with landmarks in a single picture: detector, mesh, decision."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

from dflcolab.arrays import Image, Landmarks
from dflcolab.detection.detections import Detection, same_face
from dflcolab.detection.detector import FaceDetector
from dflcolab.detection.geometry import FloatArray, box_area
from dflcolab.detection.landmarks68 import landmarks_68
from dflcolab.detection.mesh import FaceMesh, Mesh


@dataclass(frozen=True, eq=False)
class FoundFace:
    """One face of a frame.

    Attributes:
        mesh: All points.
        score: Score of the detector that saw it last, 0..1.
    """

    mesh: Mesh
    score: float

    @functools.cached_property
    def landmarks(self) -> Landmarks:
        """`[68, 2]` in frame pixels; hidden jaw points lie on the outline of the face."""
        return landmarks_68(self.mesh.points)

    @functools.cached_property
    def surface_landmarks(self) -> Landmarks:
        """`[68, 2]` in frame pixels; hidden jaw points stay on the surface, behind the cheek."""
        return landmarks_68(self.mesh.points, outline=False)

    @functools.cached_property
    def box(self) -> FloatArray:
        """`[4]` left, top, right, bottom of the face, forehead to chin, in frame pixels."""
        return self.mesh.box

    @property
    def presence(self) -> float:
        """How sure the landmark network is of a face, 0..1."""
        return self.mesh.presence


def find_faces(
    image: Image, detections: Iterable[Detection], mesh: FaceMesh, *, min_face: float = 0.0
) -> list[FoundFace]:
    """The detections that are faces, with their landmarks.

    Args:
        image: `[H, W, 3]` BGR.
        detections: What a detector found in it.
        mesh: The landmark network.
        min_face: Smallest length in pixels of the longer side of a face's box.

    Returns:
        Faces, largest first; two detections that lead to the same mesh count once.
    """
    found: list[FoundFace] = []
    for detection in sorted(detections, key=lambda item: -item.score):
        looked = detection.with_mesh(image, mesh)
        if looked.mesh is None or not looked.confirmed:
            continue
        face = FoundFace(looked.mesh, looked.score)
        if longer_side(face.box) >= min_face and not any(
            same_face(face.box, other.box) for other in found
        ):
            found.append(face)
    return sorted(found, key=lambda item: -box_area(item.box))


def longer_side(box: FloatArray) -> float:
    """Longer side of a box in pixels."""
    return float(max(box[2] - box[0], box[3] - box[1]))


def detect_faces(image: Image, *, min_face: float = 0.0, max_faces: int = 0) -> list[FoundFace]:
    """All faces of one picture with their 68 landmarks.

    Args:
        image: `[H, W, 3]` BGR.
        min_face: Smallest longer side of a face's box in pixels.
        max_faces: Keep that many of the largest; 0 keeps all.

    Returns:
        Faces, largest first.
    """
    detector, mesh = _shared()
    found = find_faces(image, detector.detect(image), mesh, min_face=min_face)
    return found[:max_faces] if max_faces else found


@functools.cache
def _shared() -> tuple[FaceDetector, FaceMesh]:
    mesh = FaceMesh()
    return FaceDetector(mesh), mesh
