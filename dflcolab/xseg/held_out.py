# pyright: strict
"""Which labelled faces are kept away from training, to judge the masks.

Labels are few, and neighbouring frames are near-copies, so whole cells of neighbouring frames are
kept out. A cell that was kept out once stays so. When labels are added, further cells are kept out
among those that hold new labels only: what was learned from judges nothing any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from dflcolab.faceset.stretches import frame_of

FEWEST_LABELS = 20
"""Of fewer labels none is held out: training needs them all."""

_FRAMES = 50
"""In a cell: two seconds of a video."""


def cell_of(key: str) -> str:
    """Name of the stretch of neighbouring frames that a frame lies in (see `Faceset.frame_keys`)."""
    frame = frame_of(key)
    return f"{frame.video}:{frame.number // _FRAMES}"


def choose_cells(
    cells: Sequence[str],
    share: float,
    *,
    seed: int,
    held_out: Collection[str] = (),
    learned: Collection[str] = (),
) -> frozenset[str]:
    """Cells to keep out of training.

    Args:
        cells: The cell of each labelled face.
        share: Part of the faces that should be held out, 0..0.5.
        seed: Another seed, another choice.
        held_out: Cells that were kept out before, and stay so.
        learned: Cells that the network has learned from; they judge nothing any more.

    Returns:
        `held_out`, and with it so many more that about that share of the faces lies in them; no more
        if there are fewer than 20 faces or they all lie in one cell.
    """
    chosen = set(held_out)
    wanted = round(share * len(cells))
    counts = {cell: cells.count(cell) for cell in set(cells)}
    if len(cells) < FEWEST_LABELS or wanted == 0 or len(counts) < 2:
        return frozenset(chosen)
    held = sum(counts.get(cell, 0) for cell in chosen)
    for cell in sorted(counts.keys() - {*chosen, *learned}, key=lambda cell: _rank(cell, seed)):
        if held >= wanted:
            break
        # Never more than half, which a single large cell could be.
        if held + counts[cell] <= max(len(cells) // 2, 1):
            chosen.add(cell)
            held += counts[cell]
    return frozenset(chosen)


def split(cells: Sequence[str], held_out: Collection[str]) -> tuple[list[int], list[int]]:
    """Indices of the faces that are trained on, and of those that are held out."""
    kept = [i for i, cell in enumerate(cells) if cell not in held_out]
    return kept, [i for i, cell in enumerate(cells) if cell in held_out]


def _rank(cell: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {cell}".encode()).hexdigest()
