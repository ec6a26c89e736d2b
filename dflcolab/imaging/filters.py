# pyright: strict
"""Blurring, sharpening and growing of pictures and masks, with DeepFaceLab's parameters.

DFL interoperability notes, section 3.8. Kernels are in pixels; an even blur kernel grows by one.
Outside of a picture its border is mirrored. Single-channel pictures may be `[H, W]` or `[H, W, 1]`
and come back in the form they had.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]
"""`[H, W]` or `[H, W, C]`, float32."""

_MEDIAN = 5


def gaussian_blur_auto(picture: Picture, kernel: int) -> Picture:
    """Gaussian blur whose sigma follows from the kernel: `0.3 ((k - 1) / 2 - 1) + 0.8`.

    Args:
        picture: Any float picture.
        kernel: Side in pixels, at least 1 (which changes nothing).
    """
    kernel |= 1
    return _like(picture, cv2.GaussianBlur(picture, (kernel, kernel), 0))


def erode(mask: Picture, size: int) -> Picture:
    """Shrink the bright parts by an ellipse of `size` pixels, or grow them if it is negative.

    Outside of the picture counts as not being there, so its border does not eat the mask.
    """
    if size == 0:
        return mask
    side = abs(size)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    change = cv2.erode if size > 0 else cv2.dilate
    return _like(mask, change(mask, element, iterations=1))


def dilate(mask: Picture, size: int) -> Picture:
    """Grow the bright parts by an ellipse of `size` pixels."""
    return erode(mask, -size)


def median_blur(picture: Picture, power: float) -> Picture:
    """Several passes of a 5-pixel median, ten of `power` each; the last one partly.

    DeepFaceLab's smoothing for negative sharpening. The first passes take all of the median as
    long as `power` is at least 10; the last blends it in by the tenths that are left.
    """
    while power > 0:
        smooth = _like(picture, cv2.medianBlur(picture, _MEDIAN))
        if power >= 10:
            picture = smooth
        else:
            share = np.float32((power % 10) / 10.0)
            picture = _like(picture, picture + (smooth - picture) * share)
        power -= 10
    return picture


def blursharpen(picture: Picture, mode: int, kernel: int, amount: float) -> Picture:
    """Sharpen a picture, or smooth it with a negative amount.

    Args:
        picture: Any float picture; the result is not cut to 0..1.
        mode: 1 sharpens against a box blur, 2 against a Gaussian, 0 not at all.
        kernel: Side of the blur in pixels.
        amount: Strength. The box mode multiplies the detail by it; the Gaussian one by half of it.
            Below 0 any mode smooths with `median_blur`.
    """
    if amount < 0:
        return median_blur(picture, -amount)
    if amount == 0 or mode == 0:
        return picture
    kernel |= 1
    if mode == 1:
        sharpening = np.full((kernel, kernel), -amount / kernel**2, np.float32)
        sharpening[kernel // 2, kernel // 2] += 1.0 + amount
        return _like(picture, cv2.filter2D(picture, -1, sharpening))
    if mode == 2:
        half = amount / 2.0
        blurred = gaussian_blur_auto(picture, kernel)
        return _like(picture, cv2.addWeighted(picture, 1.0 + half, blurred, -half, 0.0))
    raise ValueError(f"unknown sharpening mode {mode}")


def motion_blur(picture: Picture, size: int, angle: float) -> Picture:
    """Blur along a line.

    Args:
        picture: Any float picture.
        size: Length of the line in pixels, at least 1.
        angle: Direction in degrees, counter-clockwise, 0 to the right.
    """
    line = np.zeros((size, size), np.float32)
    line[(size - 1) // 2] = 1.0
    centre = size / 2 - 0.5
    turn = cv2.getRotationMatrix2D((centre, centre), angle, 1.0)
    kernel: npt.NDArray[Any] = cv2.warpAffine(line, turn, (size, size))
    total = float(kernel.sum())
    if total == 0.0:
        return picture
    return _like(picture, cv2.filter2D(picture, -1, kernel / np.float32(total)))


def reduce_colors(picture: Picture, n_colors: int) -> Picture:
    """The picture in its own `n_colors` most telling colors, found by median cut, without dithering.

    Args:
        picture: `[H, W, 3]` BGR in 0..1.
        n_colors: 1 to 256.
    """
    from PIL import Image as PillowImage

    # Median cut treats the channels alike, but its ties depend on their order: DeepFaceLab's is RGB.
    rgb = np.ascontiguousarray((picture[..., ::-1] * np.float32(255.0)).astype(np.uint8))
    few = PillowImage.fromarray(rgb).convert(
        "P", palette=PillowImage.Palette.ADAPTIVE, colors=n_colors
    )
    found = np.asarray(few.convert("RGB"))[..., ::-1]
    return found.astype(np.float32) / np.float32(255.0)


def _like(picture: Picture, result: Any) -> Picture:
    """The result with the channel axis that OpenCV drops from `[H, W, 1]`."""
    return np.asarray(result, dtype=np.float32).reshape(picture.shape)
