"""A workspace with the faces of the demo clips, made by the pipeline itself."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from dflcolab.extraction.config import ExtractConfig
from dflcolab.pipeline.extract import extract
from dflcolab.pipeline.init import init
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.settings import RightsBasis
from dflcolab.workspace.workspace import Side, Workspace

_SRC_FPS = 8.0
_FACE_SIZE = 128


def demo_workspace(root: Path) -> Workspace:
    """The workspace `root` with 158 faces of src and 72 of dst, 128 pixels; made where missing.

    Small files and a thinned src, since the benchmarks that use them train at 64 pixels.
    """
    clips = Path(str(files("dflcolab"))) / "assets" / "demo"
    config = InitConfig(
        src=(clips / "studio_woman.mp4",),
        dst=(clips / "webcam_man.mp4",),
        src_rights=RightsBasis.LICENSED,
        dst_rights=RightsBasis.LICENSED,
    )
    init(root, config)
    workspace = Workspace.open(root)
    extract(workspace, ExtractConfig(side=Side.SRC, fps=_SRC_FPS, size=_FACE_SIZE))
    extract(workspace, ExtractConfig(side=Side.DST, size=_FACE_SIZE))
    return workspace
