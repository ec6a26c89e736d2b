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


def one_face(paths: Sequence[Path]) -> SortedFaces:
    """Reject every face of frames that have more than one, the first (`_0`) with them.

    DFL interoperability notes, section 5.4: it goes by the names `<frame>_<number>` alone. Where
    DeepFaceLab stumbles over other names (and may hit the wrong files), this refuses. Where no
    frame has several faces, all names stay.

    Raises:
        FacesetError: A name has another form, or all faces would go.
    """
    frames: dict[Path, int] = {}
    crowded: set[int] = set()
    for path in paths:
        found = re.fullmatch(r"(\d+)_(\d+)", path.stem)
        if not found:
            raise FacesetError(
                f"{path.name} does not say which face of its frame it is (00012_0.jpg would); sort "
                "by recover-names first, and move what is no face out of the folder."
            )
        frames[path] = int(found[1])
        if int(found[2]) != 0:
            crowded.add(int(found[1]))
    order = [path.name for path in paths if frames[path] not in crowded]
    if not order:
        raise FacesetError(
            f"Every frame in {paths[0].parent} has several faces, so oneface would remove them all; "
            "sort by identity instead."
        )
    rejected = {path.name: SEVERAL_FACES for path in paths if frames[path] in crowded}
    unchanged = None if crowded else {name: name for name in order}
    return SortedFaces(tuple(order), {}, rejected, unchanged)


def recovered_names(paths: Sequence[Path], progress: Progress) -> SortedFaces:
    """Names `<frame>_<n>` from the face data: the n-th face of a frame in the present order."""

    def source(face: FaceFile) -> str | None:
        return None if face.record is None else face.record.source_filename

    results = for_each_face(
        paths, source, progress=progress, title="Reading frame names", read=read_face_head
    )
    stems = {
        path.name: stem
        for path, found in zip(paths, results, strict=True)
        if (stem := _file_stem(found))
    }
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
