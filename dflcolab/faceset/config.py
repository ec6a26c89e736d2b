# pyright: strict
"""Options of `sort`, `clean`, `mask`, `pack` and `unpack`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

from dflcolab.config import Config, option
from dflcolab.workspace.workspace import Side


class SortKind(enum.StrEnum):
    """What the order of a faceset follows. The names are DeepFaceLab's, where it has them."""

    BLUR = "blur"
    MOTION_BLUR = "motion-blur"
    FACE_YAW = "face-yaw"
    FACE_PITCH = "face-pitch"
    FACE_SOURCE_RECT_SIZE = "face-source-rect-size"
    HIST = "hist"
    HIST_DISSIM = "hist-dissim"
    BRIGHTNESS = "brightness"
    HUE = "hue"
    BLACK = "black"
    ORIGNAME = "origname"
    IDENTITY = "identity"
    RECOVER_NAMES = "recover-names"


@dataclass(frozen=True, kw_only=True)
class SortConfig(Config):
    """How the faces of one side are put in order. Faces get new names; none is changed or lost."""

    side: Side
    """Whose faces: src or dst."""

    by: SortKind = option(SortKind.FACE_YAW)
    """What the order follows. identity puts foreign faces last; hist groups similar light; recover-names gives every face its frame's name back."""


@dataclass(frozen=True, kw_only=True)
class CleanConfig(Config):
    """Which faces are proposed for removal. With no check named, the usual ones of the side run."""

    side: Side
    """Whose faces: src or dst. A dst face that is removed leaves that face unswapped in the merge."""

    identity: str | None = option(None)
    """Remove faces of other people. auto takes the person seen most; a path names a picture of the wanted one."""

    blur: bool = option(False)
    """Remove faces that are much less sharp than the rest. Not a usual check for dst: its blurred frames need a face too."""

    duplicates: bool = option(False)
    """Remove faces that hardly differ from the frame before. Not a usual check for dst: every frame there needs its face."""

    landmarks: bool = option(False)
    """Remove files without face data and faces whose landmarks cannot be right."""

    identity_threshold: float = option(0.5, low=0.0, high=1.0, advanced=True)
    """Cosine likeness below which a face counts as another person. Higher removes more."""

    duplicate_threshold: float = option(0.01, low=0.0, high=0.2, advanced=True)
    """Mean brightness difference, 0 to 1, below which neighbours are duplicates. Higher removes more."""

    dry_run: bool = option(False)
    """Say what would go, and move nothing."""

    undo: bool = option(False)
    """Bring back everything that lies in the trash of this side."""


@dataclass(frozen=True, kw_only=True)
class MaskConfig(Config):
    """What to do with the masks that the faces carry."""

    action: Literal["stats", "remove"]
    """stats counts drawn outlines and trained masks; remove takes them out of the face files."""

    side: Side
    """Whose faces: src or dst."""

    what: Literal["xseg", "polygons", "all"] = option("xseg")
    """What remove takes out: trained masks (xseg), drawn outlines (polygons), or both (all). Outlines are work by hand: keep a copy."""


@dataclass(frozen=True, kw_only=True)
class UnpackConfig(Config):
    """Which side is taken out of faceset.pak."""

    side: Side
    """Whose faces: src or dst."""


@dataclass(frozen=True, kw_only=True)
class PackConfig(UnpackConfig):
    """Which side is packed into faceset.pak, or added to it."""

    persons: bool | None = option(None)
    """Pack the sub-folders of aligned as people, each under its folder's name. Left out: yes if there are such folders and no faces beside them."""
