"""Compositing against DeepFaceLab's own frames, with a fixed predictor."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dflcolab.config import from_mapping
from dflcolab.errors import ConfigError
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.composite import FaceToMerge, Prediction, composite_frame, face_input
from dflcolab.merging.config import CompositeOptions
from dflcolab.merging.motion import Motion, motions
from tests.parity.vector_cases import Entry, entry_params, file_params, load_json

_KNOWN = {field.name for field in fields(CompositeOptions)}


def _name(_: str, case: dict[str, Any]) -> str:
    return case["key"]


def _options(config: dict[str, Any]) -> CompositeOptions:
    """The case's configuration; skips where it uses an option that merging does not offer."""
    foreign = {name: value for name, value in config.items() if name not in _KNOWN}
    used = [f"{name} = {value}" for name, value in foreign.items() if value]
    if used:
        pytest.skip(f"merging does not offer {', '.join(used)}")
    try:
        return from_mapping(
            CompositeOptions, {name: value for name, value in config.items() if name in _KNOWN}
        )
    except ConfigError as error:
        if "not offer" in str(error):
            pytest.skip(str(error))
        raise


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
        prediction = Prediction(swap, *masks)
        self.faces = [FaceToMerge(points, prediction) for points in self.landmarks]

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
    if config["blursharpen_amount"] or case["key"] == "midfull_all":
        return 0.8
    return 0.5 if config["mode"].startswith("seamless") else 0.3


@pytest.mark.parametrize(
    "entry", entry_params("imaging", "merge", "merge*.json", section="cases", name=_name)
)
def test_a_merged_frame_is_deepfacelabs(entry: Entry):
    case = _Case(entry)
    options = _options(case.value["config"])

    image, mask = composite_frame(
        case.frame, case.faces, face_type=case.face_type, options=options, motion=case.motion
    )

    expected = case.expected()
    assert [*image.shape[:2], 4] == case.value["out_shape"]
    difference = np.abs(image.astype(int) - expected[..., :3])
    assert difference.mean() <= _tolerance(case.value)
    # Single pixels move with the interpolation tables of OpenCV's versions; sharpening multiplies
    # such differences by its amount, so there only the mean says something.
    if not case.value["config"]["blursharpen_amount"]:
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
    _options(case.value["config"])
    expected = case._picture(case.value["predictor_input"])

    crop = face_input(case.frame, case.landmarks[0], case.size, case.face_type)

    difference = np.abs(np.rint(crop * np.float32(255)).astype(int) - expected)
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
