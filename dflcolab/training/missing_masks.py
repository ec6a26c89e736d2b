"""Faces without an XSeg mask, or with an empty one, where an option lives on such masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import Faceset
from dflcolab.formats.xseg_masks import is_empty_mask
from dflcolab.models.kinds import SwapModelOptions

_NAMED = 3
_SHOWS_FOREHEAD = (FaceType.WHOLE, FaceType.HEAD)


def missing_masks(options: SwapModelOptions, facesets: Mapping[str, Faceset]) -> str:
    """A sentence on the faces whose hull stands in for the XSeg mask that an option wants.

    Training goes on with the hull of their landmarks, as DeepFaceLab does. The hull ends above the
    brows, so whole faces and heads learn no forehead and no hair by it, and it knows nothing of what
    covers a face. Where a half face is all that is learned, it is a good mask; it is named there only
    beside faces that do have XSeg masks, since a model cannot learn both outlines.

    An empty mask is used as it is, as DeepFaceLab does, so that nothing is learned from its face. That
    is right where the face, or the part that is swapped, is covered; else the network failed.

    Args:
        options: Of the model.
        facesets: By side.

    Returns:
        How many faces and which, and what to do; "" where no option wants masks, or all have them.
    """
    wanted_by = _wanted_by(options)
    if not wanted_by:
        return ""
    counts: list[str] = []
    names: list[str] = []
    some_masked = False
    for side, faceset in facesets.items():
        bare = [
            name
            for name, record in zip(faceset.names, faceset.records, strict=True)
            if not record.xseg_mask or is_empty_mask(record.xseg_mask)
        ]
        some_masked |= len(bare) < len(faceset)
        if bare:
            counts.append(f"{len(bare)} of {len(faceset)} faces of {side}")
            names += [f"{side} {name}" for name in bare]
    if not counts or not (some_masked or _needs_more_than_hull(options)):
        return ""
    return _sentence(counts, names, wanted_by)


def _wanted_by(options: SwapModelOptions) -> str:
    """What makes use of masks, in words."""
    if getattr(options, "blur_out_mask", False):
        return "blur_out_mask"
    # Other kinds than SAEHD always train inside of the mask.
    return "masked training" if getattr(options, "masked_training", True) else ""


def _needs_more_than_hull(options: SwapModelOptions) -> bool:
    return options.face_type in _SHOWS_FOREHEAD or getattr(options, "blur_out_mask", False)


def _sentence(counts: Sequence[str], names: Sequence[str], wanted_by: str) -> str:
    named = ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
    return (
        f"{' and '.join(counts)} have no XSeg mask, or an empty one ({named}), which {wanted_by} works "
        "with; where there is none the hull of their landmarks stands in, which leaves out forehead "
        "and hair and lets in what covers the face. Mask them with `dflcolab mask apply`."
    )
