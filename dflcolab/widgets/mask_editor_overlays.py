"""What can lie over a face in the mask editor: the hull, the stored mask, what the network says now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import cv2
import numpy as np

from dflcolab.arrays import Mask
from dflcolab.engine.checkpoint import list_checkpoints
from dflcolab.errors import DFLColabError
from dflcolab.faces.face_record import Polygon
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.faces.mask_outlines import outlines_of
from dflcolab.formats.dfl_jpeg import Face

if TYPE_CHECKING:
    from dflcolab.xseg.predictor import MaskPredictor

OverlayKind = Literal["none", "prediction", "stored", "hull"]
OVERLAYS: tuple[OverlayKind, ...] = get_args(OverlayKind)
_TOLERANCE = 0.6  # pixels: shown only, so its points need not be few


@dataclass(frozen=True, eq=False)
class Overlay:
    """A mask over a face.

    Attributes:
        kind: What was asked for.
        polygons: Its outlines, in pixels of the face's picture.
        note: What it is, or why there is none; "" if that needs no word.
    """

    kind: OverlayKind
    polygons: tuple[Polygon, ...] = ()
    note: str = ""


class Predictor:
    """Masks of a side's XSeg network: loaded when first asked for, and again when it has learned.

    Args:
        model_dir: The network's folder.
    """

    def __init__(self, model_dir: Path) -> None:
        self._folder = model_dir
        self._loaded: tuple[Path, MaskPredictor] | None = None

    @property
    def exists(self) -> bool:
        """True if the network has a checkpoint."""
        return bool(list_checkpoints(self._folder))

    def get(self) -> MaskPredictor:
        """The network of the newest checkpoint.

        Raises:
            ModelError: There is none, it swaps faces, or has only been pretrained.
            CheckpointError: No checkpoint is whole.
        """
        from dflcolab.xseg.predictor import load_mask_predictor

        found = list_checkpoints(self._folder)
        newest = found[-1].folder if found else self._folder
        if self._loaded is None or self._loaded[0] != newest:
            self._loaded = newest, load_mask_predictor(self._folder)
        return self._loaded[1]

    def mask(self, face: Face) -> Mask:
        """What the network says of a face: `[256, 256, 1]` of 0 and 1, over its whole picture.

        Raises:
            ModelError: As `get`.
            CheckpointError: As `get`.
            FormatError: The picture is damaged.
        """
        from dflcolab.xseg.predictor import mask_of_face, network_input

        network = self.get()
        ready = network_input(face.decode(), face.record, network.face_type)
        found = network.predict(ready[None].astype(np.float32) / 255)[0]
        return mask_of_face(found, face.record, network.face_type, face.width)


def overlay_of(face: Face, kind: OverlayKind, predictor: Predictor) -> Overlay:
    """What `kind` shows of a face; a prediction that cannot be made becomes the stored mask.

    Raises:
        FormatError: The face's picture or stored mask is damaged.
    """
    if kind == "none":
        return Overlay(kind)
    if kind == "hull":
        brows = face.record.eyebrows_expand_mod
        mask = hull_mask(face.record.landmarks, face.height, face.width, eyebrows_expand=brows)
        return Overlay(kind, outlines_of(mask, tolerance=_TOLERANCE))
    why = "" if kind == "stored" else "There is no XSeg model yet; "
    if kind == "prediction" and predictor.exists:
        try:
            mask = predictor.mask(face)
            found = _outlines(mask, face)
            note = f"Prediction of iteration {predictor.get().iteration}"
            return Overlay(kind, found, f"{note}." if found else f"{note}: it sees no face here.")
        except DFLColabError as error:
            why = f"{error} "
    mask = face.decode_mask()
    if mask is None:
        sentence = f"{why}the face has no stored mask." if why else "The face has no stored mask."
        return Overlay(kind, (), sentence)
    return Overlay(kind, _outlines(mask, face), f"{why}the stored mask is shown." if why else "")


def _outlines(mask: Mask, face: Face) -> tuple[Polygon, ...]:
    size = (face.width, face.height)
    large = cv2.resize(mask, size, interpolation=cv2.INTER_CUBIC)
    return outlines_of(large, tolerance=_TOLERANCE)
