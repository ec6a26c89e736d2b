"""Where one shot ends and the next begins."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image

CUT_DIFFERENCE = 28.0
"""Mean difference of two thumbnails in grey levels (0..255) from which a cut is suspected."""

CUT_RATIO = 3.0
"""The difference must also be that many times the usual one between neighbours."""

_SIZE = (64, 36)
_MEMORY = 0.8


class CutFinder:
    """Says of each frame whether it continues the one before.

    A wrong "cut" costs one look of the detector; a missed one is caught by the presence of the
    mesh, so the measure may be simple: the difference of two tiny grey pictures, compared with what
    is usual in this shot (a shaking camera is no cut).
    """

    def __init__(self) -> None:
        self._before: npt.NDArray[np.float32] | None = None
        self._shape: tuple[int, ...] = ()
        self._usual = 0.0

    def is_cut(self, image: Image) -> bool:
        """Look at the next frame `[H, W, 3]` BGR; True for the first."""
        small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_LINEAR)
        here = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
        before, shape = self._before, self._shape
        self._before, self._shape = here, image.shape
        if before is None or shape != image.shape:
            self._usual = 0.0
            return True
        difference = float(np.abs(here - before).mean())
        cut = difference > CUT_DIFFERENCE and difference > CUT_RATIO * self._usual
        if cut:
            self._usual = 0.0
        else:
            self._usual = _MEMORY * self._usual + (1 - _MEMORY) * difference
        return cut
