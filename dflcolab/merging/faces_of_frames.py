# pyright: strict
"""Which faces belong to which dst frame.

A face belongs to the frame that its record names, whatever the face file itself is called. So a
face file that was deleted leaves that face of the frame alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from dflcolab.arrays import Landmarks
from dflcolab.faces.face_record import FaceRecord


@dataclass(frozen=True)
class FacesOfFrames:
    """Landmarks in frame pixels of the faces to merge, by frame.

    Attributes:
        by_stem: Frame name without its ending → faces in the order of their file names.
        problems: Faces that cannot be merged, one sentence each.
        names: Frame name → face files, in the order of `by_stem`; empty where nobody asks for them.
    """

    by_stem: dict[str, list[Landmarks]] = field(default_factory=dict[str, list[Landmarks]])
    problems: list[str] = field(default_factory=list[str])
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def n_faces(self) -> int:
        """Faces in all frames."""
        return sum(len(faces) for faces in self.by_stem.values())

    def of(self, stem: str) -> list[Landmarks]:
        """The faces of a frame, none for a frame nobody names."""
        return self.by_stem.get(stem, [])


def faces_of_frames(names: Sequence[str], records: Sequence[FaceRecord]) -> FacesOfFrames:
    """Sort the faces of the dst faceset by the frame they came from.

    Args:
        names: Names of the face files, sorted.
        records: Their records, in the same order.
    """
    found = FacesOfFrames()
    for name, record in zip(names, records, strict=True):
        points = record.source_landmarks
        if not record.source_filename or points is None:
            found.problems.append(
                f"{name} does not say which frame it came from, so it is not merged; "
                "extract the dst faces again."
            )
            continue
        if points.shape != (68, 2) or not np.isfinite(points).all() or not np.ptp(points):
            found.problems.append(f"{name} has unusable landmarks, so it is not merged.")
            continue
        stem = frame_stem(record.source_filename)
        found.by_stem.setdefault(stem, []).append(np.asarray(points, np.float32))
        found.names.setdefault(stem, []).append(name)
    return found


def frame_stem(filename: str) -> str:
    """Frame name without folder and ending, for names written on any system."""
    return PurePosixPath(filename.replace("\\", "/")).stem
