# pyright: strict
"""DeepFaceLab's sharpness: cumulative probability of blur detection, in array operations.

DFL interoperability notes, section 5.2. The measure is kept with its oddities, so that `blur`
gives the order a user knows: thresholds far below a gray step, squared responses against a plain
threshold, and a ranking that the outline of the mask dominates. `face_sharpness` in
`clean_checks` is the better judge of a face.

Only what the score depends on is worked out. The black around the face holds no edge, so it is cut
off (with a margin as wide as the filters reach). Widths are followed from the edge pixels alone.
Whether a block counts is told from every fourth row where that suffices, see `canny_blocks`.
"""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image
from dflcolab.faceset.canny_blocks import BLOCK, counted_blocks

Gray = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]

_LONGEST_RUN = 101
_MARGIN = 8
"""Smoothing reaches 4 pixels, derivative and thinning one each; a run ends at the second black."""

_DIAGONAL = np.float32(np.tan(np.pi / 8))
"""Gradients nearer to the row's direction than this slope are measured along the row."""


def sharpness(image: Image) -> float:
    """Share of edges too narrow to look blurred, 0..1.

    Args:
        image: `[H, W, 3]`, uint8, BGR; the part that shall not count is black.

    Returns:
        0 for pictures under 64 pixels and for those without edges.
    """
    whole = cast(Gray, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    height, width = whole.shape
    rows, columns = height // BLOCK, width // BLOCK
    if rows == 0 or columns == 0:
        return 0.0
    left, top, span_x, span_y = cv2.boundingRect(whole)
    top, left = max(top - _MARGIN, 0), max(left - _MARGIN, 0)
    bottom, right = top + span_y + 2 * _MARGIN, left + span_x + 2 * _MARGIN
    gray = np.ascontiguousarray(whole[top:bottom, left:right])
    y, x, widths = edge_widths(gray, width_edges(gray, n_pixels=whole.size))
    block = (y + top) // BLOCK * columns + (x + left) // BLOCK
    inside = (y + top < rows * BLOCK) & (x + left < columns * BLOCK)
    block, widths = block[inside], widths[inside]
    wanted = np.bincount(block, minlength=rows * columns) > 0
    counted = counted_blocks(gray, (top, left), (height, width), wanted)
    chosen = counted[block]
    if not chosen.any():
        return 0.0
    contrast = _block_contrast(whole, rows, columns)[block[chosen]]
    narrow = np.where(contrast <= 50, _NARROW[5][widths[chosen]], _NARROW[3][widths[chosen]])
    return float(np.mean(narrow))


def _narrow_widths(just_noticeable: float) -> Flags:
    """For every possible width: is the chance to notice its blur below the limit?"""
    widths = np.arange(2 * _LONGEST_RUN + 1)
    probability = 1.0 - np.exp(-((widths / just_noticeable) ** 3.6))
    return np.rint(100.0 * probability) < 64


_NARROW = {just_noticeable: _narrow_widths(just_noticeable) for just_noticeable in (3, 5)}


def width_edges(gray: Gray, *, n_pixels: int | None = None) -> Flags:
    """Pixels on which an edge's width may be measured: thinned, thresholded Sobel response.

    Args:
        gray: `[H, W]`, uint8.
        n_pixels: Size of the picture of which `gray` is all that is not black; None: its own.
    """
    found: Any = cv2.Sobel(gray, cv2.CV_16S, 1, 0, ksize=3, borderType=cv2.BORDER_REFLECT)
    response = cast(npt.NDArray[np.int16], np.abs(found))
    # The notes' response is (ours / 8) squared, all in exact numbers.
    mean = cv2.norm(response, cv2.NORM_L2SQR) / 64.0 / (n_pixels or gray.size)
    response[response <= 8.0 * np.sqrt(2.0 * np.sqrt(mean))] = 0
    around = np.pad(response, 1)
    here = around[1:-1, 1:-1]
    horizontal = (here > around[1:-1, :-2]) & (here > around[1:-1, 2:])
    vertical = (here > around[:-2, 1:-1]) & (here > around[2:, 1:-1])
    return horizontal | vertical


def edge_widths(gray: Gray, edges: Flags) -> tuple[Indices, Indices, npt.NDArray[np.int64]]:
    """Length of the brightness ramp through edge pixels along their rows.

    Args:
        gray: `[H, W]`, uint8.
        edges: `[H, W]`, from `width_edges`.

    Returns:
        Row, column and width of the pixels where a width can be measured: not on the border of
        the picture, and with a gradient along the row.
    """
    height, width = gray.shape
    place = np.flatnonzero(edges)
    y, x = np.divmod(place, width)
    place = place[(y > 0) & (y < height - 1) & (x > 0) & (x < width - 1)]
    values = gray.ravel().astype(np.int16)
    across = values[place + 1] - values[place - 1]
    down = np.abs(values[place + width] - values[place - width])
    along = (across == 0) | (down <= _DIAGONAL * np.abs(across))
    place, rising = place[along], across[along] >= 0
    sign = np.where(rising, 1, -1).astype(np.int16)
    y, x = np.divmod(place, width)
    left = _runs(values, place - 1, x - 1, -1, -sign)
    right = _runs(values, place + 1, width - 2 - x, 1, sign)
    return y, x, left + right


def _runs(
    values: npt.NDArray[np.int16], start: Indices, room: Indices, step: int, sign: Any
) -> npt.NDArray[np.int64]:
    """How many comparisons runs from `start` make, until the values stop going the wanted way.

    Args:
        values: All pixels in a row.
        start: First pixel of each run.
        room: Pixels between that and the border, in the run's direction.
        step: -1 to the left, 1 to the right.
        sign: For each run, 1 if its values must rise outwards, -1 if they must fall.
    """
    length = np.zeros(len(start), dtype=np.int64)
    going = np.flatnonzero(room > 0)
    place, sign = start[going], sign[going]
    here = values[place]
    for made in range(1, _LONGEST_RUN + 1):
        length[going] = made
        place = place + step
        beyond = values[place]
        on = ((beyond - here) * sign > 0) & (room[going] > made)
        going, place, sign, here = going[on], place[on], sign[on], beyond[on]
        if len(going) == 0:
            break
    return length


def _block_contrast(gray: Gray, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """Largest less smallest value of each complete block, `[rows * columns]`."""
    cut = gray[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns * BLOCK)
    high = cut.max(axis=1).reshape(rows, columns, BLOCK).max(axis=2)
    low = cut.min(axis=1).reshape(rows, columns, BLOCK).min(axis=2)
    return (high.astype(np.int64) - low).ravel()
