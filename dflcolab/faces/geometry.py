# pyright: strict
"""Numeric tables of the face geometry, read once from the package's files.

The tables are DeepFaceLab's templates (DFL interoperability notes, section 3): they decide where
the landmarks of every crop lie, so facesets and models can be exchanged.
"""

from __future__ import annotations

import functools
import importlib.resources
import json

import numpy as np
import numpy.typing as npt

TEMPLATE_INDICES = np.array([*range(17, 49), 54])
"""The landmarks that alignment uses: brows, nose, eyes and the two mouth corners."""


@functools.cache
def table(name: str) -> npt.NDArray[np.float64]:
    """The points of a table in `dflcolab/assets/geometry`, as a read-only float64 array.

    Args:
        name: File name without `.json`, for example `mean_face_2d_33` (`[33, 2]`).
    """
    folder = importlib.resources.files("dflcolab.assets") / "geometry"
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    values = np.array(content["points"], dtype=np.float64)
    values.setflags(write=False)
    return values
