# pyright: strict
"""Options of `extract`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dflcolab.config import Config, option
from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType
from dflcolab.workspace.workspace import Side

_HEAD_SIZE = 768
_USUAL_SIZE = 512


@dataclass(frozen=True, kw_only=True)
class ExtractConfig(Config):
    """How faces are found, cut out and stored."""

    side: Side
    """Whose faces: `src` gives the face, `dst` is the footage that receives it."""

    from_video: bool = False
    """Read the side's videos even if there are also frames as pictures. Without this and
    `--frames`, pictures in `data_src/` or `data_dst/` are used where there are any, else the
    videos. Reading the video directly saves gigabytes of pictures."""

    frames: bool = False
    """Read the pictures in `data_src/` or `data_dst/` only. For material that never was a video, or
    frames that were edited by hand."""

    fps: float | None = option(None, low=0.01, high=1000)
    """Frames per second to look at; everything when not given. Lower it for long src videos, where
    neighbouring frames teach little; leave it for dst, where every frame is needed at the merge."""

    face_type: FaceType | None = None
    """Extent of the crop; the workspace's own when not given (whole_face unless set otherwise). All
    faces of a side must have the same."""

    size: int | None = option(None, low=64, high=2048)
    """Side of the face pictures in pixels; 512 when not given, 768 for heads. Larger keeps more
    detail of close-ups and costs space and loading time."""

    max_faces: int = option(0, low=0, high=1000)
    """Keep only that many of the largest faces per frame; 0 keeps all. 1 saves sorting when the
    person is always the largest."""

    min_face: int = option(24, low=8, high=4096)
    """Smallest longer side of a face in pixels of the frame. Raise it to leave out people in the
    background; below 40 the landmarks get rough."""

    small_faces: bool = False
    """Look for faces under 3 % of the frame everywhere. Three times the detector's cost, more false
    faces."""

    rotations: bool = False
    """Look at frames turned by quarter turns as well: for groups filmed on the side and people who
    lie among others. A single large face is found in any position without it. Four times the
    detector's cost."""

    debug: bool | None = None
    """Write frames with landmarks drawn on to `aligned_debug/`, to check the result by eye. When not
    given: yes for dst, no for src. Costs space and about a fifth of the time."""

    jpeg_quality: int = option(90, low=1, high=100)
    """JPEG quality of the face pictures. 100 doubles the space for little to see."""

    antialias: bool = option(True, advanced=True)
    """Average pixels where a crop shrinks the frame by two or more, instead of skipping them as
    DeepFaceLab does. Turn off for pictures equal to DeepFaceLab's."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where the networks run. The bundled ones are small and run on the CPU, whatever is asked; a
    GPU would wait for the decoding anyway."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.from_video and self.frames:
            raise ConfigError("from_video and frames exclude each other; give one of them.")

    def size_for(self, face_type: FaceType) -> int:
        """Side of the face pictures in pixels, with the default of the face type filled in."""
        if self.size is not None:
            return self.size
        return _HEAD_SIZE if face_type in (FaceType.HEAD, FaceType.HEAD_NO_ALIGN) else _USUAL_SIZE

    @property
    def wants_debug(self) -> bool:
        """Whether debug pictures are written, with the default of the side filled in."""
        return self.side is Side.DST if self.debug is None else self.debug
