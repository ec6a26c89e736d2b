"""Color transfers, against DeepFaceLab's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from dflcolab.imaging.color_transfer import linear, monge_kantorovich, reinhard
from dflcolab.imaging.distribution_transfer import distribution_transfer
from dflcolab.imaging.sliced_transport import mixed_transport, sliced_transport
from dflcolab.merging.face_colors import match_histogram
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


# Ours draws other directions than DeepFaceLab: README of the vectors, for another stream of random
# numbers: mean difference, mean of a channel, spread of a channel.
RANDOM: dict[str, tuple[Callable[..., np.ndarray], tuple[float, float, float]]] = {
    "idt": (lambda s, t, sm, tm: distribution_transfer(s, t), (0.03, 0.004, 0.035)),
    "sot": (lambda s, t, sm, tm: sliced_transport(s, t), (0.025, 0.006, 0.02)),
    "sot_m": (lambda s, t, sm, tm: sliced_transport(s * sm, t * tm), (0.015, 0.005, 0.005)),
    "mix_m": (lambda s, t, sm, tm: mixed_transport(s * sm, t * tm), (0.015, 0.005, 0.005)),
}
HISTOGRAMS = {"hist_match_255": 255, "hist_match_200": 200}


def vector(case: Entry, method: str) -> tuple[np.ndarray, np.ndarray, list, np.ndarray]:
    """Source, target, their masks and DeepFaceLab's result."""
    start = case.folder / case.value["key"]
    expected_path = Path(f"{start}_{method}.png")
    if not expected_path.exists():
        pytest.skip(f"{expected_path.name} is not among the vectors")
    masks = [
        mask(path) if path.exists() else None
        for path in (Path(f"{start}_srcmask.png"), Path(f"{start}_trgmask.png"))
    ]
    expected = cv2.imread(str(expected_path), cv2.IMREAD_UNCHANGED) / 65535
    return picture(Path(f"{start}_src.png")), picture(Path(f"{start}_trg.png")), masks, expected


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", entry_params("imaging", "color", "color*.json", name=key_of))
def test_transferred_colors_are_deepfacelabs(case: Entry, method: str):
    source, target, masks, expected = vector(case, method)

    found = METHODS[method](source, target, *masks)

    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= TOLERANCES.get(method, 0.01)
    statistics = case.value["stats"][method]
    np.testing.assert_allclose(found.mean(axis=(0, 1)), statistics["mean_bgr"], atol=0.002)
    np.testing.assert_allclose(found.std(axis=(0, 1)), statistics["std_bgr"], atol=0.002)


@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize("case", entry_params("imaging", "color", "color*.json", name=key_of))
def test_transfers_by_random_directions_end_as_near_as_another_run_of_deepfacelab(
    case: Entry, method: str
):
    source, target, masks, expected = vector(case, method)
    transfer, (difference, mean, std) = RANDOM[method]

    found = transfer(source, target, *masks)

    assert found.dtype == np.float32
    assert np.abs(found - expected).mean() <= difference
    for part, allowed in ((np.mean, mean), (np.std, std)):
        np.testing.assert_allclose(
            part(found, axis=(0, 1)), part(expected, axis=(0, 1)), atol=allowed, rtol=0
        )


@pytest.mark.parametrize("method", HISTOGRAMS)
@pytest.mark.parametrize("case", entry_params("imaging", "color", "color*.json", name=key_of))
def test_matched_histograms_are_deepfacelabs(case: Entry, method: str):
    source, target, _, expected = vector(case, method)

    found = match_histogram(source, target, threshold=HISTOGRAMS[method], area=None)

    assert np.abs(found - expected).max() <= 0.01  # README of the vectors
