# pyright: strict
"""Outlines that a program made and nobody has looked at yet, told from drawn ones.

A guess is marked in our own part of a face's metadata, together with a digest of its outlines, so the
mark follows the face through sorting, packing and copies. Whoever moves a point, here or in
DeepFaceLab's editor, makes outlines that the digest does not fit, and they count as drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, cast, get_args

import numpy as np

from dflcolab.faces.face_record import PROVENANCE_KEY, FaceRecord, Polygon
from dflcolab.faces.polygons import drawing_order

GuessKind = Literal["hull", "masks", "model", "neighbours"]
"""What outlines were made from: the landmarks' hull, a mask that the face carried, what an XSeg network
says now, or the drawn outlines of a neighbouring frame."""

_KEY = "outlines_from"


def with_guess(record: FaceRecord, polygons: Sequence[Polygon], kind: GuessKind) -> FaceRecord:
    """The record with these outlines, marked as a guess."""
    own = {**record.provenance, _KEY: f"{kind} {_digest(polygons)}"}
    return record.replace(polygons=tuple(polygons), extra={**record.extra, PROVENANCE_KEY: own})


def guess_kind(record: FaceRecord) -> GuessKind | None:
    """What the outlines were made from; None for drawn ones, changed guesses, and no outlines."""
    kind, _, digest = str(record.provenance.get(_KEY, "")).partition(" ")
    if not record.has_points or kind not in get_args(GuessKind):
        return None
    return cast(GuessKind, kind) if digest == _digest(record.polygons) else None


def learned_from(record: FaceRecord) -> bool:
    """Whether masks are learned from the outlines: drawn ones, and such carried over from them.

    Guesses of other kinds say what hull or network said anyway, until somebody changes them.
    """
    return record.has_points and guess_kind(record) in (None, "neighbours")


def without_guess_mark(record: FaceRecord) -> FaceRecord:
    """The record with its outlines as they are, counted as drawn: somebody looked and agrees."""
    if _KEY not in record.provenance:
        return record
    own = {key: value for key, value in record.provenance.items() if key != _KEY}
    extra = {key: value for key, value in record.extra.items() if key != PROVENANCE_KEY}
    return record.replace(extra={**extra, PROVENANCE_KEY: own} if own else extra)


def _digest(polygons: Sequence[Polygon]) -> str:
    """Of the outlines in the order that files are read in, 16 hexadecimal digits."""
    found = hashlib.sha256()
    for polygon in drawing_order(polygons):
        points = np.ascontiguousarray(polygon.points, np.float32)
        found.update(f"{polygon.include} {len(points)} ".encode() + points.tobytes())
    return found.hexdigest()[:16]
