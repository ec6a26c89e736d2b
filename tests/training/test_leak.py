"""Training keeps its memory: a short form of `benchmarks.bench_leak`."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest

from benchmarks.bench_leak import Sample, slope

ROOT = Path(__file__).parents[2]

PICTURE_KB = 64 * 64 * 3 * 4 / 1024
"""One face of the smallest model in float32: the least that a step could forget to give back."""

ALLOWED = 0.4 * PICTURE_KB * 1000
"""kB per 1,000 iterations; one whole picture is seen with room to spare. The long form of the
benchmark looks for slower leaks."""


def steady_rise(samples: Sequence[Sample], *, after: int) -> float:
    """Median rise between two samples, as kB per 1,000 iterations.

    The allocator takes up to 6 MB in one piece at any time, which bends a fitted line (5,000 to
    21,000 kB per 1,000 iterations were seen); what is forgotten in every iteration rises in every step.
    """
    later = [sample for sample in samples if sample.iteration >= after]
    steps = [
        (b.kilobytes - a.kilobytes) / (b.iteration - a.iteration)
        for a, b in itertools.pairwise(later)
    ]
    return 1000 * median(steps)


def _slope_in_a_fresh_process(script: str) -> float:
    """What a script prints, run by itself: in a process that has freed much, nothing grows."""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


def test_a_picture_forgotten_in_every_iteration_is_seen():
    script = """
import numpy as np
from benchmarks.bench_leak import MemoryWatch
from tests.training.test_leak import steady_rise
watch = MemoryWatch(25)
forgotten = []
with watch.task("Training", total=600, unit="iterations") as task:
    for _ in range(600):
        forgotten.append(np.ones((64, 64, 3), np.float32))
        task.advance()
assert len(watch.samples) == 24
print(steady_rise(watch.samples, after=300))
"""
    assert _slope_in_a_fresh_process(script) > ALLOWED


def test_a_flat_curve_has_no_slope_whatever_came_before():
    samples = [Sample(i, 5e5 if i > 300 else 1000.0 * i) for i in range(0, 601, 25)]
    assert abs(slope(samples, after=300)) < 1e-3


def test_counting_iterations_takes_no_memory():
    """The long benchmark found 350 to 460 bytes per iteration: TensorFlow's cache of numbers."""
    script = """
import psutil
from dflcolab.training.session import number_tensor
resident = psutil.Process().memory_info
for number in range(1000):
    number_tensor(number)
before = resident().rss
for number in range(10**6, 10**6 + 20_000):
    number_tensor(number)
print((resident().rss - before) / 20_000)
"""
    # Numbers of Python cost 750 bytes each here; one page (4 kB) more or less is 0.2 a number.
    assert _slope_in_a_fresh_process(script) < 50


@pytest.mark.slow
@pytest.mark.long
def test_resident_size_is_flat_after_warm_up(face_workspace: Path):
    script = f"""
from benchmarks.bench_leak import watched_training
from tests.training.test_leak import steady_rise
from dflcolab.workspace.workspace import Workspace
workspace = Workspace.open({str(face_workspace)!r})
samples = watched_training(workspace, iterations=600, every=25, save_every=100)
print(steady_rise(samples, after=300))
"""
    assert _slope_in_a_fresh_process(script) < ALLOWED
