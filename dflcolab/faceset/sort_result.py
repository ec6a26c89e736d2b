# pyright: strict
"""What every kind of sorting hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import FacesetError

NO_SHARPNESS = "sharpness cannot be measured"


@dataclass(frozen=True)
class SortedFaces:
    """The outcome of sorting; no file has been touched yet.

    Attributes:
        order: File names, first to last.
        scores: What the order follows, by name; empty for kinds that compare faces in a chain.
        rejected: Files that do not belong in the order, with the reason.
        renamed: New names that the kind itself asks for; None means numbers in order.
    """

    order: tuple[str, ...]
    scores: Mapping[str, float | str]
    rejected: Mapping[str, str]
    renamed: Mapping[str, str] | None = None


def checked(found: SortedFaces, paths: Sequence[Path]) -> SortedFaces:
    """The same, if anything is left in the order.

    Raises:
        FacesetError: Nothing is: the folder holds no such faces.
    """
    if not found.order:
        raise FacesetError(
            f"None of the {len(paths)} pictures in {paths[0].parent} can be sorted this way "
            "(no face data in them); extract the faces again or choose another kind."
        )
    return found
