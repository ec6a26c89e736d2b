# pyright: strict
"""From landmarks to the crop: similarity fits and DeepFaceLab's alignment matrix.

A crop of size `S` shows the frame through a matrix `[2, 3]` that maps frame pixels to crop pixels.
Its corners are the coordinates 0 and `S`, not the pixel centres 0 and `S - 1`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Transform
from dflcolab.errors import FacesetError
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.geometry import TEMPLATE_INDICES, table
from dflcolab.faces.landmarks import averaged_yaw

_TEMPLATE = table("mean_face_2d_33")
_TEMPLATE_MEAN: tuple[float, float] = tuple(_TEMPLATE.mean(axis=0).tolist())
_TEMPLATE_CENTRED = _TEMPLATE - _TEMPLATE.mean(axis=0)


def umeyama(
    src: npt.ArrayLike, dst: npt.ArrayLike, *, with_scale: bool = True
) -> npt.NDArray[np.float64]:
    """Least-squares similarity (rotation, scale, shift; no reflection) from `src` to `dst`.

    In the plane the best rotation has a closed form: with the covariance `A` of the centred
    sets it is the angle of `(A00 + A11, A10 - A01)`, and the length of that vector is the sum of
    singular values (the smaller one negative for reflected sets) that Umeyama's method divides by
    the variance of `src`. So no decomposition is needed.

    Args:
        src: Points `[N, 2]`.
        dst: Points `[N, 2]` in the same order.
        with_scale: False keeps the size: rotation and shift only.

    Returns:
        Homogeneous matrix `[3, 3]`, float64; all NaN where the points of a set coincide.
    """
    source = np.asarray(src, dtype=np.float64)
    target = np.asarray(dst, dtype=np.float64)
    source_mean = source.mean(axis=0)
    target_mean = target.mean(axis=0)
    cosine, sine, cx, cy = _similarity(
        source - source_mean, source_mean, target - target_mean, target_mean
    )
    if not with_scale:
        length = math.hypot(cosine, sine)
        cosine, sine = (cosine / length, sine / length) if length else (math.nan, math.nan)
        cx = target_mean[0] - (cosine * source_mean[0] - sine * source_mean[1])
        cy = target_mean[1] - (sine * source_mean[0] + cosine * source_mean[1])
    if math.isnan(cosine):
        return np.full((3, 3), np.nan)
    return np.array([[cosine, -sine, cx], [sine, cosine, cy], [0.0, 0.0, 1.0]])


def _similarity(
    source: npt.NDArray[np.float64],
    source_mean: npt.NDArray[np.float64] | tuple[float, float],
    target: npt.NDArray[np.float64],
    target_mean: npt.NDArray[np.float64] | tuple[float, float],
) -> tuple[float, float, float, float]:
    """`(c, s, x, y)` of the fit `[[c, -s, x], [s, c, y]]` between two centred point sets."""
    (a, b), (c, d) = (target.T @ source).tolist()
    spread = float(np.vdot(source, source))
    if spread == 0.0 or (a == b == c == d == 0.0):
        return math.nan, math.nan, math.nan, math.nan
    cosine = (a + d) / spread
    sine = (c - b) / spread
    mx, my = float(source_mean[0]), float(source_mean[1])
    x = float(target_mean[0]) - (cosine * mx - sine * my)
    y = float(target_mean[1]) - (sine * mx + cosine * my)
    return cosine, sine, x, y


def alignment_matrix(
    landmarks: npt.ArrayLike, size: int, face_type: FaceType, *, scale: float = 1.0
) -> Transform:
    """The matrix that maps frame pixels to the pixels of the face's crop.

    DFL interoperability notes, section 3.4. Brows, nose, eyes and mouth corners are fitted to the
    mean face; the crop is the mean face's unit square grown by the padding of the face type, moved
    up for the whole face, and up and sideways (after the head's turn) for the head.

    Args:
        landmarks: `[68, 2]`, frame pixels.
        size: Side of the square crop in pixels.
        face_type: Extent of the crop; any but `MARK_ONLY`.
        scale: Above 1 zooms in (the crop covers less of the frame).

    Returns:
        `[2, 3]`, float32.

    Raises:
        FacesetError: The landmarks lie on one point or are not finite.
        ValueError: `face_type` has no crop.
    """
    if not face_type.is_crop:
        raise ValueError("mark_only faces are whole frames and have no alignment matrix")
    points = np.asarray(landmarks, dtype=np.float64)
    used = points[TEMPLATE_INDICES]
    mean = used.mean(axis=0)
    cosine, sine, x, y = _similarity(used - mean, mean, _TEMPLATE_CENTRED, _TEMPLATE_MEAN)
    squared = cosine * cosine + sine * sine
    if not (math.isfinite(squared) and squared > 0.0):
        raise FacesetError(
            "The landmarks of a face lie on one point, so it cannot be aligned; remove that face."
        )
    # One unit of the face square, along its own right and down, in frame pixels.
    right = (cosine / squared, -sine / squared)
    down = (sine / squared, cosine / squared)
    # The middle of the face square, in face units.
    u, v = 0.5, 0.5
    if face_type is FaceType.WHOLE:
        v -= 0.07
    elif face_type is FaceType.HEAD:
        unit_x = cosine * points[:, 0] - sine * points[:, 1] + x
        yaw = averaged_yaw(np.stack([unit_x, unit_x], axis=1))
        yaw *= abs(math.tanh(2.0 * yaw))
        u += yaw / 2.0
        v -= 0.5
    centre_x = right[0] * (u - x) + down[0] * (v - y)
    centre_y = right[1] * (u - x) + down[1] * (v - y)
    length = math.sqrt(squared)
    side = (1.0 + 2.0 * math.sqrt(2.0) * face_type.padding) / (length * scale)
    zoom = size / side
    if face_type.unrotated:
        c, s = zoom, 0.0
    else:
        c, s = zoom * cosine / length, zoom * sine / length
    half = size / 2.0
    return np.array(
        [
            [c, -s, half - (c * centre_x - s * centre_y)],
            [s, c, half - (s * centre_x + c * centre_y)],
        ],
        dtype=np.float32,
    )


def transform_points(
    points: npt.ArrayLike, matrix: npt.ArrayLike, *, invert: bool = False
) -> npt.NDArray[np.float32]:
    """Map points `[N, 2]` by a matrix `[2, 3]`, or back with `invert`.

    Returns:
        `[N, 2]`, float32 (computed in float64).
    """
    m = np.asarray(matrix, dtype=np.float64)
    if invert:
        m = _inverse(m)
    return (np.asarray(points, dtype=np.float64) @ m[:, :2].T + m[:, 2]).astype(np.float32)


def invert_transform(matrix: npt.ArrayLike) -> Transform:
    """The matrix `[2, 3]` of the way back."""
    return _inverse(np.asarray(matrix, dtype=np.float64)).astype(np.float32)


def _inverse(m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    (a, b, x), (c, d, y) = m.tolist()
    determinant = a * d - b * c
    if determinant == 0.0:
        return np.full((2, 3), np.nan)
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    return np.array([[a, b, -(a * x + b * y)], [c, d, -(c * x + d * y)]])


def rect_from_landmarks(landmarks: npt.ArrayLike) -> tuple[float, float, float, float]:
    """Upright box `(left, top, right, bottom)` in frame pixels around a face.

    It is the span of the full-face crop without rotation, from its first to its last pixel centre
    at 256 pixels (DFL interoperability notes, section 3.4).
    """
    matrix = alignment_matrix(landmarks, 256, FaceType.FULL_NO_ALIGN)
    (left, top), (right, bottom) = transform_points(
        [(0.0, 0.0), (255.0, 255.0)], matrix, invert=True
    ).tolist()
    return left, top, right, bottom
