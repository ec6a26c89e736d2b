"""Does a long run keep its memory? Ten thousand iterations of the smallest model, through `train`.

The real verb trains on the faces of the demo clips, with a checkpoint and a preview picture every
500 iterations. The resident size is read every 250 iterations; what it gains after the warm-up is
fitted by a line.

    python -m benchmarks.bench_leak
    python -m benchmarks.bench_leak --iterations 1000 --every 50 --save-every 100
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.demo_workspace import demo_workspace
from benchmarks.machine import Table, print_machine
from dflcolab.pipeline.train import train
from dflcolab.progress import Progress, Task
from dflcolab.training.config import TrainConfig
from dflcolab.workspace.workspace import Workspace

MODEL = ("resolution=64", "archi=df-ud", "ae_dims=16", "e_dims=8", "d_dims=8", "d_mask_dims=4",
         "batch_size=1")  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """The resident size at one moment.

    Attributes:
        iteration: Of the model (or another unit that is watched).
        kilobytes: Resident size of the process, in units of 1,024 bytes.
    """

    iteration: int
    kilobytes: float


class _CountedTask(Task):
    """Reads the resident size every so many units."""

    def __init__(
        self, title: str, unit: str, every: int, samples: list[Sample], total: int | None, done: int
    ) -> None:
        super().__init__(title, total, unit, done)
        self._every = every
        self._samples = samples
        self._process = psutil.Process()

    def advance(self, n: int = 1, *, note: str = "") -> None:
        super().advance(n)
        if self.done // self._every > (self.done - n) // self._every:
            self._samples.append(Sample(self.done, self._process.memory_info().rss / 1024))


class MemoryWatch(Progress):
    """A progress that looks at the resident size while iterations (or other units) go by.

    Args:
        every: Units between two looks.
        unit: Which tasks are watched.

    Attributes:
        samples: What was seen.
    """

    def __init__(self, every: int, unit: str = "iterations") -> None:
        super().__init__()
        self._every = every
        self._unit = unit
        self.samples: list[Sample] = []

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        if unit != self._unit:
            return super().task(title, total=total, unit=unit, done=done)
        return _CountedTask(title, unit, self._every, self.samples, total, done)


def watched_training(
    workspace: Workspace, *, iterations: int, every: int, save_every: int
) -> list[Sample]:
    """Train a new smallest model with saves and previews; its resident size on the way.

    Args:
        workspace: With faces of both sides.
        iterations: How many.
        every: Iterations between two looks.
        save_every: Iterations between two saves, and between two previews.
    """
    watch = MemoryWatch(every)
    config = TrainConfig(
        model="leak",
        set=MODEL,
        target_iter=iterations,
        save_every=save_every,
        preview_every=save_every,
        precision="float32",
    )
    train(workspace, config, progress=watch)
    return watch.samples


def slope(samples: Sequence[Sample], *, after: int) -> float:
    """Growth in kB per 1,000 iterations past iteration `after`: the line of least squares."""
    late = [sample for sample in samples if sample.iteration > after]
    if len(late) < 3:
        raise ValueError(f"only {len(late)} samples after iteration {after}; three are needed")
    iterations = [sample.iteration / 1000 for sample in late]
    return float(np.polyfit(iterations, [sample.kilobytes for sample in late], 1)[0])


def main() -> None:
    """Train, print the resident size in twenty numbers at most, and its slope."""
    parser = argparse.ArgumentParser(description="Resident size over a long training run.")
    parser.add_argument("--iterations", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=250, help="iterations between two looks")
    parser.add_argument("--save-every", type=int, default=500, help="saves and previews")
    parser.add_argument("--warm-up", type=int, help="iterations left out; a tenth without it")
    arguments = parser.parse_args()
    warm_up = arguments.iterations // 10 if arguments.warm_up is None else arguments.warm_up
    with tempfile.TemporaryDirectory() as folder:
        workspace = demo_workspace(Path(folder) / "workspace")
        began = time.perf_counter()
        samples = watched_training(
            workspace, iterations=arguments.iterations, every=arguments.every,
            save_every=arguments.save_every,
        )  # fmt: skip
        seconds = time.perf_counter() - began
    print_machine()
    table = Table("Resident size", ["iteration", "MB"])
    for sample in samples[:: max(1, len(samples) // 20)]:
        table.add(sample.iteration, f"{sample.kilobytes * 1024 / 1e6:.1f}")
    table.print()
    late = [s.kilobytes for s in samples if s.iteration > warm_up]
    half = warm_up + (arguments.iterations - warm_up) // 2
    print(
        f"{arguments.iterations} iterations in {seconds:.0f} s; past iteration {warm_up}: "
        f"{slope(samples, after=warm_up):+.0f} kB per 1,000 iterations, second half "
        f"{slope(samples, after=half):+.0f}; between {min(late):.0f} and {max(late):.0f} kB."
    )


if __name__ == "__main__":
    main()
