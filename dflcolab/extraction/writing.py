"""Writing the faces of a frame, and the frame with them drawn on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dflcolab import __version__
from dflcolab.arrays import Landmarks
from dflcolab.detection.faces import FoundFace
from dflcolab.extraction.alignment import align_face, encode_jpeg
from dflcolab.extraction.debug_view import QUALITY, draw_face
from dflcolab.extraction.report import Stopwatch
from dflcolab.extraction.sources import SourceFrame
from dflcolab.faces.face_type import FaceType
from dflcolab.files import write_bytes
from dflcolab.formats.dfl_jpeg import embed


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

    def write(self, frame: SourceFrame, faces: Sequence[FoundFace]) -> list[Path]:
        """Write all faces of a frame; each file appears whole or not at all.

        Returns:
            The face files, which are not flushed to the disk yet.

        Raises:
            StorageError: Disk full, read-only or gone.
        """
        paths: list[Path] = []
        for number, face in enumerate(faces):
            with self._watch.time("align"):
                content = self._encoded(frame, face)
            path = self._aligned_dir / f"{frame.stem}_{number}.jpg"
            with self._watch.time("write"):
                write_bytes(path, content, durable=False)
            paths.append(path)
        if self._debug_dir is not None:
            with self._watch.time("debug"):
                self._write_debug(frame, faces, self._debug_dir)
        return paths

    def _landmarks(self, face: FoundFace) -> Landmarks:
        """Heads are aligned by points on the surface, all others by the visible outline."""
        heads = (FaceType.HEAD, FaceType.HEAD_NO_ALIGN)
        return face.surface_landmarks if self._face_type in heads else face.landmarks

    def _encoded(self, frame: SourceFrame, face: FoundFace) -> bytes:
        provenance = {
            **frame.provenance,
            "score": round(face.score, 4),
            "presence": round(face.presence, 4),
            "version": __version__,
        }
        aligned = align_face(
            frame.image,
            self._landmarks(face),
            face.box,
            face_type=self._face_type,
            size=self._size,
            source_filename=frame.filename,
            antialias=self._antialias,
            provenance=provenance,
        )
        return embed(encode_jpeg(aligned.image, self._jpeg_quality), aligned.record)

    def _write_debug(self, frame: SourceFrame, faces: Sequence[FoundFace], folder: Path) -> None:
        picture = frame.image.copy() if faces else frame.image
        for face in faces:
            draw_face(picture, face.landmarks, face.box, face_type=self._face_type, size=self._size)
        write_bytes(folder / f"{frame.stem}.jpg", encode_jpeg(picture, QUALITY), durable=False)
