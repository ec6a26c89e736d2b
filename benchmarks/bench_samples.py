"""Training samples per second, without a network: the price of the sampler and of color transfer.

Faces of the demo clips are fetched in shuffled rounds and random views of them drawn, as `train`
does. DeepFaceLab's program, measured by others on one core of the machine of ARCHITECTURE section
11, whole-face set to full-face model; plain it makes 70 samples a second at 128 pixels, 49 at 256.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.demo_workspace import demo_faces
from benchmarks.machine import Table, print_machine

BATCH = 8
DFL = {
    128: {"none": 70, "rct": 34, "mkl": 39, "idt": 6},
    256: {"none": 49, "rct": 27, "mkl": 19, "idt": 2},
}
MODES = ("none", "rct", "lct", "mkl", "idt", "sot")


def main(resolutions: tuple[int, ...] = (128, 256)) -> None:
    """Print a table: samples per second, and per second of processor time, for each mode."""
    print_machine()
    table = Table(
        "The sampler alone",
        ["size", "color transfer", "samples/s", "per core second", "DFL per core", "times DFL"],
    )
    for size in resolutions:
        for mode in MODES:
            per_second, per_core = measure(mode, size)
            dfl = DFL[size].get(mode)
            table.add(
                size, mode, per_second, per_core, dfl or "-", per_core / dfl if dfl else "-"
            )  # fmt: skip
    table.print()


def measure(mode: str, size: int, *, seconds: float = 2.0) -> tuple[float, float]:
    """Samples of one side per second and per second of processor time, with warp and flips."""
    from dflcolab.backend import tf
    from dflcolab.faces.face_type import FaceType
    from dflcolab.models.options import ColorTransfer
    from dflcolab.training.augment import PADDING, sample_batch
    from dflcolab.training.color_match import (
        FaceColors,
        color_change,
        match_colors,
        moments_of,
        points_of,
    )
    from dflcolab.training.sampler import Sampler

    transfer = ColorTransfer(mode)
    faces = demo_faces(FaceType.FULL, size)[0]
    inner = [face[PADDING:-PADDING, PADDING:-PADDING, :3] for face in faces.faces]
    moments = np.stack([moments_of(picture) for picture in inner])
    colors = FaceColors(moments, moments, np.stack([points_of(picture) for picture in inner]))
    sampler = Sampler(len(faces), [0])

    def sample(batch: Any, change: Any, seed: Any) -> Any:
        if change is not None:
            batch = match_colors(transfer, batch, change, seed)
        return sample_batch(batch, seed, random_warp=True, flip=True)

    compiled = tf.function(sample, autograph=False)

    def one(number: int) -> None:
        change = None
        order = sampler.take(number * BATCH, BATCH)
        if transfer is not ColorTransfer.NONE:
            change = tf.constant(color_change(transfer, colors, order, colors, order[::-1]))
        seed = tf.constant([1, number], tf.int64)
        compiled(tf.constant(faces.batch(order)), change, seed).target.numpy()

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
