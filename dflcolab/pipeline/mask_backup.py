"""Outlines drawn by hand are never just thrown away: they go to a file in `history/`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from dflcolab.faces.face_record import FaceRecord
from dflcolab.files import storage_errors, write_text
from dflcolab.workspace.workspace import Workspace


def keep_polygons(
    workspace: Workspace, side: str, faces: Iterable[tuple[Path, FaceRecord]]
) -> Path | None:
    """Write the outlines of these faces to a JSON file.

    Returns:
        The file; None where no face has outlines.

    Raises:
        StorageError: The disk is full or read-only.
    """
    drawn = {
        path.name: [
            {"include": polygon.include, "points": polygon.points.tolist()}
            for polygon in record.polygons
        ]
        for path, record in faces
        if record.has_points
    }
    if not drawn:
        return None
    time = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    target = workspace.history_dir / f"polygons-{side}-{time}.json"
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, json.dumps({"version": 1, "faces": drawn}))
    return target
