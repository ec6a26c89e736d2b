# pyright: strict
"""Options of `sort`, `clean`, `mask`, `pack` and `unpack`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from dflcolab.config import Config, option
from dflcolab.faceset.limits import BLURRED_STEP, LANDMARKS_OFF, NEAR_DUPLICATE
from dflcolab.workspace.workspace import Side


class SortKind(enum.StrEnum):
    """What the order of a faceset follows. The names are DeepFaceLab's, where it has them.

    DeepFaceLab's other names for the best faces are understood too: `final-by-blur` is `final`;
    `final-fast` and `final-by-size` are `final-faster`.
    """

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
    ONEFACE = "oneface"
    ABSDIFF = "absdiff"
    FINAL = "final"
    FINAL_FASTER = "final-faster"
    IDENTITY = "identity"
    DISSIMILAR_FACE = "dissimilar-face"
    DUPLICATES = "duplicates"
    LANDMARK_QUALITY = "landmark-quality"
    EXPRESSION = "expression"
    RECOVER_NAMES = "recover-names"

    @classmethod
    def _missing_(cls, value: object) -> SortKind | None:
        return _OTHER_NAMES.get(str(value))


_OTHER_NAMES = {
    "final-by-blur": SortKind.FINAL,
    "final-fast": SortKind.FINAL_FASTER,
    "final-by-size": SortKind.FINAL_FASTER,
}


@dataclass(frozen=True, kw_only=True)
class SortConfig(Config):
    """How the faces of one side are put in order. Faces get new names; none is changed or lost."""

    side: Side
    """Whose faces: src or dst."""

    by: SortKind = option(SortKind.FACE_YAW)
    """What the order follows. blur, motion-blur: sharp faces first. face-yaw, face-pitch: by the head's turn. face-source-rect-size: faces large in their frame first. hist, absdiff: each face after the one it resembles most. hist-dissim: unusual light first. brightness, hue, black, origname: by that. oneface: frames with several faces go to the trash. final, final-faster: the best faces of all poses stay (sharpest, or largest in their frame), the rest goes to the trash. identity: foreign faces last. dissimilar-face: unusual poses and expressions first. duplicates: groups of near-copies together, largest first. landmark-quality: wrong landmarks first. expression: mouth open to shut, eyes open to shut. recover-names: every face gets its frame's name back."""

    target: int = option(2000, low=1)
    """How many faces final and final-faster keep, about. At least 65: they share them out among 128 turns of the head."""

    dissimilar: bool = option(False)
    """absdiff only: each face after the one it resembles least."""

    reference: tuple[Path, ...] = option(())
    """identity only: pictures of the wanted person, instead of the person seen most."""


@dataclass(frozen=True, kw_only=True)
class CleanConfig(Config):
    """Which faces are proposed for removal. With no check named, the usual ones of the side run.

    Usual for src: all checks. Usual for dst, where every removed face stays unswapped: landmarks,
    non-faces, and identity once a person was chosen for that video.
    """

    side: Side
    """Whose faces: src or dst. A dst face that is removed leaves that face unswapped in the merge."""

    identity: tuple[str, ...] = option(())
    """Remove faces of other people. auto keeps the person seen most; a number keeps that person of the report; paths name pictures, or a folder of them, of the wanted person; chosen repeats the last choice. Numbers and pictures are remembered per side in workspace.toml, so that a later run (after more frames were extracted) applies the same choice. In videos a face is judged with its neighbours in time."""

    blur: bool = option(False)
    """Remove faces that are much less sharp than the rest. Not a usual check for dst: its blurred frames need a face too."""

    duplicates: bool = option(False)
    """Remove faces that hardly differ from a sharper one, in the whole faceset. Not a usual check for dst: every frame there needs its face."""

    landmarks: bool = option(False)
    """Remove files without face data, and faces whose landmarks cannot be right or lie far from where a fresh look finds them."""

    non_faces: bool = option(False)
    """Remove pictures in which neither the landmark network nor the detector sees a face. In videos the neighbours in time count too."""

    exposure: bool = option(False)
    """Remove faces that show nothing: black, burnt out, or without contrast."""

    small: bool = option(False)
    """Remove faces that were far smaller in their frame than in the crop, and far smaller than the rest: enlarged, they teach blur."""

    cut_off: bool = option(False)
    """Remove faces of which a part lies outside of the frame."""

    identity_threshold: float = option(0.6, low=0.0, high=1.0, advanced=True)
    """Cosine likeness below which groups of faces count as different people. Higher removes more. Measured on 29 people: faces lie at 0.68 or more of the middle of their own person, strangers at 0.59 or less."""

    duplicate_threshold: float = option(NEAR_DUPLICATE.value, low=0.0, high=0.2, advanced=True)
    """Mean brightness difference, 0 to 1, below which faces of one expression are duplicates. Frames of a talking face differ by 0.003 to 0.02 from the next. Higher removes more."""

    blur_threshold: float = option(BLURRED_STEP.value, low=0.1, high=10.0, advanced=True)
    """How far below the median sharpness a blurred face lies at least, and beyond three times the usual spread; 1 is visibly softer. Lower removes more."""

    landmark_threshold: float = option(LANDMARKS_OFF.value, low=0.01, high=1.0, advanced=True)
    """Mean distance of brows, nose, eyes and mouth from a fresh measurement, in sides of the face, from which landmarks are wrong. Good ones lie below 0.02, ones shifted by a tenth of the face at 0.1. Lower removes more."""

    exposure_threshold: float = option(0.5, low=0.05, high=1.0, advanced=True)
    """Share of the face that is black or burnt out from which it shows too little. A set that is dark or bright throughout moves it up to 0.9. Lower removes more."""

    small_threshold: float = option(4.0, low=1.0, high=100.0, advanced=True)
    """How many times the frame's pixels were enlarged in a face that is too small, which is also less than half as large as the middle of the set. Four times leaves a sixteenth of the detail that the crop could hold. Lower removes more."""

    cut_off_threshold: float = option(0.05, low=0.001, high=1.0, advanced=True)
    """Share of the face outside of the frame from which it counts as cut off. Whole faces before a black wall reach 0.01, half a cheek 0.2. Lower removes more."""

    dry_run: bool = option(False)
    """Say what would go, and move nothing."""

    undo: bool = option(False)
    """Bring back what lies in the trash of this side: what --only names, or everything but faces in whose
    place others were written (by the landmark editor, by extract --redo-deleted)."""

    only: tuple[str, ...] = option(())
    """With --undo: what comes back, by check (blur), file name (00012_0.jpg) or pattern ('2-*'). The rest stays in the trash."""


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
