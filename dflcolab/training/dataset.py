"""A faceset as the training step wants it: decoded, cropped and masked once, as bytes.

Each face becomes `[R + 6, R + 6, 5]` uint8: BGR with repeated edges, mask and eyes-mouth mask with
zero around. Crops and masks are those of DeepFaceLab (interoperability notes, sections 3.5 and 6.1).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.errors import DFLColabError, FacesetError
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import eyes_mouth_mask, hull_mask
from dflcolab.faces.pose import pose
from dflcolab.faceset.faceset import Faceset
from dflcolab.files import storage_errors
from dflcolab.formats.xseg_masks import decode_xseg_mask
from dflcolab.progress import Progress
from dflcolab.training.augment import PADDING

CHANNELS = 5
_IN_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True)
class TrainingFaces:
    """Faces ready for the step.

    Attributes:
        faces: `[N, R + 6, R + 6, 5]` uint8 (see the module's text); may be a memory map.
        names: File names, `N`.
        yaws: Radians, `N`; nose to the image's left is positive.
    """

    faces: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    yaws: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The faces at `indices`, copied."""
        return np.asarray(self.faces[indices])


def prepare_faces(
    faceset: Faceset,
    indices: Sequence[int],
    *,
    face_type: FaceType,
    resolution: int,
    title: str,
    progress: Progress,
    cache_dir: Path,
    problems: list[str],
) -> TrainingFaces:
    """Decode, crop and mask faces with all cores.

    Up to 1 GiB stays in memory; more goes to a file in `cache_dir` that is mapped into memory and
    removed when the process ends.

    Args:
        faceset: Where the faces come from.
        indices: Which of them.
        face_type: Extent of the crop; the faceset's faces must be at least as wide.
        resolution: Side of the crop in pixels.
        title: Heading of the progress bar.
        progress: Shows the work and carries the wish to stop.
        cache_dir: Folder for a large faceset.
        problems: Gets one sentence per face that cannot be read; such faces are left out.

    Raises:
        FacesetError: No face is left, or the faces are of a narrower type.
        StorageError: The disk is full.
        Interrupted: Somebody asked to stop.
    """
    refuse_narrower(faceset, indices, face_type)
    size = resolution + 2 * PADDING
    shape = (len(indices), size, size, CHANNELS)
    store = _room_for(shape, cache_dir)
    kept: list[int] = []
    yaws: list[float] = []

    def one(index: int) -> tuple[npt.NDArray[np.uint8], float] | str:
        record = faceset.records[index]
        try:
            picture = faceset.decode(index)
            face = training_face(picture, record, face_type=face_type, resolution=resolution)
            return face, float(pose(record.landmarks, picture.shape[1]).yaw)
        except DFLColabError as error:
            return str(error)

    with (
        progress.task(title, total=len(indices), unit="faces") as task,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        for index, result in zip(indices, pool.map(one, indices), strict=True):
            if progress.stop_requested:
                pool.shutdown(cancel_futures=True)
                progress.raise_if_stopped()
            task.advance()
            if isinstance(result, str):
                problems.append(result)
                continue
            with storage_errors(cache_dir):
                store[len(kept)], yaw = result
            yaws.append(yaw)
            kept.append(index)
    if not kept:
        raise FacesetError(f"None of the faces for {title!r} can be read; extract them again.")
    names = tuple(faceset.names[index] for index in kept)
    return TrainingFaces(store[: len(kept)], names, tuple(yaws))


def training_face(
    picture: Image, record: FaceRecord, *, face_type: FaceType, resolution: int
) -> npt.NDArray[np.uint8]:
    """One face as the step wants it, `[R + 6, R + 6, 5]` uint8.

    The mask is the stored one, else the hull of the landmarks.
    """
    height, width = picture.shape[:2]
    if record.xseg_mask is not None:
        stored = decode_xseg_mask(record.xseg_mask)
        mask = np.clip(cv2.resize(stored, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    else:
        mask = hull_mask(
            record.landmarks, height, width, eyebrows_expand=record.eyebrows_expand_mod
        )[..., 0]
    eyes_mouth = eyes_mouth_mask(record.landmarks, height, width)[..., 0] * (mask != 0)
    masks = (np.stack([mask, eyes_mouth], axis=2) * 255).round().astype(np.uint8)
    side = (resolution, resolution)
    if record.assumed_face_type is face_type:
        if width != resolution:
            picture = cv2.resize(picture, side, interpolation=cv2.INTER_CUBIC)  # pyright: ignore[reportAssignmentType]
            masks = cv2.resize(masks, side, interpolation=cv2.INTER_LINEAR)
    else:
        matrix = alignment_matrix(record.landmarks, resolution, face_type)
        picture = cv2.warpAffine(  # pyright: ignore[reportAssignmentType]
            picture, matrix, side, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        masks = cv2.warpAffine(masks, matrix, side, flags=cv2.INTER_LINEAR)
    around = ((PADDING, PADDING), (PADDING, PADDING), (0, 0))
    padded = [np.pad(picture, around, mode="edge"), np.pad(masks, around)]
    return np.concatenate(padded, axis=2)


def refuse_narrower(faceset: Faceset, indices: Sequence[int], face_type: FaceType) -> None:
    """Refuse faces that do not show what the model is to learn.

    Raises:
        FacesetError: Names the first such face.
    """
    for index in indices:
        found = faceset.records[index].assumed_face_type
        if not found.is_crop or found.code < face_type.code:
            raise FacesetError(
                f"{faceset.names[index]} is a {found.value} picture and the model wants "
                f"{face_type.value}; extract with a wider face type, or make a model with "
                f"--set face_type={found.value if found.is_crop else 'half_face'}."
            )


def _room_for(shape: tuple[int, ...], cache_dir: Path) -> npt.NDArray[np.uint8]:
    """An array for all faces: in memory, or in a file that vanishes with the process."""
    if int(np.prod(shape, dtype=np.int64)) <= _IN_MEMORY_BYTES:
        return np.empty(shape, np.uint8)
    with storage_errors(cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(f"{os.getpid()} {shape}".encode()).hexdigest()[:12]
        path = cache_dir / f".faces-{digest}.tmp"
        store = np.memmap(path, np.uint8, "w+", shape=shape)
        path.unlink()  # the map keeps the content alive, and nothing is left after a crash
    return store
