"""Training keeps its memory: a short form of `benchmarks.bench_leak`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_leak import MemoryWatch, Sample, slope, watched_training
from dflcolab.workspace.workspace import Workspace

PICTURE_KB = 64 * 64 * 3 * 4 / 1024
"""One face of the smallest model in float32: the least that a step could forget to give back."""

ALLOWED = 0.4 * PICTURE_KB * 1000
"""kB per 1,000 iterations. The allocator alone still took 4,600 between the 300th and the 600th
iteration (most of it in one piece), so a tenth of a picture each time; one whole picture is seen
with room to spare. The long form of the benchmark looks for slower leaks."""


def test_a_picture_forgotten_in_every_iteration_is_seen():
    watch = MemoryWatch(25)
    forgotten: list[np.ndarray] = []
    with watch.task("Training", total=600, unit="iterations") as task:
        for _ in range(600):
            forgotten.append(np.ones((64, 64, 3), np.float32))
            task.advance()
    assert len(watch.samples) == 24
    assert slope(watch.samples, after=300) > ALLOWED


def test_a_flat_curve_has_no_slope_whatever_came_before():
    samples = [Sample(i, 5e5 if i > 300 else 1000.0 * i) for i in range(0, 601, 25)]
    assert abs(slope(samples, after=300)) < 1e-3


@pytest.mark.slow
def test_resident_size_is_flat_after_warm_up(face_workspace: Path):
    workspace = Workspace.open(face_workspace)
    samples = watched_training(workspace, iterations=600, every=25, save_every=100)
    assert slope(samples, after=300) < ALLOWED
