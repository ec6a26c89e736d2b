# pyright: strict
"""One number per face for each kind of sorting, and histograms for comparing faces.

Definitions follow the DFL interoperability notes, section 5. All functions take values and read
no file. Pictures are `[H, W, 3]`, uint8, BGR; hull masks `[H, W, 1]`, float32 in 0..1.
"""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Mask

_KERNEL = 11

Histograms = npt.NDArray[np.float64]


def brightness(image: Image) -> float:
    """Mean of V of the 8-bit HSV picture, 0..255."""
    blue, green, red = cv2.split(image)
    return float(np.mean(cv2.max(cv2.max(blue, green), red), dtype=np.float64))


def hue(image: Image) -> float:
    """Arithmetic mean of H of the 8-bit HSV picture, 0..179."""
    return cv2.sumElems(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))[0] / (image.size // 3)


def black_samples(image: Image) -> float:
    """Number of color samples (not pixels) that are 0."""
    return float(image.size - cv2.countNonZero(image.reshape(image.shape[0], -1)))


def masked(image: Image, hull: Mask) -> Image:
    """The picture with everything outside of the hull black; `hull` holds only 0 and 1."""
    inside = (hull[..., 0] > 0.5).astype(np.uint8)
    return cast(Image, cv2.bitwise_and(image, image, mask=inside))


def laplacian_variance(image: Image) -> float:
    """Variance over all channels of the Laplacian with kernel size 11; large for sharp pictures.

    The black around a masked face gives 0 everywhere, so it is only counted.
    """
    blue, green, red = cv2.split(image)
    left, top, width, height = cv2.boundingRect(cv2.max(cv2.max(blue, green), red))
    rows = slice(max(top - _KERNEL, 0), top + height + _KERNEL)
    columns = slice(max(left - _KERNEL, 0), left + width + _KERNEL)
    response = cv2.Laplacian(image[rows, columns], cv2.CV_32F, ksize=_KERNEL)
    means, deviations = (np.asarray(found) for found in cv2.meanStdDev(response))
    counted = response.shape[0] * response.shape[1]
    mean = counted * float(means.sum()) / image.size
    square = counted * float((np.square(means) + np.square(deviations)).sum()) / image.size
    return max(square - mean * mean, 0.0)


def gray_histogram(image: Image) -> Histograms:
    """`[1, 256]`: counts of the gray values."""
    return _counts(cast(Image, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)))[None]


def color_histograms(image: Image) -> Histograms:
    """`[3, 256]`: counts per color channel."""
    return np.stack([_counts(image[..., channel]) for channel in range(3)])


def _counts(plane: npt.NDArray[np.uint8]) -> Histograms:
    # ravel: OpenCV 4 gives (256, 1), OpenCV 5 gives (256,)
    found: Any = cv2.calcHist([plane], [0], None, [256], [0, 256])
    return np.asarray(found, dtype=np.float64).ravel()


def histogram_roots(histograms: Histograms) -> Histograms:
    """Histograms `[N, C, 256]` in the form in which a dot product compares them.

    The Bhattacharyya distance of two histograms is `sqrt(max(0, 1 - a·b))` of their roots.
    """
    totals = histograms.sum(axis=-1, keepdims=True)
    return np.sqrt(histograms / np.maximum(totals, 1.0))


def histogram_distances(roots: Histograms, other: Histograms) -> Histograms:
    """`[N, M]`: Bhattacharyya distances summed over channels, of `[N, C, 256]` and `[M, C, 256]`."""
    total = np.zeros((len(roots), len(other)))
    for channel in range(roots.shape[1]):
        total += np.sqrt(np.maximum(1.0 - roots[:, channel] @ other[:, channel].T, 0.0))
    return total


def histogram_dissimilarity(roots: Histograms, *, block: int = 1024) -> Histograms:
    """`[N]`: sum of each face's distances to all others; large for faces unlike the rest."""
    total = np.zeros(len(roots))
    for start in range(0, len(roots), block):
        rows = slice(start, start + block)
        distances = histogram_distances(roots[rows], roots)
        index = np.arange(start, min(start + block, len(roots)))
        distances[index - start, index] = 0.0
        total[rows] = distances.sum(axis=1)
    return total
