"""DSSIM, blurs and target preparation equal DeepFaceLab's numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from dflcolab.losses.adversarial import total_variation
from dflcolab.losses.dssim import dssim
from dflcolab.losses.filters import gaussian_blur
from dflcolab.losses.reconstruction import blur_out_mask, soft_mask
from dflcolab.losses.style import style_loss
from tests.parity.model_vectors import difference, picture
from tests.parity.vector_cases import file_params, vector_files

TOLERANCE = 2e-5  # README of the vectors; DSSIM is ill conditioned in flat areas


def _cases():
    found = []
    for path in vector_files("models", "losses*.npz"):
        with np.load(path) as case:
            found += [
                pytest.param(path, key, id=f"{path.stem}-{key}")
                for key in case.files
                if re.match(r"dssim|gblur|blur_out_mask|maskblur|style|tvmse", key)
            ]
    return found or [pytest.param(*2 * file_params("models", "losses*.npz"))]


@pytest.mark.parametrize(("path", "key"), _cases())
def test_a_loss_equals_that_of_deepfacelab(path: Path, key: str):
    case = np.load(path)
    match = re.match(r"([a-z_]+?)(3_)?(\d+)(?:_masked)?(?:_(?:fs|r)([\d.]+))?(?:_w([\d.]+))?$", key)
    assert match is not None, f"{key} is of no known kind"
    kind, three, size, number, weight = match.groups()
    a, b, m = (picture(case[f"{name}{size}_u8"]) for name in "abm")
    if kind == "dssim":
        first, second = (a * m, b * m) if "_masked" in key else (a, b)
        ours = dssim(first, second, int(number))
    elif kind == "gblur":
        ours = gaussian_blur(a if three else m, float(number))
    elif kind == "maskblur":
        ours = soft_mask(m)
    elif kind == "style":
        # Weighted cases are of the masked pictures.
        first, second = (a * m, b * m) if weight else (a, b)
        ours = style_loss(first, second, sigma=float(number), weight=float(weight or 1))
    elif kind == "tvmse":
        ours = total_variation(a)
    else:
        assert kind == "blur_out_mask"
        ours = blur_out_mask(a, m)
    assert difference(ours, case[key]) < TOLERANCE
