"""What can be told of a swap without knowing how it should look.

Held-out dst faces are painted with src's face and laid over the dst faces, inside of their masks, as
merging does. Small networks then look at them: who is it, and does the face do what dst's does.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Image, Landmarks
from dflcolab.detection.embedding import embed_face, person_centre, similarity
from dflcolab.detection.geometry import FloatArray, RotatedSquare
from dflcolab.detection.landmarks68 import landmarks_68
from dflcolab.detection.mesh import FaceMesh
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.pose import pose
from dflcolab.faceset.clean_checks import face_sharpness
from dflcolab.faceset.landmark_quality import INNER
from dflcolab.training.augment import PADDING
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.side_faces import SideFaces, by_stretch
from dflcolab.watch.looks import Sample, sample_of

MOST_SWAPPED = 24
"""Swapped faces that are looked at, neighbours in runs of three or more."""

_MOST_RUNS = 8
_MOST_SRC = 16
_REST_SIDE = 64
_GRAY_LEVEL = 1 / 255
_PRESENT = 0.5

_MESH_SIDE = 2.0
"""Of the first square that the landmark network sees, in sides of the mean face. In crops of the demo
clips at 64 and 128 pixels it leads to all faces, full face to head (half faces, which lack the forehead:
33 of 36), within 0.2 to 1.6 % of the face (median) of the landmarks that `extract` found in the frame."""

Painter = Callable[
    [npt.NDArray[np.uint8], npt.NDArray[np.uint8]], tuple[FloatArray, FloatArray, FloatArray]
]
"""src and dst faces, as many of each, `[N, R, R, 3]` uint8, to src painted, dst painted and the swap,
float32 in 0..1."""


class _Known(NamedTuple):
    """A face as it is, and what was found in it.

    Attributes:
        picture: `[R, R, 3]`, uint8, BGR.
        mask: `[R, R, 1]`, float32 in 0..1.
        landmarks: `[68, 2]`, pixels.
        around: Where the landmark network looked last.
        embedding: Who it is.
    """

    picture: Image
    mask: FloatImage
    landmarks: Landmarks
    around: RotatedSquare
    embedding: FloatArray

    def laid_over(self, painted: FloatImage) -> Image:
        """A painted face inside of the mask, this one around it."""
        mixed = painted * self.mask + self.picture / np.float32(255) * (1 - self.mask)
        return np.clip(np.rint(mixed * 255), 0, 255).astype(np.uint8)


class SwapMeasures:
    """Measures of swapped held-out faces; the faces are chosen once.

    Args:
        src: The side whose face is put on.
        dst: The other one. Both have held-out faces, in the order of their frames.
        face_type: Extent of the faces.
    """

    def __init__(self, src: SideFaces, dst: SideFaces, face_type: FaceType) -> None:
        self._sides = {"src": src, "dst": dst}
        n_src = len(src.held_out_stretches)
        count = min(n_src, _MOST_SRC)
        self._indices = {
            "src": ((np.arange(count) + 0.5) * n_src / count).astype(np.int64),
            "dst": neighbours(dst.held_out_stretches, MOST_SWAPPED),
        }
        self._face_type = face_type
        self._known: tuple[dict[int, _Known], dict[int, _Known]] | None = None

    def look(self, paint: Painter) -> dict[str, Sample]:
        """Measures by their full names; none where the landmark network finds no face to compare.

        `swap/held_out/identity_src`: likeness (cosine) of the swapped face and the person of src;
        `identity_dst`: of the swapped face and the dst face below it; from about 0.53 on two faces
        are taken for one person. `landmarks`: mean distance of brows, nose, eyes and mouth from
        those of dst, in distances of the eyes. `pose`: degrees between the two poses.
        `presence`: how sure the landmark network is of a face, 0..1. `sharpness`: fine detail
        less that of the held-out src faces; about -1 is visibly softer. `steadiness`: see
        `steadiness`. And `<side>/held_out/identity`: likeness of faces painted as they are and
        themselves, the one perceptual distance for which a network is at hand.

        Args:
            paint: The model as it is now.
        """
        src, dst = self._references()
        if not src or not dst:
            return {}
        src_painted, dst_painted, swapped = self._painted(paint, src, dst)
        samples = {
            f"{side}/held_out/identity": self._identities(known, painted, side)
            for side, known, painted in (("src", src, src_painted), ("dst", dst, dst_painted))
        }
        person = person_centre([face.embedding for face in src.values()])
        own_sharpness = [_sharpness(face.picture, face) for face in src.values()]
        usual = float(np.mean([value for value in own_sharpness if math.isfinite(value)] or [0.0]))
        found: dict[str, dict[int, float]] = {}
        for index, face in dst.items():
            for name, value in _swap_of_face(face, swapped[index], person).items():
                found.setdefault(name, {})[index] = value - usual if name == "sharpness" else value
        found["steadiness"] = self._steadiness(dst, swapped)
        for name, values in found.items():
            if values:
                stretches = self._sides["dst"].held_out_stretches[list(values)]
                samples[f"swap/held_out/{name}"] = sample_of(list(values.values()), stretches)
        return samples

    def _references(self) -> tuple[dict[int, _Known], dict[int, _Known]]:
        """The faces as they are, by their places; found at the first look."""
        if self._known is None:
            src, dst = (
                _known_faces(side.held_out, self._indices[name], self._face_type)
                for name, side in self._sides.items()
            )
            self._known = src, dst
        return self._known

    def _painted(
        self, paint: Painter, src: dict[int, _Known], dst: dict[int, _Known]
    ) -> tuple[dict[int, FloatArray], dict[int, FloatArray], dict[int, FloatArray]]:
        """What the model paints of src, of dst, and of dst with the face of src, by the faces' places."""
        count = max(len(src), len(dst))
        pictures = [np.stack([face.picture for face in side.values()]) for side in (src, dst)]
        pair = [side[np.arange(count) % len(side)] for side in pictures]
        painted = paint(pair[0], pair[1])
        src_painted, dst_painted, swapped = (
            dict(zip(side, np.nan_to_num(values), strict=False))
            for side, values in zip((src, dst, dst), painted, strict=True)
        )
        return src_painted, dst_painted, swapped

    def _identities(
        self, known: dict[int, _Known], painted: dict[int, FloatArray], side: str
    ) -> Sample:
        values = [
            similarity(embed_face(face.laid_over(painted[i]), face.landmarks), face.embedding)
            for i, face in known.items()
        ]
        return sample_of(values, self._sides[side].held_out_stretches[list(known)])

    def _steadiness(
        self, dst: dict[int, _Known], swapped: dict[int, FloatArray]
    ) -> dict[int, float]:
        """Of each run of neighbours, by the place of its first face."""
        values: dict[int, float] = {}
        stretches = self._sides["dst"].held_out_stretches
        for stretch in np.unique(stretches[list(dst)]):
            run = [i for i in dst if stretches[i] == stretch]
            if len(run) < 3:
                continue
            masks = np.stack([dst[i].mask for i in run])
            own = np.float32(1 / 255) * np.stack([dst[i].picture for i in run])
            value = steadiness(own, np.stack([swapped[i] for i in run]), masks)
            if value is not None:
                values[run[0]] = value
        return values


def neighbours(stretches: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Places of faces in runs of neighbours from the middles of stretches, ascending.

    Args:
        stretches: Stretch of each face, `[N]`; faces of a stretch are in the order of their frames.
        count: Faces at most, from up to eight stretches spread over all.
    """
    members = by_stretch(stretches)
    n_runs = min(len(members), _MOST_RUNS)
    # Where stretches are single faces (photographs), there are no runs, but as many faces.
    if n_runs and max(map(len, members)) == 1:
        n_runs = min(len(members), count)
    runs: list[npt.NDArray[np.int64]] = []
    for place in ((np.arange(n_runs) + 0.5) * len(members) / max(n_runs, 1)).astype(np.int64):
        run = members[place]
        length = min(len(run), count // n_runs)
        start = (len(run) - length) // 2
        runs.append(run[start : start + length])
    return np.sort(np.concatenate(runs)) if runs else np.zeros(0, np.int64)


def steadiness(own: FloatArray, swapped: FloatArray, masks: FloatArray) -> float | None:
    """How restless a run of dst frames is, over how restless the swapped faces are.

    Restless is what a picture differs from the mean of the ones before and after it, inside of the
    masks, seen at 64 pixels (which camera noise does not survive): even motion is none. 1 is as
    steady as the footage, a half twice as restless. Faces that hardly follow (early in training)
    are steadier than the footage.

    Args:
        own: Faces of neighbouring frames as they are, `[N, R, R, 3]` in 0..1, N at least 3.
        swapped: With the face of src.
        masks: `[N, R, R, 1]` in 0..1.

    Returns:
        None where no pixel lies in all masks.
    """
    inside = np.stack([_small(mask) for mask in masks]).min(axis=0) > 0.5
    if not inside.any():
        return None

    def unrest(pictures: FloatArray) -> float:
        small = np.stack([_small(picture) for picture in pictures])[:, inside].astype(np.float64)
        return float(np.abs(small[1:-1] - (small[:-2] + small[2:]) / 2).mean())

    # A quarter of a gray level on both sides, so that a standing picture is no division by zero.
    floor = _GRAY_LEVEL / 4
    return (unrest(own) + floor) / (unrest(swapped) + floor)


def _small(picture: FloatArray) -> FloatArray:
    side = (_REST_SIDE, _REST_SIDE)
    return np.asarray(cv2.resize(picture, side, interpolation=cv2.INTER_AREA), np.float32)


def _swap_of_face(face: _Known, painted: FloatArray, person: FloatArray) -> dict[str, float]:
    """The measures of one swapped face; its sharpness not yet compared."""
    size = face.picture.shape[0]
    swap = face.laid_over(painted)
    mesh = _mesh().follow(swap, face.around)
    landmarks = landmarks_68(mesh.points)
    away = np.hypot(*(landmarks - face.landmarks)[INNER].T)
    angles = np.degrees(np.subtract(pose(landmarks, size), pose(face.landmarks, size)))
    embedding = embed_face(swap, face.landmarks)
    values = {
        "identity_src": similarity(embedding, person),
        "identity_dst": similarity(embedding, face.embedding),
        "landmarks": float(away.mean()) / eye_distance(face.landmarks),
        "pose": float(np.linalg.norm(angles)),
        "presence": mesh.presence,
    }
    sharpness = _sharpness(swap, face)
    return {**values, "sharpness": sharpness} if math.isfinite(sharpness) else values


def _sharpness(picture: Image, face: _Known) -> float:
    return face_sharpness(picture, face.mask)


def eye_distance(landmarks: Landmarks) -> float:
    """Distance of the middles of the eyes, in the unit of the landmarks `[68, 2]`; above 0."""
    across = landmarks[36:42].mean(axis=0) - landmarks[42:48].mean(axis=0)
    return max(float(np.hypot(*across)), 1e-6)


def _known_faces(
    faces: TrainingFaces | None, indices: npt.NDArray[np.int64], face_type: FaceType
) -> dict[int, _Known]:
    """The faces in which the landmark network sees one, by their places."""
    known: dict[int, _Known] = {}
    if faces is None:
        return known
    for index, crop in zip(indices.tolist(), faces.batch(indices), strict=True):
        inner = crop[PADDING:-PADDING, PADDING:-PADDING]
        picture = np.ascontiguousarray(inner[..., :3])
        mesh = _mesh().run(picture, square_of_crop(face_type, len(picture)))
        if mesh.presence < _PRESENT:
            continue
        landmarks = landmarks_68(mesh.points)
        mask = inner[..., 3:4] / np.float32(255)
        embedding = embed_face(picture, landmarks)
        known[index] = _Known(picture, mask, landmarks, mesh.crop(), embedding)
    return known


def square_of_crop(face_type: FaceType, size: int) -> RotatedSquare:
    """Where the landmark network finds the face in an aligned crop.

    Args:
        face_type: Extent of the crop.
        size: Its side in pixels.
    """
    unit = size / (1 + 2 * math.sqrt(2) * face_type.padding)
    below = {FaceType.WHOLE: 0.07, FaceType.HEAD: 0.5}.get(face_type, 0.0)
    return RotatedSquare(size / 2, size / 2 + below * unit, _MESH_SIDE * unit, 0.0)


@functools.cache
def _mesh() -> FaceMesh:
    return FaceMesh()
