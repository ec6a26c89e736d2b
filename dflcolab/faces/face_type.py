# pyright: strict
"""The kinds of face crop that DeepFaceLab knows, from the half face to the whole head.

No NumPy here: the command line builds its help from this module.
"""

from __future__ import annotations

import enum

from dflcolab.errors import ConfigError


class FaceType(enum.Enum):
    """Extent of a face crop. The value is the text that face files store.

    Example:
        >>> FaceType.parse("wf")
        <FaceType.WHOLE: 'whole_face'>
        >>> FaceType.WHOLE.padding
        0.4
    """

    HALF = "half_face"
    MIDFULL = "midfull_face"
    FULL = "full_face"
    FULL_NO_ALIGN = "full_face_no_align"
    WHOLE = "whole_face"
    HEAD = "head"
    HEAD_NO_ALIGN = "head_no_align"
    MARK_ONLY = "mark_only"

    @property
    def code(self) -> int:
        """DeepFaceLab's number of the type; a larger number contains a smaller one."""
        return _TABLE[self][0]

    @property
    def letter(self) -> str:
        """Short name in option texts ("wf"); the long name for types that have none."""
        return _TABLE[self][1] or self.value

    @property
    def padding(self) -> float:
        """Margin around the face square, as a share of its side (not for `MARK_ONLY`: 0)."""
        return _TABLE[self][2]

    @property
    def unrotated(self) -> bool:
        """True if the crop stays upright in the frame whatever the head does."""
        return self in (FaceType.FULL_NO_ALIGN, FaceType.HEAD_NO_ALIGN)

    @property
    def is_crop(self) -> bool:
        """False for `MARK_ONLY`: such files hold the whole frame and no transform."""
        return self is not FaceType.MARK_ONLY

    @classmethod
    def parse(cls, text: str | int | FaceType) -> FaceType:
        """The type that a name, a letter or a number of DeepFaceLab means.

        Args:
            text: `"whole_face"`, `"wf"`, `"WHOLE"`, `4` or `"4"`; case does not matter.

        Raises:
            ConfigError: No type has this name or number.
        """
        if isinstance(text, FaceType):
            return text
        wanted = str(text).strip().lower().replace("-", "_")
        found = _BY_NAME.get(wanted)
        if found is None:
            known = ", ".join(kind.value for kind in cls)
            raise ConfigError(f"Unknown face type {wanted[:40]!r}; choose one of {known}.")
        return found


# DFL interoperability notes, section 3.1: number, option letter, padding.
_TABLE: dict[FaceType, tuple[int, str, float]] = {
    FaceType.HALF: (0, "h", 0.0),
    FaceType.MIDFULL: (1, "mf", 0.0675),
    FaceType.FULL: (2, "f", 0.2109375),
    FaceType.FULL_NO_ALIGN: (3, "", 0.2109375),
    FaceType.WHOLE: (4, "wf", 0.40),
    FaceType.HEAD: (10, "head", 0.70),
    FaceType.HEAD_NO_ALIGN: (20, "", 0.70),
    FaceType.MARK_ONLY: (100, "", 0.0),
}

_BY_NAME: dict[str, FaceType] = {
    name.lower(): kind
    for kind in FaceType
    for name in (kind.value, kind.name, kind.letter, str(kind.code), kind.value + "_face")
}
