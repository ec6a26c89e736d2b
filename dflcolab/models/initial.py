"""Fresh weights of any network, named by seed and variable."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np

from dflcolab.arrays import Array

_CONSTANTS = {"bias:0": 0.0, "tau:0": 0.0, "eps:0": 1e-6}


def initial_weights(shapes: Mapping[str, tuple[int, ...]], *, seed: int) -> dict[str, Array]:
    """Fresh float32 weights: Glorot-uniform kernels, zero biases, norms that change nothing.

    Every variable has its own random stream, named by seed and variable, so re-drawing one part
    gives the same numbers whatever else is drawn.

    Args:
        shapes: Full variable name to shape.
        seed: Any integer.
    """
    found: dict[str, Array] = {}
    for name, shape in shapes.items():
        kind = name.rsplit("/", 1)[-1]
        if kind in _CONSTANTS or len(shape) < 2:
            found[name] = np.full(shape, _CONSTANTS.get(kind, 1.0), np.float32)
            continue
        receptive = int(np.prod(shape[:-2]))
        limit = np.sqrt(6.0 / (receptive * (shape[-2] + shape[-1])))
        generator = np.random.default_rng([seed & 0xFFFFFFFF, zlib.crc32(name.encode())])
        values = generator.random(shape, dtype=np.float32)
        found[name] = (values * np.float32(2 * limit) - np.float32(limit)).astype(np.float32)
    return found
