"""Writing the faces of a frame, and the frame with them drawn on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dflcolab import __version__
from dflcolab.arrays import Landmarks
from dflcolab.detection.faces import FoundFace
from dflcolab.detection.geometry import FloatArray
from dflcolab.extraction.alignment import align_face, encode_jpeg
from dflcolab.extraction.debug_view import QUALITY, draw_face
from dflcolab.extraction.report import Stopwatch
from dflcolab.extraction.sources import SourceFrame
from dflcolab.faces.alignment import rect_from_landmarks
from dflcolab.faces.face_type import FaceType
from dflcolab.files import fsync_dir, storage_errors, write_bytes
from dflcolab.formats.dfl_jpeg import embed


@dataclass(frozen=True, eq=False)
class PlacedFace:
    """Where a face is in its frame, whoever says so: the networks or a person.

    Attributes:
        landmarks: `[68, 2]`, frame pixels.
        box: `[4]` left, top, right, bottom, frame pixels.
        provenance: Plain values for our own key of the record, besides those of the frame.
    """

    landmarks: Landmarks
    box: FloatArray
    provenance: Mapping[str, object] = field(default_factory=dict[str, object])

    @classmethod
    def by_hand(cls, landmarks: Landmarks) -> PlacedFace:
        """A face whose landmarks somebody has set; its box follows from them.

        Raises:
            FacesetError: The landmarks lie on one point or are not finite.
        """
        box = np.array(rect_from_landmarks(landmarks), np.float32)
        return cls(np.asarray(landmarks, np.float32), box, {"landmarks": "by hand"})


class FaceWriter:
    """Stores faces as `<frame>_<n>.jpg` with DeepFaceLab's metadata; safe to call from any thread.

    Args:
        aligned_dir: Where faces go; must exist.
        debug_dir: Where frames with faces drawn on go; None writes none.
        face_type: Extent of the crops.
        size: Side of the face pictures in pixels.
        jpeg_quality: Of the face pictures, 1..100.
        antialias: See `align_face`.
        watch: Adds up the stages' times.
    """

    def __init__(
        self,
        *,
        aligned_dir: Path,
        debug_dir: Path | None,
        face_type: FaceType,
        size: int,
        jpeg_quality: int,
        antialias: bool,
        watch: Stopwatch,
    ) -> None:
        self._aligned_dir = aligned_dir
        self._debug_dir = debug_dir
        self._face_type = face_type
        self._size = size
        self._jpeg_quality = jpeg_quality
        self._antialias = antialias
        self._watch = watch

    @property
    def writes_debug(self) -> bool:
        """Whether frames with faces drawn on are written."""
        return self._debug_dir is not None

    def write(self, frame: SourceFrame, faces: Sequence[FoundFace]) -> list[Path]:
        """Write all faces of a frame and its debug picture; each file appears whole or not at all.

        Returns:
            The face files, which are not flushed to the disk yet.

        Raises:
            StorageError: Disk full, read-only or gone.
        """
        placed = [self.placed(face) for face in faces]
        paths: list[Path] = []
        for number, face in enumerate(placed):
            content = self.encoded(frame, face)
            path = self._aligned_dir / f"{frame.stem}_{number}.jpg"
            with self._watch.time("write"):
                write_bytes(path, content, durable=False)
            paths.append(path)
        self.write_debug(frame, placed)
        return paths

    def add(self, frame: SourceFrame, contents: Sequence[bytes]) -> list[Path]:
        """Write encoded faces under names that are free, and bring them to the disk.

        Nothing is overwritten; to put them in place of other faces see `redo.replace_faces`.

        Raises:
            StorageError: Disk full, read-only or gone.
        """
        paths: list[Path] = []
        number = 0
        for content in contents:
            while os.path.lexists(path := self._aligned_dir / f"{frame.stem}_{number}.jpg"):
                number += 1
            write_bytes(path, content, durable=False)
            paths.append(path)
        bring_to_disk(paths)
        return paths

    def placed(self, face: FoundFace) -> PlacedFace:
        """A found face with the landmarks it is aligned by.

        Heads are aligned by points on the surface, all others by the visible outline.
        """
        heads = (FaceType.HEAD, FaceType.HEAD_NO_ALIGN)
        landmarks = face.surface_landmarks if self._face_type in heads else face.landmarks
        provenance = {"score": round(face.score, 4), "presence": round(face.presence, 4)}
        return PlacedFace(landmarks, face.box, provenance)

    def encoded(self, frame: SourceFrame, face: PlacedFace) -> bytes:
        """The face file of a face: the same bytes for the same face and frame.

        Raises:
            FacesetError: The landmarks lie on one point.
        """
        with self._watch.time("align"):
            aligned = align_face(
                frame.image,
                face.landmarks,
                face.box,
                face_type=self._face_type,
                size=self._size,
                source_filename=frame.filename,
                antialias=self._antialias,
                provenance={**frame.provenance, **face.provenance, "version": __version__},
            )
            return embed(encode_jpeg(aligned.image, self._jpeg_quality), aligned.record)

    def write_debug(self, frame: SourceFrame, faces: Sequence[PlacedFace]) -> None:
        """Write the frame with its faces drawn on, plain if it has none.

        Raises:
            StorageError: Disk full, read-only or gone.
        """
        if self._debug_dir is None:
            return
        with self._watch.time("debug"):
            picture = frame.image.copy() if faces else frame.image
            for face in faces:
                draw_face(
                    picture, face.landmarks, face.box, face_type=self._face_type, size=self._size
                )
            write_bytes(
                self._debug_dir / f"{frame.stem}.jpg", encode_jpeg(picture, QUALITY), durable=False
            )


def bring_to_disk(paths: Sequence[Path]) -> None:
    """Flush files, then their folders, so that a journal line never outlives its faces.

    Raises:
        StorageError: Disk full, read-only or gone.
    """
    folders: set[Path] = set()
    for path in paths:
        with storage_errors(path):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        folders.add(path.parent)
    for folder in folders:
        fsync_dir(folder)
