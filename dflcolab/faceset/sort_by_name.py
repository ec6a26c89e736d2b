# pyright: strict
"""Kinds of sorting that follow names: `oneface` and `recover-names`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from dflcolab.errors import FacesetError
from dflcolab.faceset.face_files import FaceFile, for_each_face, read_face_head
from dflcolab.faceset.sort_result import SortedFaces
from dflcolab.progress import Progress

SEVERAL_FACES = "its frame has several faces"
_LONGEST_STEM = 200  # bytes; a number, an ending and the names of temporary files must fit, too


def one_face(paths: Sequence[Path], progress: Progress) -> SortedFaces:
    """Reject every face of frames that have more than one, the first (`_0`) with them.

    DFL interoperability notes, section 5.4: it goes by the names `<frame>_<number>`, both numbers.
    Frames of a second video or of photographs have other names; there the face data must name the
    same frame. Where DeepFaceLab stumbles over other names (and may hit the wrong files), this
    refuses. Where no frame has several faces, all names stay.

    Raises:
        FacesetError: A name has another form, or all faces would go.
        Interrupted: The user asked to stop.
    """
    frames: dict[Path, int | str] = {}
    crowded: set[int | str] = set()
    parts = {path: re.fullmatch(r"(.+)_(\d+)", path.stem, re.DOTALL) for path in paths}
    doubtful = [path for path, found in parts.items() if found and not found[1].isdecimal()]
    stems = dict(zip(doubtful, _frame_stems(doubtful, progress), strict=True))
    for path, found in parts.items():
        if not found or stems.get(path, found[1]) != found[1]:
            raise FacesetError(
                f"{path.name} does not say which face of its frame it is (00012_0.jpg would); sort "
                "by recover-names first, and move what is no face out of the folder."
            )
        frames[path] = int(found[1]) if found[1].isdecimal() else found[1]
        if int(found[2]) != 0:
            crowded.add(frames[path])
    order = [path.name for path in paths if frames[path] not in crowded]
    if not order:
        raise FacesetError(
            f"Every frame in {paths[0].parent} has several faces, so oneface would remove them all; "
            "sort by identity instead."
        )
    rejected = {path.name: SEVERAL_FACES for path in paths if frames[path] in crowded}
    unchanged = None if crowded else {name: name for name in order}
    return SortedFaces(tuple(order), {}, rejected, unchanged)


def _frame_stems(paths: Sequence[Path], progress: Progress) -> list[str]:
    """What the faces' frames give them for names; "" for those that do not say their frame."""

    def source(face: FaceFile) -> str | None:
        return None if face.record is None else face.record.source_filename

    results = for_each_face(
        paths, source, progress=progress, title="Reading frame names", read=read_face_head
    )
    return [_file_stem(found) for found in results]


def recovered_names(paths: Sequence[Path], progress: Progress) -> SortedFaces:
    """Names `<frame>_<n>` from the face data: the n-th face of a frame in the present order."""
    found = zip(paths, _frame_stems(paths, progress), strict=True)
    stems = {path.name: stem for path, stem in found if stem}
    # A face that does not say its frame keeps its name, and nobody else gets that name.
    renamed = {path.name: path.name for path in paths if path.name not in stems}
    taken = {name.lower() for name in renamed}
    counts: dict[str, int] = {}
    for path in paths:
        stem = stems.get(path.name)
        if stem is None:
            continue
        number = counts.get(stem, 0)
        while (name := f"{stem}_{number}{path.suffix}").lower() in taken:
            number += 1
        counts[stem] = number + 1
        taken.add(name.lower())
        renamed[path.name] = name
    order = tuple(sorted(renamed, key=lambda name: renamed[name]))
    return SortedFaces(order, {}, {}, renamed)


def _file_stem(source: str | None) -> str:
    """What a frame's name gives a face's name: neither a path, nor hidden, nor too long."""
    stem = Path((source or "").replace("\\", "/")).stem.lstrip(".").strip()
    plain = "".join(sign for sign in stem if sign.isprintable() or sign == "\u200d")
    return os.fsencode(plain)[:_LONGEST_STEM].decode(errors="ignore")
