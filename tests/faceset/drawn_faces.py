"""The faces with outlines drawn by hand (`tests/data/masks`)."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dflcolab.faces.face_record import Polygon
from dflcolab.faces.polygons import polygon_mask
from dflcolab.formats.dfl_jpeg import Face, read_face

FOLDER = Path(__file__).parents[1] / "data" / "masks"


@functools.cache
def drawn_face(name: str) -> Face:
    """A labelled face by the stem of its file: `speech_man_00145`."""
    return read_face(FOLDER / f"{name}.jpg")


def plane(polygons: tuple[Polygon, ...], face: Face) -> npt.NDArray[np.bool_]:
    """What outlines enclose in a face's picture, `[H, W]`."""
    return polygon_mask(polygons, face.height, face.width)[..., 0] > 0


def drawn_plane(face: Face) -> npt.NDArray[np.bool_]:
    """The drawn mask of a face, `[H, W]`."""
    return plane(face.record.polygons, face)
