"""A workspace with the faces of the demo clips, made by the pipeline itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from dflcolab.extraction.config import ExtractConfig
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import Faceset, load_faceset
from dflcolab.pipeline.extract import extract
from dflcolab.pipeline.init import init
from dflcolab.progress import Progress
from dflcolab.training.dataset import TrainingFaces, prepare_faces
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.settings import RightsBasis
from dflcolab.workspace.workspace import Side, Workspace

CACHE = Path(__file__).parents[1] / ".benchmarks"
"""What benchmarks keep from run to run; may be deleted."""

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


def cached_demo_workspace() -> Workspace:
    """`demo_workspace`, made by the first benchmark that needs it and kept in `CACHE`."""
    root = CACHE / "demo-workspace"
    if not root.exists():
        CACHE.mkdir(exist_ok=True)
        half_made = Path(tempfile.mkdtemp(prefix="demo-workspace.", dir=CACHE))
        demo_workspace(half_made)
        try:
            half_made.rename(root)
        except OSError:  # another benchmark was quicker
            shutil.rmtree(half_made)
    return Workspace.open(root)


def demo_faces(face_type: FaceType, resolution: int) -> tuple[TrainingFaces, TrainingFaces]:
    """The faces of both sides as the training step wants them."""
    workspace = cached_demo_workspace()

    def side(which: Side) -> TrainingFaces:
        faceset = load_faceset(workspace.aligned_dir(which))
        return faces_to_train(faceset, range(len(faceset)), face_type, resolution)

    return side(Side.SRC), side(Side.DST)


def faces_to_train(
    faceset: Faceset, chosen: Sequence[int], face_type: FaceType, resolution: int
) -> TrainingFaces:
    """Some faces as the training step wants them."""
    return prepare_faces(
        faceset, chosen, face_type=face_type, resolution=resolution,
        title="Faces", progress=Progress(), cache_dir=CACHE / "faces", problems=[],
    )  # fmt: skip
