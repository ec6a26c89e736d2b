"""Compositing against DeepFaceLab's own frames, with a fixed predictor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.composite import composite_frame
from dflcolab.merging.face import (
    FaceToMerge,
    Prediction,
    face_crop,
    resized_picture,
    working_size,
)
from dflcolab.merging.motion import Motion, motions
from dflcolab.merging.options import CompositeOptions
from tests.parity.vector_cases import Entry, entry_params, file_params, load_json


def _name(_: str, case: dict[str, Any]) -> str:
    return case["key"]


def _options(case: dict[str, Any]) -> CompositeOptions:
    return from_mapping(CompositeOptions, case["config"])


class _Case:
    """One entry of `merge.json` with its pictures."""

    def __init__(self, entry: Entry) -> None:
        content = load_json(entry.file)
        self.value = entry.value
        self.folder = entry.folder
        self.face_type = FaceType.parse(self.value["face_type"])
        self.size = int(self.value["predictor_size"])
        self.motion = Motion(self.value["motion_power"], self.value["motion_deg"])
        frame = content["frames"][self.value["frame"]]
        self.frame = self._picture(frame["file"])
        self.landmarks = [np.array(face, np.float32) for face in frame["faces_landmarks"]]
        files = content["predictions"][self.value["predictions"]]
        swap = self._picture(files["prd_bgr"]) / np.float32(255)
        masks = [self._mask(files["prd_mask"]), self._mask(files["dst_mask"])]
        if self.value["zero_masks"]:
            masks = [np.zeros_like(mask) for mask in masks]
        self.prediction = Prediction(
            swap,
            *masks,
            swap_xseg=self._mask(files["xseg_prd"]),
            dst_xseg=self._mask(files["xseg_dst"]),
            enhanced=self._picture(files["enhanced"]) / np.float32(255),
        )
        self.faces = [FaceToMerge(points, self.prediction) for points in self.landmarks]

    def _picture(self, name: str) -> np.ndarray:
        return cv2.imread(str(self.folder / name), cv2.IMREAD_COLOR)

    def _mask(self, name: str) -> np.ndarray:
        plane = cv2.imread(str(self.folder / name), cv2.IMREAD_GRAYSCALE)
        return (plane / np.float32(255))[..., None]

    def expected(self) -> np.ndarray:
        return cv2.imread(str(self.folder / f"{self.value['key']}.png"), cv2.IMREAD_UNCHANGED)


def _tolerance(case: dict[str, Any]) -> float:
    """Allowed mean difference in grey levels, as the vectors' README measures the library drift."""
    config = case["config"]
    if config["color_transfer_mode"] >= 5:  # ours draws other random directions
        return 2.0
    if (
        config["blursharpen_amount"]
        or config["color_degrade_power"]
        or case["key"] == "midfull_all"
    ):
        return 0.8
    return 0.5 if config["mode"].startswith("seamless") else 0.3


def _is_told_by_its_mean_alone(case: dict[str, Any]) -> bool:
    """Single pixels may be further off: sharpening multiplies the differences between OpenCV's
    interpolation tables, few colors jump to the next one, and other random directions move all."""
    config = case["config"]
    return bool(
        config["blursharpen_amount"]
        or config["color_degrade_power"]
        or config["color_transfer_mode"] >= 5
    )


@pytest.mark.parametrize(
    "entry", entry_params("imaging", "merge", "merge*.json", section="cases", name=_name)
)
def test_a_merged_frame_is_deepfacelabs(entry: Entry):
    case = _Case(entry)
    options = _options(case.value)

    image, mask = composite_frame(
        case.frame, case.faces, face_type=case.face_type, options=options, motion=case.motion
    )

    expected = case.expected()
    assert [*image.shape[:2], 4] == case.value["out_shape"]
    difference = np.abs(image.astype(int) - expected[..., :3])
    assert difference.mean() <= _tolerance(case.value)
    if not _is_told_by_its_mean_alone(case.value):
        assert np.percentile(difference, 99.9) <= 5
    alpha = np.abs(mask.astype(int) - expected[..., 3])
    assert alpha.mean() <= 0.3
    assert alpha.max() <= 6


@pytest.mark.parametrize(
    "entry",
    entry_params(
        "imaging",
        "merge",
        "merge*.json",
        section="cases",
        name=_name,
        keep=lambda _, case: "predictor_input" in case,
    ),
)
def test_the_model_is_shown_deepfacelabs_crop(entry: Entry):
    case = _Case(entry)
    size = working_size(_options(case.value), case.size)
    expected = case._picture(case.value["predictor_input"])

    crop = face_crop(case.frame, case.landmarks[0], size, case.face_type)

    shown = resized_picture(crop, case.size)
    difference = np.abs(np.rint(shown * np.float32(255)).astype(int) - expected)
    assert difference.mean() <= 0.3
    assert difference.max() <= 6


@pytest.mark.parametrize("path", file_params("imaging", "motion", "motion*.json"))
def test_motion_of_each_frame_is_deepfacelabs(path: Path):
    content = load_json(path)
    stems = [str(index) for index in range(len(content["landmarks_per_frame"]))]
    faces = {
        stem: [np.array(points, np.float32)]
        for stem, points in zip(stems, content["landmarks_per_frame"], strict=True)
        if points is not None
    }

    found = motions(stems, faces)

    for stem, expected in zip(stems, content["expected"], strict=True):
        motion = found.get(stem, Motion())
        # The centers are whole pixels, so only rounding in the last digit can differ.
        assert motion.power == pytest.approx(expected["motion_power"], abs=1e-6)
        assert motion.deg == pytest.approx(expected["motion_deg"], abs=1e-6)
