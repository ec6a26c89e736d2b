"""DeepFaceLab's FaceEnhancer as merging uses it: faces in, faces four times as large out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Array, FloatImage
from dflcolab.backend import tf
from dflcolab.engine.precision import prepare_device
from dflcolab.files import sha256_of
from dflcolab.formats.leras_weights import read_weights
from dflcolab.models.face_enhancer import SCOPE, TILE, FaceEnhancer
from dflcolab.models.layers import Weights
from dflcolab.models.weight_map import checked_weights

_STEP = TILE // 2
_FACTOR = 4


class EnhancerPredictor:
    """Enlarges faces tile by tile, in float32.

    Args:
        weights: Full variable name to float32 array.
        identity: Text that differs between any two sets of weights.

    Attributes:
        identity: As given.
    """

    def __init__(self, weights: Mapping[str, Array], *, identity: str) -> None:
        self.identity = identity
        network = FaceEnhancer()
        constants = Weights({name: tf.constant(value) for name, value in weights.items()})

        def run(tile: Any) -> Any:
            return network(constants, tile)

        self._run = tf.function(
            run, input_signature=[tf.TensorSpec([1, TILE, TILE, 3], tf.float32)], autograph=False
        )

    def enhance(self, faces: FloatImage) -> FloatImage:
        """Faces four times as large.

        The network was trained on -1..1; DeepFaceLab's merger gives it 0..1, and so does this, since the
        look that people know comes from it.

        Args:
            faces: `[B, R, R, 3]`, BGR in 0..1.

        Returns:
            `[B, 4R, 4R, 3]`; values may leave 0..1.
        """
        return np.stack([self._one(face) for face in faces])

    def _one(self, face: FloatImage) -> FloatImage:
        """Overlapping tiles, mixed where they overlap; what lies beyond a small face is black."""
        size = face.shape[0]
        side = max(size, TILE)
        wide = np.zeros((side, side, 3), np.float32)
        wide[:size, :size] = face
        total = np.zeros((side * _FACTOR, side * _FACTOR, 3), np.float32)
        shares = np.zeros((side * _FACTOR, side * _FACTOR, 1), np.float32)
        window = _window()
        for top in tile_starts(side):
            for left in tile_starts(side):
                tile = wide[top : top + TILE, left : left + TILE]
                large = self._run(tf.constant(tile[None])).numpy()[0]
                rows, columns = (
                    slice(start * _FACTOR, (start + TILE) * _FACTOR) for start in (top, left)
                )
                total[rows, columns] += large * window
                shares[rows, columns] += window
        end = size * _FACTOR
        return (total / shares)[:end, :end]


def tile_starts(side: int) -> list[int]:
    """Where tiles begin along a side: every half tile, the last one at the end."""
    last = side - TILE
    return sorted({*range(0, last + 1, _STEP), last})


def load_enhancer(path: Path) -> EnhancerPredictor:
    """The network with the weights of a file of DeepFaceLab (`FaceEnhancer.npy`).

    Raises:
        FormatError: The file is missing, damaged or holds something else.
        ModelError: It holds the weights of another network.
    """
    prepare_device()
    stored = {f"{SCOPE}/{key}": value for key, value in read_weights(path).items()}
    weights = checked_weights(FaceEnhancer().shapes(), stored, source=str(path))
    return EnhancerPredictor(weights, identity=sha256_of(path))


def _window() -> npt.NDArray[np.float32]:
    """Weights of a tile's pixels, falling evenly from its middle to its border; `[768, 768, 1]`."""
    side = TILE * _FACTOR
    line = 1.0 - np.abs((np.arange(side) + 0.5) / (side / 2) - 1.0)
    return np.outer(line, line).astype(np.float32)[..., None]
