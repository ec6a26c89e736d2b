"""The preview: what the model paints, beside what it should paint.

DeepFaceLab's grid, once of faces that the model learns from and once of faces that it never sees, and a
short run of dst frames with the face of src below them. The faces are always the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from dflcolab.arrays import Image, Tensor
from dflcolab.training.augment import PADDING
from dflcolab.training.side_faces import SideFaces

MOST_ROWS = 4
LARGEST_ROW = 800
LARGEST_CELL = 192
"""Pixels of a face in the picture at most, so that a long history stays small."""

COLUMNS = ("src", "painted", "dst", "painted", "swap")
STRIP = 16
"""Height of a line of text in pixels."""

_STRIP_COLOR, _TEXT_COLOR = 32, (200, 200, 200)

Painter = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""src and dst faces `[B, R, R, 3]` to src -> src, dst -> dst and the swap."""

Pictures = npt.NDArray[np.float32]
"""Several pictures, `[N, R, R, 3]`, float32 in 0..1, BGR."""

Faces = npt.NDArray[np.uint8]
"""Several faces, `[N, R, R, 3]`, uint8, BGR."""

Paint = Callable[[Faces, Faces], tuple[Pictures, Pictures, Pictures]]
"""As `Painter`, for any number of faces as they are."""


def preview_rows(resolution: int) -> int:
    """Rows of faces of a preview: four, fewer where faces are large."""
    return max(1, min(MOST_ROWS, LARGEST_ROW // resolution))


def preview(sides: Mapping[str, SideFaces], paint: Paint, *, resolution: int) -> Image:
    """The picture: training faces, held-out faces, a run of dst frames and their swaps.

    Args:
        sides: `src` and `dst`. Without held-out faces on both sides, all rows show training faces.
        paint: The model.
        resolution: Side of the faces in pixels.

    Returns:
        `[H, 5 * S, 3]` with S the resolution, at most `LARGEST_CELL`.
    """
    rows = preview_rows(resolution)
    n_held = rows // 2 if all(side.held_out for side in sides.values()) else 0
    titles = [("training faces", rows - n_held), ("held-out faces", n_held)]
    src, dst = (_rows_of(side, rows - n_held, n_held) for side in sides.values())
    run = neighbouring_frames(sides["dst"], len(COLUMNS))
    beside = src[np.arange(len(run)) % len(src)]
    painted = paint(np.concatenate([src, beside]), np.concatenate([dst, run]))
    src_src, dst_dst, swap = (to_picture(pictures) for pictures in painted)
    columns = (src, src_src, dst, dst_dst, swap)
    cell = min(resolution, LARGEST_CELL)
    parts = [_strip(COLUMNS, cell)]
    done = 0
    for title, count in titles:
        if count:
            parts.append(_strip((title,), cell))
        rows_of_title = range(done, done + count)
        parts += [_row([column[row] for column in columns], cell) for row in rows_of_title]
        done += count
    parts.append(_strip(("dst frames, below with the face of src",), cell))
    parts += [_row(run, cell), _row(swap[rows:], cell)]
    return np.concatenate(parts)


def neighbouring_frames(side: SideFaces, count: int) -> Faces:
    """Up to `count` faces of neighbouring frames from the middle of the longest stretch.

    Held-out faces, if three of them are neighbours.
    """
    groups = [
        (faces, stretches)
        for faces, stretches in (
            (side.held_out, side.held_out_stretches),
            (side.training, side.training_stretches),
        )
        if faces is not None and len(faces)
    ]
    for known, stretches in groups:
        numbers, sizes = np.unique(stretches, return_counts=True)
        if sizes.max() >= 3:
            faces, run = known, np.flatnonzero(stretches == numbers[sizes.argmax()])
            break
    else:  # single pictures
        faces = groups[0][0]
        run = np.arange(len(faces))
    start = max(0, (len(run) - count) // 2)
    return _inner(faces.batch(run[start : start + count]))


def _rows_of(side: SideFaces, n_training: int, n_held: int) -> Faces:
    """Training faces from all over, then held-out ones."""
    picked: list[Faces] = []
    for part, count in ((side.training, n_training), (side.held_out, n_held)):
        if part is not None and count:
            places = (np.arange(count) + 0.5) * len(part) / count
            picked.append(part.batch(places.astype(np.int64)))
    return _inner(np.concatenate(picked))


def _inner(faces: npt.NDArray[np.uint8]) -> Faces:
    return faces[:, PADDING:-PADDING, PADDING:-PADDING, :3]


def _row(pictures: Sequence[Image] | Faces, cell: int) -> Image:
    """Pictures side by side, black to the full width."""
    row = np.zeros((cell, len(COLUMNS) * cell, 3), np.uint8)
    for i, picture in enumerate(pictures):
        row[:, i * cell : (i + 1) * cell] = _fitted(picture, cell)
    return row


def _fitted(picture: Image, cell: int) -> Image:
    if len(picture) == cell:
        return picture
    return cv2.resize(picture, (cell, cell), interpolation=cv2.INTER_AREA)  # pyright: ignore[reportReturnType]


def _strip(texts: Sequence[str], cell: int) -> Image:
    """A line of text over each cell from the left."""
    strip = np.full((STRIP, len(COLUMNS) * cell, 3), _STRIP_COLOR, np.uint8)
    for i, text in enumerate(texts):
        cv2.putText(
            strip, text, (i * cell + 4, STRIP - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.36, _TEXT_COLOR, 1,
            cv2.LINE_AA,
        )  # fmt: skip
    return strip


def painted_in_parts(
    paint: Painter, src: Faces, dst: Faces, *, at_once: int
) -> tuple[Pictures, Pictures, Pictures]:
    """What a model paints of many faces, in batches of one shape.

    Args:
        paint: The model.
        src: Faces of src.
        dst: As many of dst.
        at_once: Faces in a batch; the last one is filled up with faces from the start.

    Returns:
        src -> src, dst -> dst and the swap.
    """
    parts: list[list[Pictures]] = []
    for start in range(0, len(src), at_once):
        places = np.arange(start, start + at_once) % len(src)
        pair = (side[places].astype(np.float32) / 255 for side in (src, dst))
        parts.append([np.asarray(pictures) for pictures in paint(*pair)])
    src_src, dst_dst, swap = (np.concatenate(p)[: len(src)] for p in zip(*parts, strict=True))
    return src_src, dst_dst, swap


def to_picture(values: Pictures) -> Faces:
    """0..1 to 0..255, rounded; values beyond are cut, what is no number is black."""
    return np.clip(np.rint(np.nan_to_num(values) * 255), 0, 255).astype(np.uint8)


def encode_jpeg(picture: Image, *, quality: int = 90) -> bytes:
    """The picture as a JPEG file."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
