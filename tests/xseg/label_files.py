"""A small workspace with real faces, some of them labelled."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dflcolab.faces.face_record import Polygon
from dflcolab.formats.dfl_jpeg import read_face, read_record, replace_record
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Side, Workspace
from tests.formats.face_files import VECTORS

FACES = VECTORS / "sort" / "faces"


def sample_workspace(root: Path, *, side: Side = Side.SRC) -> Workspace:
    """A workspace with the 20 faces of the sorting vectors, without masks and outlines."""
    write_settings(_made(root), WorkspaceSettings(name="masks"))
    workspace = Workspace.open(root)
    folder = _made(workspace.aligned_dir(side))
    for path in sorted(FACES.glob("*.jpg")):
        record = read_record(path)
        if record is not None:
            target = folder / path.name
            target.write_bytes(path.read_bytes())
            replace_record(target, record.replace(polygons=(), xseg_mask=None))
    return workspace


def face_paths(workspace: Workspace, side: Side = Side.SRC) -> list[Path]:
    return sorted(workspace.aligned_dir(side).glob("*.jpg"))


def label(path: Path, *polygons: Polygon) -> None:
    """Give a face these outlines; without any, an oval around the landmarks with a bar cut out."""
    record = read_record(path)
    assert record is not None
    replace_record(path, record.replace(polygons=polygons or drawn_face(path)))


def drawn_face(path: Path) -> tuple[Polygon, ...]:
    face = read_face(path)
    points = face.record.landmarks
    middle, reach = points.mean(axis=0), 0.62 * np.ptp(points, axis=0)
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    oval = middle + reach * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    bar = middle + reach * np.array([[-1.2, 0.1], [1.2, 0.0], [1.2, 0.2], [-1.2, 0.3]])
    return Polygon(True, oval.astype(np.float32)), Polygon(False, bar.astype(np.float32))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
