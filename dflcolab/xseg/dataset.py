"""Labelled faces as the training step wants them: decoded, cropped and masked once, as bytes.

Each face becomes `[R + 6, R + 6, 4]` uint8: BGR and mask. Pictures and masks are resampled by
Lanczos4 with black around, as DeepFaceLab does for this network (interoperability notes, section
6.5).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Mask
from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.faces.conversion import conversion_matrix
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.guesses import learned_from
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.faceset import Faceset
from dflcolab.formats.xseg_masks import decode_xseg_mask
from dflcolab.progress import Progress
from dflcolab.training.augment import PADDING
from dflcolab.training.dataset import TrainingFaces


@dataclass(frozen=True)
class MaskFaces:
    """Faces with masks, ready for the step.

    Attributes:
        faces: `[N, R + 6, R + 6, 4]` uint8 (see the module's text).
        names: File names, `N`.
    """

    faces: npt.NDArray[np.uint8]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The faces at `indices`, copied."""
        return self.faces[indices]


Faces = MaskFaces | TrainingFaces
"""Of mask training, or of pretraining, which looks at no masks."""


def labelled(records: Sequence[FaceRecord]) -> list[int]:
    """Which faces are learned from: those with outlines; where there are none, those with a mask.

    Guessed outlines that nobody has changed are no labels (see `faces.guesses`).
    """
    drawn = [index for index, record in enumerate(records) if learned_from(record)]
    stored = [index for index, record in enumerate(records) if record.xseg_mask is not None]
    return drawn or stored


def prepare_mask_faces(
    faceset: Faceset,
    indices: Sequence[int],
    *,
    face_type: FaceType,
    resolution: int,
    title: str,
    progress: Progress,
    problems: list[str],
) -> MaskFaces:
    """Decode, crop and mask faces with all cores.

    Args:
        faceset: Where the faces come from.
        indices: Which of them.
        face_type: Extent of the crop. A face of a narrower type is left out: nobody said what lies
            beyond its picture.
        resolution: Side of the crop in pixels.
        title: Heading of the progress bar.
        progress: Shows the work and carries the wish to stop.
        problems: Gets one sentence per face that is left out.

    Raises:
        FacesetError: No face is left.
        Interrupted: Somebody asked to stop.
    """

    def one(index: int) -> npt.NDArray[np.uint8] | str:
        record = faceset.records[index]
        found = record.assumed_face_type
        if not found.is_crop or found.code < face_type.code:
            return (
                f"{faceset.names[index]} is a {found.value} picture and the masks are for "
                f"{face_type.value}; it is left out."
            )
        try:
            return mask_face(
                faceset.decode(index), record, face_type=face_type, resolution=resolution
            )
        except DFLColabError as error:
            return str(error)

    faces: list[npt.NDArray[np.uint8]] = []
    names: list[str] = []
    with (
        progress.task(title, total=len(indices), unit="faces") as task,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        for index, made in zip(indices, pool.map(one, indices), strict=True):
            if progress.stop_requested:
                pool.shutdown(cancel_futures=True)
                progress.raise_if_stopped()
            task.advance()
            if isinstance(made, str):
                problems.append(made)
            else:
                faces.append(made)
                names.append(faceset.names[index])
    if not faces:
        first = problems[-1] if problems else "there are none"
        raise FacesetError(
            f"None of the {len(indices)} labelled faces can be used (the last: {first.rstrip('.')}); "
            "label faces of this type, or make a model with another --set face_type."
        )
    return MaskFaces(np.stack(faces), tuple(names))


def mask_face(
    picture: Image, record: FaceRecord, *, face_type: FaceType, resolution: int
) -> npt.NDArray[np.uint8]:
    """One face with its mask, `[R + 6, R + 6, 4]` uint8; edges repeated around, no mask there."""
    mask = drawn_mask(record, *picture.shape[:2])
    planes: list[npt.NDArray[Any]] = [picture, np.rint(mask * 255).astype(np.uint8)]
    matrix = conversion_matrix(record, picture.shape[1], face_type, resolution)
    side = (resolution, resolution)
    if record.assumed_face_type is face_type:
        way = cv2.INTER_LANCZOS4
        planes = [cv2.resize(plane, side, interpolation=way) for plane in planes]
    else:
        way = cv2.INTER_LANCZOS4
        planes = [cv2.warpAffine(plane, matrix, side, flags=way) for plane in planes]
    face, crop = planes[0], planes[1].reshape(resolution, resolution, 1)
    around = ((PADDING, PADDING), (PADDING, PADDING), (0, 0))
    return np.concatenate([np.pad(face, around, mode="edge"), np.pad(crop, around)], axis=2)


def drawn_mask(record: FaceRecord, height: int, width: int) -> Mask:
    """What a face's outlines enclose; without such that are learned from its stored mask cut at one half.

    Returns:
        `[height, width, 1]`, 0 or 1; zero where the face has neither.
    """
    if learned_from(record):
        return polygon_mask(record.polygons, height, width)
    if record.xseg_mask is None:
        return np.zeros((height, width, 1), np.float32)
    stored = decode_xseg_mask(record.xseg_mask)
    if stored.shape[:2] != (height, width):
        stored = cv2.resize(stored, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    return (stored > 0.5).astype(np.float32)
