# pyright: strict
"""Which faces the mask editor offers first: those worth labelling, or those the network doubts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dflcolab.errors import ModelError
from dflcolab.pipeline.mask_next import next_labels
from dflcolab.workspace.workspace import Side, Workspace
from dflcolab.xseg.config import MaskConfig

NEXT = 20
"""Faces offered at once; then the choice is made anew, with what was labelled meanwhile."""

_MOST = 1000  # as many as `mask next` looks at


@dataclass(frozen=True)
class Suggestions:
    """What `mask next` says of a side.

    Attributes:
        workspace: Where the faces are.
        side: Whose faces.
        model: Name of the XSeg model that is asked where there is one.
    """

    workspace: Workspace
    side: Side
    model: str

    def names(self, kind: Literal["next", "uncertain"]) -> list[str]:
        """Faces by name: the most useful first, or the least certain first.

        Raises:
            ModelError: Certainty is asked for, and no network has learned masks yet.
            CheckpointError: No checkpoint of the network is whole.
        """
        count = NEXT if kind == "next" else _MOST
        config = MaskConfig(action="next", side=self.side, model=self.model, count=count)
        report = next_labels(self.workspace, config)
        if kind == "next":
            return [face.name for face in report.faces]
        if report.faces and not report.model:
            raise ModelError(
                "There is no trained XSeg model that could be uncertain; run `dflcolab mask train` "
                f"first, or look at the {NEXT} faces to label next."
            )
        doubts = {face.name: face.doubt or 0.0 for face in report.faces}
        return sorted(doubts, key=lambda name: -doubts[name])
