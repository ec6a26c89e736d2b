"""A faceset as the training step wants it: decoded, cropped and masked once, as bytes.

Each face becomes `[R + 6, R + 6, 5]` uint8: BGR with repeated edges, mask and eyes-mouth mask with
zero around. Crops and masks are those of DeepFaceLab (interoperability notes, sections 3.5 and 6.1).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.errors import DFLColabError, FacesetError, StorageError
from dflcolab.faces.alignment import alignment_matrix
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import eyes_mouth_mask, hull_mask
from dflcolab.faces.pose import pose
from dflcolab.faceset.faceset import Faceset
from dflcolab.formats.xseg_masks import decode_xseg_mask
from dflcolab.progress import Progress
from dflcolab.training.augment import PADDING
from dflcolab.training.color_match import FaceColors, moments_of, points_of, reference_picture
from dflcolab.training.face_cache import (
    Notes,
    build_cached,
    fits_memory,
    key_of,
    open_cached,
)

CHANNELS = 5


@dataclass(frozen=True)
class TrainingFaces:
    """Faces ready for the step.

    Attributes:
        faces: `[N, R + 6, R + 6, 5]` uint8 (see the module's text); may be a memory map.
        names: File names, `N`.
        yaws: Radians, `N`; nose to the image's left is positive.
        colors: What color transfer needs to know of them; None where it was not asked for.
    """

    faces: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    yaws: tuple[float, ...]
    colors: FaceColors | None = None

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The faces at `indices`, copied."""
        return np.asarray(self.faces[indices])


class _Prepared(NamedTuple):
    """One face: pixels, yaw, and what `FaceColors` holds of it."""

    face: npt.NDArray[np.uint8]
    yaw: float
    colors: tuple[npt.NDArray[Any], ...]


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
    colors: bool = False,
) -> TrainingFaces:
    """Decode, crop and mask faces with all cores.

    They stay in memory up to a quarter of what is free; more goes to a file in `cache_dir` that is
    mapped into memory, and found again by the next run (see `face_cache`).

    Args:
        faceset: Where the faces come from.
        indices: Which of them.
        face_type: Extent of the crop; the faceset's faces must be at least as wide.
        resolution: Side of the crop in pixels.
        title: Heading of the progress bar.
        progress: Shows the work and carries the wish to stop.
        cache_dir: Folder for a large faceset.
        problems: Gets one sentence per face that cannot be read; such faces are left out.
        colors: Measure what color transfer needs as well.

    Raises:
        FacesetError: No face is left, or the faces are of a narrower type.
        StorageError: The disk is full.
        Interrupted: Somebody asked to stop.
    """
    refuse_narrower(faceset, indices, face_type)
    size = resolution + 2 * PADDING
    shape = (size, size, CHANNELS)
    n_bytes = len(indices) * int(np.prod(shape))
    collected = _Collected(faceset, indices, face_type, resolution, colors)
    if fits_memory(n_bytes):
        store = np.empty((len(indices), *shape), np.uint8)
        for place, face in enumerate(collected.faces(title, progress)):
            store[place] = face
        problems += collected.problems
        return collected.result(store[: len(collected.kept)], title)
    key = key_of(faceset, indices, face_type.value, resolution, colors)
    cached = open_cached(cache_dir, key, shape)
    if cached is None:
        faces = collected.faces(title, progress)
        build_cached(cache_dir, key, n_bytes, faces, collected.notes)
        cached = open_cached(cache_dir, key, shape)
        if cached is None:
            raise StorageError(f"{cache_dir} loses what is written there; use another disk.")
    store, notes = cached
    collected.take(notes)
    problems += collected.problems
    return collected.result(store, title)


class _Collected:
    """The faces of one part while they are prepared, and all that is known of them.

    Args:
        faceset: Where they come from.
        indices: Which of them.
        face_type: Extent of the crop.
        resolution: Side of the crop in pixels.
        colors: Measure what color transfer needs.
    """

    def __init__(
        self,
        faceset: Faceset,
        indices: Sequence[int],
        face_type: FaceType,
        resolution: int,
        colors: bool,
    ) -> None:
        self._faceset, self._indices = faceset, indices
        self._face_type, self._resolution, self._measured = face_type, resolution, colors
        self.kept: list[int] = []
        self.problems: list[str] = []
        self._yaws: list[float] = []
        self._colors: list[tuple[npt.NDArray[Any], ...]] = []

    def faces(self, title: str, progress: Progress) -> Iterator[npt.NDArray[np.uint8]]:
        """The faces in order, made by all cores; those that cannot be read become problems."""
        with (
            progress.task(title, total=len(self._indices), unit="faces") as task,
            ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        ):
            made = pool.map(self._one, self._indices)
            for index, found in zip(self._indices, made, strict=True):
                if progress.stop_requested:
                    pool.shutdown(cancel_futures=True)
                    progress.raise_if_stopped()
                task.advance()
                if isinstance(found, str):
                    self.problems.append(found)
                    continue
                self.kept.append(index)
                self._yaws.append(found.yaw)
                self._colors.append(found.colors)
                yield found.face

    def _one(self, index: int) -> _Prepared | str:
        record = self._faceset.records[index]
        resolution = self._resolution
        try:
            picture = self._faceset.decode(index)
            face = training_face(picture, record, face_type=self._face_type, resolution=resolution)
            yaw = float(pose(record.landmarks, picture.shape[1]).yaw)
        except DFLColabError as error:
            return str(error)
        if not self._measured:
            return _Prepared(face, yaw, ())
        crop = face[PADDING:-PADDING, PADDING:-PADDING, :3]
        look = reference_picture(picture, resolution)
        return _Prepared(face, yaw, (moments_of(crop), moments_of(look), points_of(look)))

    def notes(self) -> Notes:
        """All but the pixels, for the cache."""
        colors = {
            f"colors_{i}": np.stack(column)
            for i, column in enumerate(zip(*self._colors, strict=True))
        }
        return {
            "kept": np.array(self.kept, np.int64),
            "yaws": np.array(self._yaws, np.float64),
            "problems": np.array(self.problems, np.str_),
            **colors,
        }

    def take(self, notes: Notes) -> None:
        """What `notes` gave when the cache was built."""
        self.kept = [int(index) for index in notes["kept"]]
        self._yaws = [float(yaw) for yaw in notes["yaws"]]
        self.problems = [str(problem) for problem in notes["problems"]]
        columns = [notes[f"colors_{i}"] for i in range(3)] if self._measured and self.kept else []
        self._colors = list(zip(*columns, strict=True)) if columns else []

    def result(self, store: npt.NDArray[np.uint8], title: str) -> TrainingFaces:
        """The faces in `store` with all that is known of them."""
        if not self.kept:
            raise FacesetError(f"None of the faces for {title!r} can be read; extract them again.")
        names = tuple(self._faceset.names[index] for index in self.kept)
        colors = None
        if self._measured:
            colors = FaceColors(*(np.stack(c) for c in zip(*self._colors, strict=True)))
        return TrainingFaces(store, names, tuple(self._yaws), colors)


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
