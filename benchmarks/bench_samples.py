"""Training samples per second, without a network: the price of the sampler and of color transfer.

DeepFaceLab's program, measured on one core of the machine of ARCHITECTURE section 11: 70 samples a
second at 128 pixels; with a whole-face set for a full-face model 56, with rct 34, mkl 39, idt 6.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

BATCH = 8
_DFL = {"none": 70, "rct": 34, "lct": None, "mkl": 39, "idt": 6, "sot": None}


def main(resolutions: tuple[int, ...] = (128, 256)) -> None:
    """Print a table: samples per second, and per second of processor time, for each mode."""
    print(f"{'size':>5} {'ct':>5} {'samples/s':>10} {'per core-s':>11} {'DFL per core':>13}")
    for size in resolutions:
        for mode, dfl in _DFL.items():
            per_second, per_core = measure(mode, size)
            known = str(dfl) if dfl and size == 128 else "-"
            print(f"{size:5} {mode:>5} {per_second:10.0f} {per_core:11.0f} {known:>13}")


def measure(mode: str, size: int, *, seconds: float = 3.0) -> tuple[float, float]:
    """Samples of one side per second and per second of processor time, with warp and flips."""
    from dflcolab.backend import tf
    from dflcolab.models.options import ColorTransfer
    from dflcolab.training.augment import PADDING, sample_batch
    from dflcolab.training.color_match import (
        FaceColors,
        color_change,
        match_colors,
        moments_of,
        points_of,
    )

    transfer = ColorTransfer(mode)
    generator = np.random.default_rng(0)
    padded = size + 2 * PADDING
    faces = generator.integers(0, 256, (BATCH, padded, padded, 5), np.uint8)
    inner = [face[PADDING:-PADDING, PADDING:-PADDING, :3] for face in faces]
    moments = np.stack([moments_of(picture) for picture in inner])
    colors = FaceColors(moments, moments, np.stack([points_of(picture) for picture in inner]))
    order = np.arange(BATCH)

    def sample(batch: Any, change: Any, seed: Any) -> Any:
        if change is not None:
            batch = match_colors(transfer, batch, change, seed)
        return sample_batch(batch, seed, random_warp=True, flip=True)

    compiled = tf.function(sample, autograph=False)

    def one(number: int) -> None:
        change = None
        if transfer is not ColorTransfer.NONE:
            change = tf.constant(color_change(transfer, colors, order, colors, order[::-1]))
        seed = tf.constant([1, number], tf.int64)
        compiled(tf.constant(faces), change, seed).target.numpy()

    for number in range(3):
        one(number)
    count, wall, processor = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        one(count)
        count += 1
    made = count * BATCH
    return made / (time.perf_counter() - wall), made / (time.process_time() - processor)


if __name__ == "__main__":
    main()
