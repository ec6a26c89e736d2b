# pyright: strict
"""Kinds of sorting that compare pictures with each other: `hist`, `hist-dissim`, `absdiff`."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from dflcolab.arrays import Image, Mask
from dflcolab.errors import FacesetError, FormatError, StorageError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faceset import sort_keys
from dflcolab.faceset.config import SortKind
from dflcolab.faceset.face_files import FaceFile, for_each_face, reason_of
from dflcolab.faceset.farthest_chain import FarthestChain
from dflcolab.faceset.histogram_chain import histogram_chain
from dflcolab.faceset.pivot_limits import AreaLayout
from dflcolab.faceset.pixel_chain import PixelChain
from dflcolab.faceset.sort_result import SortedFaces, checked
from dflcolab.files import storage_errors
from dflcolab.progress import Progress, Task

_MEMORY_SHARE = 0.5
"""Share of the free memory that decoded pictures may take; more of them go to the disk."""

_SPARE_BYTES = 100 << 20
"""Disk space that is left to others."""


def masked_picture(face: FaceFile) -> Image:
    """The decoded picture, black outside of the hull (brow factor 1); whole without face data.

    Raises:
        FormatError: The picture is damaged.
    """
    image = face.decode()
    if face.record is None:
        return image
    return sort_keys.masked(image, hull_of(face.record, image))


def hull_of(record: FaceRecord, image: Image) -> Mask:
    """The hull of a face's landmarks with brow factor 1, `[H, W, 1]`."""
    return hull_mask(record.landmarks, image.shape[0], image.shape[1])


def by_histograms(paths: Sequence[Path], kind: SortKind, progress: Progress) -> SortedFaces:
    """The chain of like colors (`HIST`), or unlike histograms first (`HIST_DISSIM`)."""

    def measure(face: FaceFile) -> npt.NDArray[np.float64] | str:
        try:
            if kind is SortKind.HIST:
                return sort_keys.color_histograms(face.decode())
            return sort_keys.gray_histogram(masked_picture(face))
        except FormatError as error:
            return face.reason or reason_of(error)

    results = for_each_face(paths, measure, progress=progress, title=f"Sorting by {kind.value}")
    found = {path.name: counts for path, counts in zip(paths, results, strict=True)}
    usable = {name: counts for name, counts in found.items() if not isinstance(counts, str)}
    rejected = {name: reason for name, reason in found.items() if isinstance(reason, str)}
    names = list(usable)
    if not names:
        return checked(SortedFaces((), {}, rejected), paths)
    roots = sort_keys.histogram_roots(np.stack(list(usable.values())))
    if kind is SortKind.HIST:
        with progress.task("Chaining like faces", total=len(names), unit="faces") as task:
            chain = histogram_chain(roots, step=lambda: _step(progress, task))
        return SortedFaces(tuple(names[index] for index in chain), {}, rejected)
    total = sort_keys.histogram_dissimilarity(roots)
    ranks: list[int] = np.argsort(-total, kind="stable").tolist()
    order = tuple(names[index] for index in ranks)
    scores = {name: float(value) for name, value in zip(names, total, strict=True)}
    return SortedFaces(order, scores, rejected)


def by_pixels(paths: Sequence[Path], progress: Progress, *, dissimilar: bool) -> SortedFaces:
    """The chain of `ABSDIFF`. Damaged files do not take part.

    Raises:
        FacesetError: The pictures have different sizes.
        StorageError: There is no room for the decoded pictures.
    """
    shape = _common_shape(paths)
    if shape is None:
        return checked(SortedFaces((), {}, {}), paths)
    places = {path: place for place, path in enumerate(paths)}
    layout = AreaLayout(*shape[:2])
    stored = (layout.n_areas, layout.n_samples) if dissimilar else shape
    with _room(len(paths) * math.prod(stored)) as room:
        pixels = room.reshape(-1, *stored)
        chain = FarthestChain(layout, pixels) if dissimilar else PixelChain(pixels)

        def take(face: FaceFile) -> tuple[int, ...] | str:
            try:
                image = face.decode()
            except FormatError as error:
                return reason_of(error)
            if image.shape == shape:
                chain.put(places[face.path], image)
            return image.shape

        usable: list[int] = []
        rejected: dict[str, str] = {}
        results = for_each_face(
            paths, take, progress=progress, title="Sorting by absdiff", read=_without_face_data
        )
        for place, found in enumerate(results):
            if isinstance(found, str):
                rejected[paths[place].name] = found
                continue
            if found != shape:
                raise FacesetError(
                    f"{paths[place].name} has {found[1]} x {found[0]} pixels and the first face "
                    f"{shape[1]} x {shape[0]}; absdiff needs faces of one size. Run "
                    f"`dflcolab resize` with --size {min(found[1], shape[1])} for that side first, "
                    "or sort by hist or dissimilar-face."
                )
            usable.append(place)
        with progress.task("Chaining faces", total=len(usable), unit="faces") as task:
            order = chain.order(usable, step=lambda: _step(progress, task))
    return SortedFaces(tuple(paths[place].name for place in order), {}, rejected)


def _without_face_data(path: Path) -> FaceFile:
    with storage_errors(path):
        return FaceFile(path, path.read_bytes(), None)


def _common_shape(paths: Sequence[Path]) -> tuple[int, int, int] | None:
    """Height, width and channels of the first picture that decodes."""
    for path in paths:
        try:
            height, width = _without_face_data(path).decode().shape[:2]
        except FormatError:
            continue
        return height, width, 3
    return None


@contextmanager
def _room(needed: int) -> Generator[npt.NDArray[np.uint8]]:
    """Bytes in memory if they fit easily, else in a temporary file that is gone afterwards.

    Raises:
        StorageError: The disk has no room for them.
    """
    if needed <= _MEMORY_SHARE * psutil.virtual_memory().available:
        yield np.empty(needed, np.uint8)
        return
    folder = Path(tempfile.gettempdir())
    if shutil.disk_usage(folder).free < needed + _SPARE_BYTES:
        raise StorageError(
            f"absdiff needs {needed / 1e9:.1f} GB for the decoded faces in {folder}, and the disk is "
            "too full; free some space, or set TMPDIR to a folder on another disk."
        )
    with storage_errors(folder), tempfile.TemporaryFile(prefix="dflcolab_absdiff_") as file:
        file.truncate(needed)
        # As a plain array: slices of a map are slow to make.
        yield np.asarray(np.memmap(file, np.uint8, "r+", shape=(needed,)))


def _step(progress: Progress, task: Task) -> None:
    progress.raise_if_stopped()
    task.advance()
