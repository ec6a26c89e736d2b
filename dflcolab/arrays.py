"""Names for the arrays that travel through the package.

The names state a convention, they do not enforce it; the functions that create such
arrays say in their docstrings what they promise.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Image: TypeAlias = npt.NDArray[np.uint8]
"""Picture `[H, W, 3]`, uint8, BGR."""

DeepImage: TypeAlias = npt.NDArray[np.uint16]
"""Picture `[H, W, 3]`, uint16 with 65535 as white, BGR: videos of more than eight bits."""

FloatImage: TypeAlias = npt.NDArray[np.float32]
"""Picture `[H, W, 3]`, float32 in 0..1, BGR."""

Mask: TypeAlias = npt.NDArray[np.float32]
"""Mask `[H, W, 1]`, float32 in 0..1."""

Landmarks: TypeAlias = npt.NDArray[np.float32]
"""68 points `[68, 2]`, x right and y down, in pixels of the picture they belong to."""

Transform: TypeAlias = npt.NDArray[np.float32]
"""Affine matrix `[2, 3]`, frame pixels to crop pixels."""

Array: TypeAlias = npt.NDArray[Any]
"""Any numeric array; its docstring says more."""

Tensor: TypeAlias = Any
"""A TensorFlow tensor; this module does not load TensorFlow for its sake."""
