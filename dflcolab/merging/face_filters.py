# pyright: strict
"""Sharpness of face and frame brought together: motion blur, sharpening, denoising, degrading.

DFL interoperability notes, section 8.3, step 14.
"""

from __future__ import annotations

import cv2
import numpy as np

from dflcolab.arrays import FloatImage
from dflcolab.imaging.filters import blursharpen, motion_blur
from dflcolab.merging.motion import Motion
from dflcolab.merging.options import CompositeOptions, SharpenMode

_SHARPEN_NUMBER = {SharpenMode.NONE: 0, SharpenMode.BOX: 1, SharpenMode.GAUSSIAN: 2}
_MEDIAN = 5


def filter_face(crop: FloatImage, options: CompositeOptions, motion: Motion) -> FloatImage:
    """The face crop with motion blur and sharpening (or smoothing) as asked."""
    strength = int(motion.power * options.motion_blur_power / 100.0)
    if strength >= 1:
        size = min(max(strength + 1, 2), 50)
        if options.super_resolution_power:
            size *= 2
        crop = motion_blur(crop, size, motion.deg)
    if options.blursharpen_amount != 0:
        crop = blursharpen(
            crop, _SHARPEN_NUMBER[options.sharpen_mode], 3, options.blursharpen_amount
        )
    return crop


def changes_frame(options: CompositeOptions) -> bool:
    """True if the options take detail from the whole frame, not from the face alone."""
    return bool(
        options.image_denoise_power or options.bicubic_degrade_power or options.color_degrade_power
    )


def degrade_frame(picture: FloatImage, options: CompositeOptions) -> FloatImage:
    """The frame with less detail as asked; must be the whole frame, as scaling depends on it."""
    power, degrade = options.image_denoise_power, options.bicubic_degrade_power
    while power > 0:
        median = cv2.medianBlur(picture, _MEDIAN).astype(np.float32, copy=False)
        if power < 100:
            share = np.float32(power / 100.0)
            median = picture * (np.float32(1.0) - share) + median * share
        picture = median.astype(np.float32, copy=False)
        power -= 10
    if degrade:
        height, width = picture.shape[:2]
        size = tuple(max(int(side * (1.0 - degrade / 101.0)), 1) for side in (width, height))
        for goal in (size, (width, height)):
            picture = cv2.resize(picture, goal, interpolation=cv2.INTER_CUBIC).astype(
                np.float32, copy=False
            )
    return picture
