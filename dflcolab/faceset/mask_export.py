# pyright: strict
"""The faces' masks as pictures, for other programs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.errors import ConfigError, FormatError
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.face_files import FaceFile, for_each_face
from dflcolab.files import LONGEST_NAME, storage_errors, write_bytes
from dflcolab.formats.dfl_jpeg import face_from_bytes
from dflcolab.progress import Progress

_ENDING = "_mask.png"


def mask_names(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Names of the pictures of faces' masks, `person/<stem>_mask.png`.

    Args:
        names: Of the face files, with their person's folder where they have one.

    Returns:
        Name of the picture by that of the face; and a sentence for every face whose picture would
        take the place of another one's, or have a name that no disk takes.
    """
    found: dict[str, str] = {}
    taken: dict[str, str] = {}
    problems: list[str] = []
    for name in names:
        stem, _ = os.path.splitext(name)
        picture = stem + _ENDING
        if len(os.fsencode(picture.rpartition("/")[2])) > LONGEST_NAME:
            problems.append(
                f"The mask of {name} was not written, for with {_ENDING} the name is too long; rename "
                "the face (`dflcolab sort` does)."
            )
        elif picture in taken:
            problems.append(
                f"The mask of {name} was not written, for that of {taken[picture]} has the same name; "
                "rename one of the two."
            )
        else:
            taken[picture] = name
            found[name] = picture
    return found, problems


@dataclass(frozen=True, eq=False)
class MaskPicture:
    """A face's mask.

    Attributes:
        kind: Where it comes from: `xseg`, `polygons` or `hull`.
        values: `[H, W]`, uint8, 0 or 255, of the face's size.
    """

    kind: str
    values: npt.NDArray[np.uint8]


def mask_picture(file: FaceFile, *, hull: bool) -> MaskPicture | None:
    """The stored mask cut at one half, else the drawn outlines, else the hull of the landmarks.

    Args:
        file: A face.
        hull: False gives None for a face that has neither mask nor outlines.

    Raises:
        FormatError: The face or its mask is damaged.
    """
    face = face_from_bytes(file.data, str(file.path))
    record, height, width = face.record, face.height, face.width
    mask = face.decode_mask()
    if mask is not None:
        kind = "xseg"
        if mask.shape[:2] != (height, width):
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    elif record.has_points:
        kind, mask = "polygons", polygon_mask(record.polygons, height, width)
    elif hull:
        kind = "hull"
        brows = record.eyebrows_expand_mod
        mask = hull_mask(record.landmarks, height, width, eyebrows_expand=brows)
    else:
        return None
    return MaskPicture(kind, np.where(mask[..., 0] > 0.5, 255, 0).astype(np.uint8))


def export_masks(
    paths: Sequence[Path], folder: Path, *, hull: bool, progress: Progress
) -> tuple[dict[str, int], list[str]]:
    """Write the mask of every face as a picture (see `mask_names`).

    Args:
        paths: The face files, all in one folder.
        folder: Where the pictures go; made if needed. Pictures of the same names are replaced.
        hull: As for `mask_picture`.
        progress: Shows the work and carries the wish to stop.

    Returns:
        Number of pictures by kind, and the files that could not be used, in sentences.

    Raises:
        ConfigError: `folder` is the one with the faces, where the pictures would count as faces.
        StorageError: The disk is full or read-only.
        Interrupted: The user asked to stop.
    """
    if folder.resolve() == paths[0].parent.resolve():
        raise ConfigError(
            f"{folder} holds the faces, and mask pictures would be taken for faces there; name "
            "another folder with --out."
        )
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    names, problems = mask_names(path.name for path in paths)

    def work(file: FaceFile) -> tuple[str, str]:
        if file.problem or file.record is None:
            return "", file.problem or f"{file.path} has no face metadata and so no mask."
        try:
            picture = mask_picture(file, hull=hull)
        except FormatError as error:
            return "", str(error)
        if picture is None:
            return "", ""
        encoded = cv2.imencode(".png", picture.values)[1].tobytes()
        write_bytes(folder / names[file.path.name], encoded, durable=False)
        return picture.kind, ""

    counts: Counter[str] = Counter()
    named = [path for path in paths if path.name in names]
    for kind, problem in for_each_face(named, work, progress=progress, title="Writing masks"):
        counts.update([kind] if kind else [])
        problems += [problem] if problem else []
    return {kind: counts[kind] for kind in ("xseg", "polygons", "hull")}, problems
