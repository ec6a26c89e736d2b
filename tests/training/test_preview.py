"""The preview shows the right faces in the right cells."""

from __future__ import annotations

import numpy as np
import pytest

from dflcolab.training.augment import PADDING
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.preview import (
    LARGEST_CELL,
    STRIP,
    encode_jpeg,
    neighbouring_frames,
    painted_in_parts,
    preview,
    preview_rows,
)
from dflcolab.training.side_faces import SideFaces

STRETCHES = np.array([0, 0, 1, 1, 1, 1, 1, 1, 1, 2])


def _faces(first: int, count: int, size: int) -> TrainingFaces:
    """Faces of one gray each: `first`, `first + 1`, …"""
    side = size + 2 * PADDING
    faces = np.zeros((count, side, side, 5), np.uint8)
    faces[:] = np.arange(first, first + count, dtype=np.uint8)[:, None, None, None]
    return TrainingFaces(faces, tuple(map(str, range(count))), (0.0,) * count)


def _sides(size: int, *, held: bool = True) -> dict[str, SideFaces]:
    return {
        side: SideFaces(
            _faces(first, 10, size),
            _faces(first + 20, 10, size) if held else None,
            STRETCHES,
            STRETCHES if held else STRETCHES[:0],
        )
        for side, first in (("src", 1), ("dst", 101))
    }


def _paint(src: np.ndarray, dst: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """src painted 50 lighter, dst 50 darker, the swap 100 darker."""
    levels = [side.astype(np.float32) / 255 for side in (src, dst)]
    return levels[0] + 50 / 255, levels[1] - 50 / 255, levels[1] - 100 / 255


def _grays(picture: np.ndarray, cell: int, tops: list[int]) -> list[list[int]]:
    middles = [cell // 2 + column * cell for column in range(5)]
    return [[int(picture[top + cell // 2, x, 0]) for x in middles] for top in tops]


def test_rows_of_training_faces_then_held_out_ones_then_a_run_of_frames():
    picture = preview(_sides(64), _paint, resolution=64)

    assert picture.shape == (4 * STRIP + 6 * 64, 5 * 64, 3)
    tops = [2 * STRIP, 2 * STRIP + 64, 3 * STRIP + 128, 3 * STRIP + 192,
            4 * STRIP + 256, 4 * STRIP + 320]  # fmt: skip
    rows = _grays(picture, 64, tops)
    for row, (src, dst) in zip(rows, [(3, 103), (8, 108), (23, 123), (28, 128)], strict=False):
        assert row == [src, src + 50, dst, dst - 50, dst - 100]
    # The five in the middle of the longest stretch (faces 2 to 8) of held-out dst, and their swaps.
    assert rows[4] == [124, 125, 126, 127, 128]
    assert rows[5] == [24, 25, 26, 27, 28]


def test_without_held_out_faces_all_rows_are_training_faces():
    picture = preview(_sides(64, held=False), _paint, resolution=64)

    assert picture.shape == (3 * STRIP + 6 * 64, 5 * 64, 3)
    rows = _grays(picture, 64, [2 * STRIP + 64 * row for row in range(4)])
    assert [row[0] for row in rows] == [2, 4, 7, 9]


def test_large_faces_make_fewer_and_smaller_cells():
    picture = preview(_sides(640), _paint, resolution=640)

    assert preview_rows(640) == 1
    assert picture.shape == (3 * STRIP + 3 * LARGEST_CELL, 5 * LARGEST_CELL, 3)
    assert len(encode_jpeg(picture)) < 100_000


@pytest.mark.parametrize(
    ("stretches", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 6], [2, 3, 4]),  # photographs: the middle
        ([0, 0, 1, 1, 1, 1, 2], [2, 3, 4]),
        ([0, 0, 0, 0, 1, 1, 1], [0, 1, 2]),
        ([5, 5, 5, 5, 5, 1, 1], [1, 2, 3]),
    ],
)
def test_neighbouring_frames_are_of_one_stretch(stretches: list[int], expected: list[int]):
    side = SideFaces(_faces(0, 7, 8), None, np.array(stretches))
    run = neighbouring_frames(side, 3)
    assert run.shape == (3, 8, 8, 3)
    assert run[:, 0, 0, 0].tolist() == expected


@pytest.mark.parametrize("at_once", [1, 3, 4, 8])
def test_parts_of_one_size_give_all_faces_once(at_once: int):
    sizes: list[int] = []

    def paint(src, dst):
        sizes.append(len(src))
        return src, dst, src - dst

    rng = np.random.default_rng(0)
    src, dst = rng.integers(0, 255, (2, 7, 4, 4, 3), np.uint8)
    painted = painted_in_parts(paint, src, dst, at_once=at_once)
    assert set(sizes) == {at_once}
    np.testing.assert_allclose(painted[0] * 255, src, atol=1e-4)
    np.testing.assert_allclose(painted[1] * 255, dst, atol=1e-4)
    assert painted[2].shape == src.shape
