"""A workspace with six frames of the sample clip as pictures, and the faces found in them."""

from __future__ import annotations

from pathlib import Path

import cv2

from dflcolab.extraction.config import ExtractConfig
from dflcolab.pipeline.extract import extract
from dflcolab.workspace.settings import WorkspaceSettings, write_settings
from dflcolab.workspace.workspace import Side, Workspace
from tests.material import WEBCAM_MAN, frame_of

N_FRAMES = 6


def framed_workspace(root: Path) -> Workspace:
    root.mkdir(parents=True, exist_ok=True)
    write_settings(root, WorkspaceSettings(name="framed"))
    workspace = Workspace.open(root)
    folder = workspace.frames_dir(Side.DST)
    folder.mkdir()
    for number in range(1, N_FRAMES + 1):
        cv2.imwrite(str(folder / f"{number:05d}.png"), frame_of(WEBCAM_MAN, 2 * number))
    extract(workspace, ExtractConfig(side=Side.DST, size=256))
    assert len(list(workspace.aligned_dir(Side.DST).glob("*.jpg"))) == N_FRAMES
    return workspace
