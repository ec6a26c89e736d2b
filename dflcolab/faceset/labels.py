# pyright: strict
"""The outlines that people drew on faces: what there is, and what it covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dflcolab.faces.face_record import FaceRecord, Polygon
from dflcolab.faces.polygons import polygon_mask
from dflcolab.faces.pose import pose

_TURNED = 0.35  # radians of yaw beyond which a head counts as turned


@dataclass(frozen=True, eq=False)
class FaceLabel:
    """The outlines of one face.

    Attributes:
        name: File name.
        width: Of the face's picture in pixels.
        height: Of it.
        polygons: In stored order.
        guess: What they were made from, if a program made them and nobody changed them (see
            `faces.guesses`); "" for drawn ones.
    """

    name: str
    width: int
    height: int
    polygons: tuple[Polygon, ...]
    guess: str = ""

    def count(self, *, include: bool) -> int:
        """Outlines of a kind that have points."""
        return sum(p.include is include and len(p.points) > 0 for p in self.polygons)

    @property
    def points(self) -> int:
        """Points of all outlines."""
        return sum(len(polygon.points) for polygon in self.polygons)

    @property
    def share(self) -> float:
        """Part of the picture that the outlines enclose, 0..1."""
        return float(polygon_mask(self.polygons, self.height, self.width).mean())


@dataclass(frozen=True)
class LabelStatistics:
    """What the labels of a side are like.

    Attributes:
        labelled: Faces with outlines.
        unlabelled: Faces without.
        guessed: Labelled faces whose outlines are guesses that nobody has changed.
        including: Outlines that add to masks, over all faces.
        excluding: Outlines that cut out.
        with_excluding: Faces that have at least one outline of that kind.
        points_per_face: Median; 0 without labels.
        share: Mean part of the picture inside of the outlines; 0 without labels.
        turned_left: Labelled faces whose nose points to the picture's left.
        frontal: Labelled faces that look ahead.
        turned_right: Labelled faces whose nose points to the picture's right.
        stretches: Stretches of neighbouring frames that hold a label.
        all_stretches: Stretches that there are.
    """

    labelled: int
    unlabelled: int
    guessed: int
    including: int
    excluding: int
    with_excluding: int
    points_per_face: float
    share: float
    turned_left: int
    frontal: int
    turned_right: int
    stretches: int
    all_stretches: int

    def sentences(self) -> list[str]:
        """In words."""
        if not self.labelled:
            return [f"None of {self.unlabelled} faces is labelled."]
        every = self.labelled + self.unlabelled
        where = f"{self.stretches} of {self.all_stretches} stretches of neighbouring frames"
        inside = f"{100 * self.share:.0f} % of the picture inside"
        turned = f"left {self.turned_left}, ahead {self.frontal}, right {self.turned_right}"
        guessed = f"Of {self.guessed} the outlines are guesses that nobody has changed."
        return [
            f"{self.labelled} of {every} faces are labelled, in {where}.",
            f"{self.with_excluding} of them have something cut out.",
            f"{self.including} outlines add, {self.excluding} cut out.",
            f"{self.points_per_face:.0f} points a face, {inside}.",
            f"Heads turned {turned}.",
            *([guessed] if self.guessed else []),
        ]


def label_statistics(
    labels: Sequence[FaceLabel], records: Sequence[FaceRecord], stretches: Sequence[int]
) -> LabelStatistics:
    """Sum the labels of a side up.

    Args:
        labels: Of all faces, also of those without outlines.
        records: The same faces.
        stretches: Of each face, the number of its stretch of neighbouring frames.
    """
    drawn = [i for i, record in enumerate(records) if record.has_points]
    found = [labels[i] for i in drawn]
    yaws = np.array([pose(records[i].landmarks, labels[i].width).yaw for i in drawn])
    left, right = int((yaws > _TURNED).sum()), int((yaws < -_TURNED).sum())
    return LabelStatistics(
        labelled=len(found),
        unlabelled=len(labels) - len(found),
        guessed=sum(bool(label.guess) for label in found),
        including=sum(label.count(include=True) for label in found),
        excluding=sum(label.count(include=False) for label in found),
        with_excluding=sum(label.count(include=False) > 0 for label in found),
        points_per_face=float(np.median([label.points for label in found])) if found else 0.0,
        share=float(np.mean([label.share for label in found])) if found else 0.0,
        turned_left=left,
        frontal=len(found) - left - right,
        turned_right=right,
        stretches=len({stretches[i] for i in drawn}),
        all_stretches=len(set(stretches)),
    )
