"""Color transfers, against DeepFaceLab's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.imaging.color_transfer import linear, monge_kantorovich, reinhard
from tests.parity.vector_cases import Entry, entry_params

METHODS: dict[str, Callable[..., np.ndarray]] = {
    "rct": lambda s, t, sm, tm: reinhard(s, t),
    "rct_masked": lambda s, t, sm, tm: reinhard(s, t, source_mask=sm, target_mask=tm),
    "lct": lambda s, t, sm, tm: linear(s, t),
    "mkl": lambda s, t, sm, tm: monge_kantorovich(s, t),
    "mkl_m": lambda s, t, sm, tm: monge_kantorovich(s * sm, t * tm),
}
TOLERANCES = {"rct_masked": 0.02}  # the others 0.01, as the vectors' README allows


def picture(path: Path) -> np.ndarray:
    return cv2.imread(str(path)).astype(np.float32) / np.float32(255)


def mask(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[..., None].astype(np.float32) / 255


def key_of(_: str, case: dict) -> str:
    return case["key"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", entry_params("imaging", "color", "color*.json", name=key_of))
def test_transferred_colors_are_deepfacelabs(case: Entry, method: str):
    start = case.folder / case.value["key"]
    expected_path = Path(f"{start}_{method}.png")
    if not expected_path.exists():
        pytest.skip(f"{expected_path.name} is not among the vectors")
    source, target = picture(Path(f"{start}_src.png")), picture(Path(f"{start}_trg.png"))
    masks = [
        mask(path) if path.exists() else None
        for path in (Path(f"{start}_srcmask.png"), Path(f"{start}_trgmask.png"))
    ]

    found = METHODS[method](source, target, *masks)

    expected = cv2.imread(str(expected_path), cv2.IMREAD_UNCHANGED) / 65535
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= TOLERANCES.get(method, 0.01)
    statistics = case.value["stats"][method]
    np.testing.assert_allclose(found.mean(axis=(0, 1)), statistics["mean_bgr"], atol=0.002)
    np.testing.assert_allclose(found.std(axis=(0, 1)), statistics["std_bgr"], atol=0.002)
