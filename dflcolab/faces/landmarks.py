# pyright: strict
"""The 68 landmarks in iBUG order: named groups, mirroring, simple measures.

Landmarks are float32 `[68, 2]`, x right and y down. "Right" and "left" are the subject's sides, so
the right eye lies on the picture's left.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Landmarks

JAW = slice(0, 17)
RIGHT_EYEBROW = slice(17, 22)
LEFT_EYEBROW = slice(22, 27)
NOSE_BRIDGE = slice(27, 31)
NOSE_BASE = slice(31, 36)
NOSE = slice(27, 36)
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)
MOUTH = slice(48, 68)
OUTER_LIPS = slice(48, 60)
INNER_LIPS = slice(60, 68)
CHIN = 8

# fmt: off
_SWAPS = (
    (0, 16), (1, 15), (2, 14), (3, 13), (4, 12), (5, 11), (6, 10), (7, 9),
    (17, 26), (18, 25), (19, 24), (20, 23), (21, 22),
    (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46),
    (31, 35), (32, 34),
    (50, 52), (49, 53), (48, 54), (59, 55), (58, 56),
    (67, 65), (60, 64), (61, 63),
)
# fmt: on


def _mirror_order() -> npt.NDArray[np.intp]:
    order = np.arange(68)
    for a, b in _SWAPS:
        order[a], order[b] = b, a
    return order


MIRROR_ORDER = _mirror_order()
"""Index `i` of a mirrored face is index `MIRROR_ORDER[i]` of the face."""


def mirror_landmarks(landmarks: npt.ArrayLike, width: int) -> Landmarks:
    """Landmarks of the horizontally mirrored picture.

    Args:
        landmarks: `[68, 2]`, pixels.
        width: Width of the picture in pixels.

    Returns:
        `[68, 2]`, float32. Mirroring twice gives the input back.
    """
    mirrored = np.asarray(landmarks, dtype=np.float64)[MIRROR_ORDER]
    mirrored[:, 0] = width - mirrored[:, 0] - 1
    return mirrored.astype(np.float32)


def averaged_yaw(landmarks: npt.ArrayLike) -> float:
    """How far the nose is off the middle of the cheeks, in the unit of the coordinates.

    Positive: the nose points to the picture's left, as in `pose`. DFL interoperability notes,
    section 3.7.
    """
    x = np.asarray(landmarks, dtype=np.float64)[:, 0].tolist()
    left = (x[16] - x[27] + x[15] - x[28] + x[14] - x[29]) / 3.0
    right = (x[27] - x[0] + x[28] - x[1] + x[29] - x[2]) / 3.0
    return left - right


def chin_pitch(landmarks: npt.ArrayLike) -> float:
    """Height of the chin point, counted twice, less that of its two neighbours on the jaw.

    The value DeepFaceLab reports as the chin's pitch (it contains the chin's own position, so it
    compares only between crops of one kind). Larger: the chin is lower.
    """
    y = np.asarray(landmarks, dtype=np.float64)[:, 1].tolist()
    return 2.0 * y[8] - (y[6] + y[10]) / 2.0


def landmarks_from_98(landmarks_98: npt.ArrayLike) -> Landmarks:
    """Reduce 98 WFLW landmarks `[98, 2]` to the 68 of iBUG.

    DFL interoperability notes, section 3.2: jaw points are averaged with their neighbours, brows
    are the mean of their upper and lower lines, one point of each eye contour is left out.
    """
    points = np.asarray(landmarks_98, dtype=np.float64)
    if points.shape != (98, 2):
        raise ValueError(f"98 points are needed, not an array of shape {points.shape}")
    result = np.empty((68, 2))
    for target, source in enumerate(range(0, 33, 2)):
        if source in (0, 16, 32):
            result[target] = points[source]
        else:
            neighbours = (points[source - 1] + points[source + 1]) / 2
            result[target] = (points[source] + neighbours) / 2
    result[17] = points[33]
    result[18:22] = (points[[34, 35, 36, 37]] + points[[41, 40, 39, 38]]) / 2
    result[22:26] = (points[[42, 43, 44, 45]] + points[[50, 49, 48, 47]]) / 2
    result[26] = points[46]
    result[27:36] = points[51:60]
    result[36:42] = points[[60, 61, 63, 64, 65, 67]]
    result[42:48] = points[[68, 69, 71, 72, 73, 75]]
    result[48:68] = points[76:96]
    return result.astype(np.float32)
