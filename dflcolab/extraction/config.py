# pyright: strict
"""Options of `extract` and `append`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dflcolab.config import Config, option
from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType
from dflcolab.workspace.workspace import Side

_HEAD_SIZE = 768
_USUAL_SIZE = 512


@dataclass(frozen=True, kw_only=True)
class FaceOptions(Config):
    """How faces are found, cut out and stored: what `extract` and `append` share."""

    side: Side
    """Whose faces: `src` gives the face, `dst` is the footage that receives it."""

    fps: float | None = option(None, low=0.01, high=1000)
    """Frames per second to look at; everything when not given. Lower it for long src videos, where
    neighbouring frames teach little; leave it for dst, where every frame is needed at the merge."""

    face_type: FaceType | None = None
    """Extent of the crop; the workspace's own when not given (whole_face unless set otherwise). All
    faces of a side must have the same."""

    size: int | None = option(None, low=64, high=2048)
    """Side of the face pictures in pixels. When not given: that of the faces that are there, else 512,
    768 for heads. Larger keeps more detail of close-ups and costs space and loading time."""

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
    given: yes for dst, no for src. Costs space and about a fifth of the time. Given in so many words,
    it also draws what is missing for faces that are there already, from their files."""

    jpeg_quality: int = option(90, low=1, high=100)
    """JPEG quality of the face pictures. 100 doubles the space for little to see."""

    antialias: bool = option(True, advanced=True)
    """Average pixels where a crop shrinks the frame by two or more, instead of skipping them as
    DeepFaceLab does. Turn off for pictures equal to DeepFaceLab's."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where the networks run. The bundled ones are small and run on the CPU, whatever is asked; a
    GPU would wait for the decoding anyway."""

    def size_for(self, face_type: FaceType, present: int | None = None) -> int:
        """Side of the face pictures in pixels, with the default filled in.

        Args:
            face_type: Its usual size counts where nothing else does.
            present: Size of the faces that the side has already.
        """
        wanted = self.size or present
        if wanted is not None:
            return wanted
        return _HEAD_SIZE if face_type in (FaceType.HEAD, FaceType.HEAD_NO_ALIGN) else _USUAL_SIZE

    @property
    def wants_debug(self) -> bool:
        """Whether debug pictures are written, with the default of the side filled in."""
        return self.side is Side.DST if self.debug is None else self.debug


@dataclass(frozen=True, kw_only=True)
class ExtractConfig(FaceOptions):
    """Which frames are looked at, and how faces are found, cut out and stored."""

    from_video: bool = False
    """Read the side's videos even if there are also frames as pictures. Without this and
    `--frames`, pictures in `data_src/` or `data_dst/` are used where there are any, else the
    videos. Reading the video directly saves gigabytes of pictures."""

    frames: bool = False
    """Read the pictures in `data_src/` or `data_dst/` only. For material that never was a video, or
    frames that were edited by hand."""

    redo_deleted: bool = False
    """Look again, and harder, at the frames whose picture in `aligned_debug/` you have deleted. Their
    present faces go to the trash; every such frame takes about a second. Nothing else is extracted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.from_video and self.frames:
            raise ConfigError("from_video and frames exclude each other; give one of them.")
        if self.redo_deleted and self.debug is False:
            raise ConfigError(
                "redo_deleted writes debug pictures, which mark the frames that are done; leave out "
                "debug = false."
            )


@dataclass(frozen=True, kw_only=True)
class AppendConfig(FaceOptions):
    """What is added to the faces of one side, and how its faces are found and stored."""

    from_: tuple[Path, ...]
    """Videos, photos, folders of photos, folders of face files or packs of them. Videos and photos are
    copied into the workspace. What is there already, under whatever name, is not added twice."""
