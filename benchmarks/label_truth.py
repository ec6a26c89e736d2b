"""Faces with masks drawn by hand, and the frames between them with outlines carried over from these.

A faceset has hundreds of near-equal frames, of which the drawn faces were picked for variety. So the
faces that labels are chosen from are the drawn ones and other frames of their clips, as far as
`label_flow` carries the outlines of a drawn neighbour over: every third of all clips, or every frame of
one long clip beside which all else is rare. Networks are judged by drawn faces only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faceset.faceset import load_faceset
from dflcolab.faceset.label_choice import LabelLook, label_look
from dflcolab.faceset.label_flow import carried_over
from dflcolab.faceset.label_guess import hull_guess
from dflcolab.formats.dfl_jpeg import read_face
from dflcolab.training.augment import PADDING

FACES = Path(__file__).parents[1] / "tests" / "data" / "masks"
_CELL = 50  # frames of a stretch
_EVERY = 3
_REACH = 24  # frames over which outlines are carried
_NEAR = 10  # frames

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class LabelledFace:
    """One face.

    Attributes:
        source: File name of its clip or photograph.
        frame: Counted from 1; None for photographs.
        occluded: Whether something is in front of it.
        by_hand: Whether its outlines were drawn, not carried over.
        look: What `mask next` compares.
        pixels: `[side + 6, side + 6, 5]`: BGR, mask, and the landmarks' hull.
    """

    source: str
    frame: int | None
    occluded: bool
    by_hand: bool
    look: LabelLook
    pixels: Bytes

    @property
    def group(self) -> str:
        """Its stretch of frames, or its photograph."""
        return self.source if self.frame is None else f"{self.source}:{self.frame // _CELL}"


class Truth:
    """All faces; those drawn by hand come first.

    Args:
        side: Of the small pictures, pixels.
        clips: Folder with a workspace per clip, named like it (`speech_man/data_src/aligned`), as
            `extract` leaves it; None: drawn faces only.
        long: Name of the clip that has all of its frames, while the others have their drawn ones;
            empty: all clips have every third.
    """

    def __init__(self, side: int, clips: Path | None, long: str = "") -> None:
        self.faces = [*_drawn(side)]
        self.n_drawn = len(self.faces)
        if clips is not None:
            self.faces += _carried(side, clips, long)
        self.groups = np.array([face.group for face in self.faces])
        self.occluded = np.array([face.occluded for face in self.faces])
        self.pixels = np.stack([face.pixels for face in self.faces])

    def split(self, seed: int, share: float) -> tuple[list[int], list[int]]:
        """The faces to choose from, and held-out ones.

        Held out are drawn faces of whole stretches and photographs, about `share` of all drawn ones.
        Frames of these stretches, and such beside them, are in neither.
        """
        generator = np.random.default_rng((seed, 17))
        own = self.groups[: self.n_drawn]
        held: list[int] = []
        for group in generator.permutation(sorted(set(own.tolist()))).tolist():
            if len(held) < round(share * self.n_drawn):
                held += np.flatnonzero(own == group).tolist()
        kept_out = set(self.groups[held].tolist())
        pool = [
            place
            for place, face in enumerate(self.faces)
            if face.group not in kept_out
            and (face.by_hand or not any(_beside(face, self.faces[other]) for other in held))
        ]
        return pool, held


def _beside(face: LabelledFace, other: LabelledFace) -> bool:
    same = face.source == other.source
    return same and abs((face.frame or 0) - (other.frame or 0)) < _NEAR


def _drawn(side: int) -> Iterator[LabelledFace]:
    faceset = load_faceset(FACES)
    rows: dict[str, Any] = {e["name"]: e for e in json.loads((FACES / "index.json").read_text())}
    for name, face in zip(faceset.names, faceset.faces, strict=True):
        row, picture = rows[name], face.decode()
        yield LabelledFace(
            row["source"],
            row["frame"],
            bool(row["occluded"]),
            True,
            label_look(picture, face.record),
            _pixels(picture, face.record, face.record.polygons, side),
        )


def _carried(side: int, clips: Path, long: str) -> Iterator[LabelledFace]:
    rows = json.loads((FACES / "index.json").read_text())
    all_clips = sorted({row["source"] for row in rows if row["frame"] is not None})
    for clip in [long] if long else all_clips:
        drawn = {row["frame"]: row for row in rows if row["source"] == clip}
        folder = clips / Path(clip).stem / "data_src" / "aligned"
        files = {int(path.stem.split("_")[0]): path for path in sorted(folder.glob("*_0.jpg"))}
        for frame in range(1, max(files, default=0) + 1, 1 if long else _EVERY):
            near = sorted((abs(frame - other), other) for other in drawn)[:2]
            if frame in drawn or frame not in files:
                continue
            face = read_face(files[frame])
            picture = face.decode()
            found: list[tuple[float, bool, tuple[Polygon, ...]]] = []
            for apart, other in near:
                known = read_face(FACES / drawn[other]["name"])
                moved = carried_over(known.record.polygons, known.decode(), picture)
                if moved.trusted and apart <= _REACH:
                    occluded = bool(drawn[other]["occluded"])
                    found.append((moved.agreement, occluded, moved.polygons))
            if found:
                _, occluded, polygons = max(found, key=lambda one: one[0])
                yield LabelledFace(
                    clip,
                    frame,
                    occluded,
                    False,
                    label_look(picture, face.record),
                    _pixels(picture, face.record, polygons, side),
                )


def _pixels(picture: Image, record: FaceRecord, polygons: tuple[Polygon, ...], side: int) -> Bytes:
    """Picture, mask and hull of a face, made small by averaging."""
    height, width = picture.shape[:2]
    outlines = (polygons, hull_guess(record, height, width))
    planes = [255 * polygon_mask(part, height, width) for part in outlines]
    whole = np.concatenate([picture.astype(np.float32), *planes], axis=2)
    small = np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA))
    around = ((PADDING, PADDING), (PADDING, PADDING), (0, 0))
    edges = np.pad(small[..., :3], around, mode="edge")
    return np.rint(np.concatenate([edges, np.pad(small[..., 3:], around)], axis=2)).astype(np.uint8)
