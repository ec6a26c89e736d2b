"""Hull, eye and mouth masks and mirrored landmarks, against DeepFaceLab's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.faces.hull_masks import (
    expand_eyebrows,
    eye_mask,
    eyes_mouth_mask,
    hull_mask,
    mouth_mask,
)
from dflcolab.faces.landmarks import mirror_landmarks
from tests.parity.vector_cases import Entry, entry_params, file_params, load_json


def key_of(_: str, case: dict) -> str:
    return case["key"]


def grey(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(int)


@pytest.mark.parametrize("case", entry_params("imaging", "masks", "masks*.json", name=key_of))
def test_landmark_masks_are_deepfacelabs(case: Entry):
    value, size = case.value, case.value["size"]
    landmarks = value["landmarks"]
    hull = hull_mask(landmarks, size, size, eyebrows_expand=value["eyebrows_expand_mod"])
    found = {
        "hull": hull,
        "eyes": eye_mask(landmarks, size, size),
        "mouth": mouth_mask(landmarks, size, size),
        "eyes_mouth": eyes_mouth_mask(landmarks, size, size) * (hull != 0),
    }
    for name, mask in found.items():
        assert mask.shape == (size, size, 1)
        assert mask.dtype == np.float32
        expected = grey(case.folder / f"{value['key']}_{name}.png")
        difference = np.abs(np.rint(255 * mask[..., 0]) - expected)
        if name == "hull":
            # Rasterisers of OpenCV versions differ by up to two pixels of an edge.
            assert np.count_nonzero(difference) <= 2
        else:
            assert difference.max() <= 1, name


@pytest.mark.parametrize("case", entry_params("imaging", "masks", "masks*.json", name=key_of))
def test_brows_move_up_as_in_deepfacelab(case: Entry):
    points = np.array(case.value["landmarks"]).astype(np.int32)
    moved = expand_eyebrows(points, case.value["eyebrows_expand_mod"])
    assert moved[17:27].tolist() == case.value["expanded_eyebrows_int"]


@pytest.mark.parametrize("path", file_params("imaging", "masks", "frame_*_hull.png"))
def test_the_hull_on_a_whole_frame_is_deepfacelabs(vectors: Path, path: Path):
    frames = load_json(vectors / "imaging" / "frames" / "frames.json")
    name = path.stem.removeprefix("frame_").removesuffix("_hull")
    expected = grey(path)
    found = hull_mask(frames[name]["landmarks68"], *expected.shape)[..., 0] * 255
    assert np.count_nonzero(found != expected) <= 2


@pytest.mark.parametrize("case", entry_params("imaging", "masks", "mirror_landmarks*.json"))
def test_mirrored_landmarks_are_deepfacelabs(vectors: Path, case: Entry):
    frames = load_json(vectors / "imaging" / "frames" / "frames.json")
    landmarks = frames[case.value["frame"]]["landmarks68"]
    found = mirror_landmarks(landmarks, case.value["width"])
    # float32 holds coordinates of a few hundred pixels to 3e-5.
    np.testing.assert_allclose(found, case.value["mirrored"], atol=5e-5)
