# pyright: strict
"""Networks that remember their answers, for trying looks on the same frames again and again.

What a network is shown is the same as long as frame and landmarks are, so its answers are kept under
a digest of the input: nothing needs to know which option changes what a network sees.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from dflcolab.arrays import FloatImage, Mask
from dflcolab.faces.face_type import FaceType
from dflcolab.merging.networks import Enhancer, Predictor
from dflcolab.merging.segments import Segmenter

Arrays = tuple[npt.NDArray[np.float32], ...]

MOST_BYTES = 128 << 20
"""Of answers that a network keeps: some hundred faces of 224 pixels."""


class RememberedPredictor:
    """A swap model that is asked about each face once."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._answers = _Answers(predictor.predict)

    @property
    def resolution(self) -> int:
        """As that of the model."""
        return self._predictor.resolution

    @property
    def face_type(self) -> FaceType:
        """As that of the model."""
        return self._predictor.face_type

    def predict(
        self, faces: FloatImage, morphs: npt.NDArray[np.float32]
    ) -> tuple[FloatImage, Mask, Mask]:
        """As `Predictor.predict`."""
        swap, swap_mask, dst_mask = self._answers.of(faces, morphs)
        return swap, swap_mask, dst_mask


class RememberedSegmenter:
    """An XSeg network that is asked about each face once, and not loaded before the first one.

    Args:
        load: Gives the network.
    """

    def __init__(self, load: Callable[[], Segmenter]) -> None:
        self._load = load
        self._segmenter: Segmenter | None = None
        self._answers = _Answers(self._ask)

    @property
    def face_type(self) -> FaceType:
        """As that of the network."""
        return self._loaded.face_type

    @property
    def identity(self) -> str:
        """As that of the network."""
        return self._loaded.identity

    def predict(self, faces: FloatImage) -> Mask:
        """As `Segmenter.predict`."""
        (mask,) = self._answers.of(faces)
        return mask

    def _ask(self, faces: FloatImage) -> Arrays:
        return (self._loaded.predict(faces),)

    @property
    def _loaded(self) -> Segmenter:
        if self._segmenter is None:
            self._segmenter = self._load()
        return self._segmenter


class RememberedEnhancer:
    """A network that enlarges each face once."""

    def __init__(self, enhancer: Enhancer) -> None:
        self._enhancer = enhancer
        self._answers = _Answers(self._ask)

    @property
    def identity(self) -> str:
        """As that of the network."""
        return self._enhancer.identity

    def enhance(self, faces: FloatImage) -> FloatImage:
        """As `Enhancer.enhance`."""
        (large,) = self._answers.of(faces)
        return large

    def _ask(self, faces: FloatImage) -> Arrays:
        return (self._enhancer.enhance(faces),)


class _Answers:
    """Answers by what was asked; those that nobody asked for longest go first."""

    def __init__(self, ask: Callable[..., Arrays]) -> None:
        self._ask = ask
        self._kept: OrderedDict[bytes, Arrays] = OrderedDict()
        self._n_bytes = 0

    def of(self, *inputs: npt.NDArray[np.float32]) -> Arrays:
        digest = hashlib.blake2b(digest_size=16)
        for part in inputs:
            digest.update(np.ascontiguousarray(part).data)
        key = digest.digest()
        found = self._kept.pop(key, None)
        if found is None:
            found = self._ask(*inputs)
            self._n_bytes += _size(found)
        self._kept[key] = found
        while self._n_bytes > MOST_BYTES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._n_bytes -= _size(oldest)
        return found


def _size(answer: Arrays) -> int:
    return sum(part.nbytes for part in answer)
