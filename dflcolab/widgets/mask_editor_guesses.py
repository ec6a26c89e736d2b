"""Outlines that the mask editor proposes for a face: a first guess, or those of a frame nearby."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dflcolab.errors import DFLColabError
from dflcolab.faces.alignment import transform_points, umeyama
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.guesses import GuessKind
from dflcolab.faceset.label_flow import carried_over
from dflcolab.faceset.label_guess import hull_guess, mask_guess
from dflcolab.formats.dfl_jpeg import Face
from dflcolab.widgets.mask_editor_files import KnownFace
from dflcolab.widgets.mask_editor_overlays import Predictor


@dataclass(frozen=True, eq=False)
class Proposal:
    """Outlines for a face.

    Attributes:
        polygons: In pixels of its picture; none where nothing could be proposed.
        kind: What they were made from.
        note: That in words, or why there are none.
    """

    polygons: tuple[Polygon, ...]
    kind: GuessKind
    note: str


def first_guess(face: Face, predictor: Predictor) -> Proposal:
    """What the network says, else the stored mask, else the landmarks' hull.

    Raises:
        FormatError: The face's picture or stored mask is damaged.
    """
    why = ""
    if predictor.exists:
        try:
            found = mask_guess(predictor.mask(face), face.height, face.width)
        except DFLColabError as error:
            found, why = (), f"{error} "
        if found:
            return Proposal(found, "model", "Guessed by the XSeg model.")
        why = why or "The XSeg model sees no face here. "
    mask = face.decode_mask()
    found = () if mask is None else mask_guess(mask, face.height, face.width)
    if found:
        return Proposal(found, "masks", f"{why}Guessed from the stored mask.")
    hull = hull_guess(face.record, face.height, face.width)
    sentence = "Guessed from the landmarks' hull."
    if not hull:
        sentence = "The landmarks lie outside of the picture; draw the outline."
    return Proposal(hull, "hull", f"{why}{sentence}")


def nearest_drawn(faces: Sequence[KnownFace], here: KnownFace, by: int) -> KnownFace | None:
    """The nearest face of the same video with drawn outlines, before (-1) or after (1) `here`.

    Of several in a frame the one nearest in the frame.
    """

    def away(face: KnownFace) -> tuple[int, float]:
        frames = (face.frame.number - here.frame.number) * by
        return frames, float(np.hypot(*np.subtract(face.middle, here.middle)))

    found = [
        face
        for face in faces
        if face.labelled
        and not face.guessed
        and face.frame.numbered
        and face.frame.video == here.frame.video
        and away(face)[0] > 0
    ]
    return min(found, key=away, default=None)


def copied(source: Face, target: Face) -> Proposal:
    """The outlines of another frame's face, moved to where their content lies in this one.

    Optical flow moves them; where it does not agree with the picture, the landmarks do.

    Raises:
        FormatError: A picture is damaged.
    """
    polygons = source.record.polygons
    carried = carried_over(polygons, source.decode(), target.decode())
    if carried.trusted:
        return Proposal(carried.polygons, "neighbours", "moved as the picture moves")
    matrix = umeyama(source.record.landmarks, target.record.landmarks)[:2]
    moved = tuple(
        replace(polygon, points=transform_points(polygon.points, matrix)) for polygon in polygons
    )
    sentence = "moved with the landmarks only, since the picture changed: look closely"
    return Proposal(moved, "neighbours", sentence)
