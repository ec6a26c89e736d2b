"""Every mode with every mask and every color transfer, on real frames.

The prediction is the dst face itself, so whatever the options, the frame must come back: a hole, a
line along a mask, a face that is shifted or has lost its colors each show as a difference.
"""

from __future__ import annotations

import itertools
import warnings
from functools import cache

import cv2
import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.detection.faces import detect_faces
from dflcolab.faces.alignment import alignment_matrix, transform_points
from dflcolab.faces.face_type import FaceType
from dflcolab.faces.hull_masks import hull_mask
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.face import FaceToMerge, Prediction, face_crop
from dflcolab.merging.options import ColorTransferMode, CompositeOptions, MaskMode, Mode
from tests.material import STUDIO_WOMAN, WEBCAM_MAN, frame_of

SIZE = 64
SCENES = ("frontal", "turned", "left", "top", "right", "bottom")
WHOLE = FaceType.WHOLE


@cache
def scene(name: str) -> tuple[np.ndarray, FaceToMerge]:
    """A frame and the face in it: frontal, turned aside, or cut by an edge of the frame."""
    clip, index = (STUDIO_WOMAN, 398) if name == "turned" else (WEBCAM_MAN, 17)
    landmarks = detect_faces(frame_of(clip, index), max_faces=1)[0].landmarks / 3
    # Soft, so that the way into the crop and back is no difference by itself.
    small = cv2.GaussianBlur(frame_of(clip, index), (0, 0), 6)[::3, ::3].copy()
    x, y = landmarks[30].astype(int)
    cuts = {"left": (x - 12, 0), "top": (0, y - 12), "right": (0, 0), "bottom": (0, 0)}
    left, top = cuts.get(name, (0, 0))
    right, bottom = {"right": (x + 12, None), "bottom": (None, y + 12)}.get(name, (None, None))
    frame = np.ascontiguousarray(small[top:bottom, left:right])
    points = (landmarks - (left, top)).astype(np.float32)
    # A network paints the whole crop, also what the frame has lost.
    wide = cv2.copyMakeBorder(small, 200, 200, 200, 200, cv2.BORDER_REPLICATE)
    swap = face_crop(wide, (landmarks + 200).astype(np.float32), SIZE, WHOLE)
    return frame, FaceToMerge(points, Prediction(swap, *masks_of(landmarks)))


def masks_of(landmarks: np.ndarray) -> list[np.ndarray]:
    """Soft hulls in the place of learned and XSeg masks."""
    found = []
    for size in (SIZE, SIZE, 256, 256):
        inner = transform_points(landmarks, alignment_matrix(landmarks, size, WHOLE))
        soft = cv2.GaussianBlur(hull_mask(inner, size, size), (0, 0), size / 32)
        found.append(np.clip(soft, 0, 1).reshape(size, size, 1).astype(np.float32))
    return found


def merged(name: str, values: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame, face = scene(name)
    options = from_mapping(CompositeOptions, values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy warns of values that are no numbers
        image, mask = composite_frame(
            frame, [face], face_type=WHOLE, options=options, resolution=SIZE
        )
    return frame, image, mask


# Those compare the whole crops, as DeepFaceLab's do, in which all beyond the frame is black: where a
# crop leaves the frame, they darken the face. The documentation says so.
SEE_BEYOND_THE_FRAME = (ColorTransferMode.LCT, ColorTransferMode.MKL, ColorTransferMode.IDT)


BLENDED = [mode for mode in Mode if mode not in (Mode.ORIGINAL, Mode.RAW_PREDICT)]


@pytest.mark.parametrize("mode", BLENDED)
def test_a_frame_merged_with_its_own_face_comes_back(mode: Mode):
    """All masks and colors; scenes take turns, so that each color meets each of them."""
    places = itertools.product(ColorTransferMode, MaskMode)
    for number, (color, mask_mode) in enumerate(places):
        name = SCENES[number % len(SCENES)]
        if color in SEE_BEYOND_THE_FRAME:
            name = "frontal"
        values = {
            "mode": mode.value,
            "mask_mode": mask_mode.value,
            "color_transfer_mode": color.value,
            "hist_match_threshold": 255,
            "blur_mask_modifier": 20,
        }

        frame, image, mask = merged(name, values)

        what = f"{name} {color.value} {mask_mode.value}"
        assert image.shape == frame.shape, what
        assert mask.any(), what
        difference = np.abs(frame.astype(int) - image)
        if mode is Mode.RAW_RGB:  # shows the whole crop, with DeepFaceLab's line around it
            assert np.percentile(difference, 95) <= 4, what
            continue
        outside = cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0
        assert not difference[outside].any(), what
        # The way into the crop and back moves values by 4, `mix` with its 8-bit Lab by 4 more.
        # Matching histograms after seamless blending moves single pixels further.
        share = 99.9 if mode is Mode.SEAMLESS_HIST_MATCH else 100
        assert np.percentile(difference, share) <= 9, what
        assert difference.mean() <= 0.8, what


@pytest.mark.parametrize(
    "values",
    [
        {"mode": "raw-predict"},
        {"mode": "original", "mask_mode": "XSeg-dst"},
        {"super_resolution_power": 100},
        {"super_resolution_power": 50, "mode": "seamless", "blursharpen_amount": -3},
        {"blursharpen_amount": 2, "sharpen_mode": "gaussian"},
        {"bicubic_degrade_power": 30, "image_denoise_power": 40, "color_degrade_power": 50},
        {"erode_mask_modifier": -60},
        {"output_face_scale": 20, "mask_mode": "full"},
    ],
)
def test_other_options_work_on_every_scene(values: dict):
    for name in SCENES:
        frame, image, mask = merged(name, values)

        assert mask.any()
        if values.get("mode") == "raw-predict":
            assert image.shape == (SIZE, SIZE, 3)
        elif not values.get("output_face_scale"):
            # Sharpening and few colors are meant to change something, but on soft frames not much.
            assert np.abs(frame.astype(int) - image).mean() <= 2, name
