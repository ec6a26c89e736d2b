"""Outlines drawn by hand are never just thrown away: they go to a file in `history/`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from dflcolab.faceset.coco_labels import coco_text
from dflcolab.faceset.labels import FaceLabel
from dflcolab.files import storage_errors, write_text
from dflcolab.workspace.workspace import Workspace


def keep_polygons(workspace: Workspace, side: str, labels: Sequence[FaceLabel]) -> Path | None:
    """Write outlines to a COCO file, from which `mask labels --from` takes them back.

    Returns:
        The file; None where no face has outlines.

    Raises:
        StorageError: The disk is full or read-only.
    """
    drawn = [label for label in labels if label.points]
    if not drawn:
        return None
    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    target = workspace.history_dir / f"polygons-{side}-{time}.json"
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, coco_text(drawn))
    return target
