"""What every benchmark shares: the machine in words, its own convolution rate, timing and tables.

Absolute times mean nothing on another machine. So each table stands beside the rate at which the
same machine runs a plain 3×3 convolution, and figures are read as ratios.

Run alone, it prints the machine: `python -m benchmarks.machine`.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Seconds of one run of something, measured several times.

    Attributes:
        wall_s: Median time on the clock; rises when others load the machine.
        cpu_s: Median processor time of this process, all threads; hardly rises with load.
        best_wall_s: Shortest time on the clock, the nearest to a quiet machine.
        repeats: How many runs were measured.
    """

    wall_s: float
    cpu_s: float
    best_wall_s: float
    repeats: int


def timed(
    function: Callable[[], object],
    *,
    repeats: int = 5,
    warmup: int = 1,
    at_least_s: float = 0.0,
) -> Timing:
    """Run `function` a few times and measure clock and processor time of each run.

    Args:
        function: What to measure; its result is thrown away.
        repeats: Measured runs, at least.
        warmup: Runs before, not measured (compilation, caches).
        at_least_s: Go on measuring until this much time has passed.
    """
    for _ in range(warmup):
        function()
    walls: list[float] = []
    cpus: list[float] = []
    begin = time.perf_counter()
    while len(walls) < repeats or time.perf_counter() - begin < at_least_s:
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        cpus.append(time.process_time() - cpu)
        walls.append(time.perf_counter() - wall)
    return Timing(statistics.median(walls), statistics.median(cpus), min(walls), len(walls))


@dataclass(frozen=True)
class Run:
    """One run of something: seconds on the clock, and of the processor, all threads of this process."""

    wall_s: float
    cpu_s: float


def alternated(
    functions: Mapping[str, Callable[[], object]], *, rounds: int = 5, at_least_s: float = 0.0
) -> dict[str, list[Run]]:
    """Run functions in turn, again and again, so that what else loads the machine meets all alike.

    Figures of one round stand beside each other in time: compare them by ratios within rounds.

    Args:
        functions: What to run, by name, in this order. Each runs once before, not measured.
        rounds: How often all of them run, at least.
        at_least_s: Go on until this much time has passed.

    Returns:
        By name, one entry per round.
    """
    for function in functions.values():
        function()
    runs: dict[str, list[Run]] = {name: [] for name in functions}
    begin = time.perf_counter()
    done = 0
    while done < rounds or time.perf_counter() - begin < at_least_s:
        for name, function in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            function()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            runs[name].append(Run(wall, cpu))
        done += 1
    return runs


class Convolution:
    """The yardstick for the training benchmarks: 3×3 convolutions, forward.

    256→256 channels on 4 pictures of 32×32, the shape in which DeepFaceLab's networks spend their
    time. A multiplication and an addition count as two operations.

    Args:
        dtype: `float32`, `bfloat16` or `float16`.
        channels: Input and output channels.
        chained: Convolutions per run, one after the other.

    Attributes:
        gflop: Of one run.
    """

    def __init__(self, dtype: str, *, channels: int = 256, chained: int = 4) -> None:
        import tensorflow as tf

        batch, size = 4, 32
        generator = np.random.default_rng(0)
        x = tf.cast(generator.standard_normal((batch, size, size, channels)), dtype)
        scale = 1.0 / (3.0 * channels**0.5)
        kernel = tf.cast(generator.standard_normal((3, 3, channels, channels)) * scale, dtype)

        @tf.function
        def chain(x: tf.Tensor) -> tf.Tensor:
            for _ in range(chained):
                x = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
            return tf.reduce_max(x)

        self._run: Callable[[], object] = lambda: chain(x).numpy()
        self.gflop = 2 * 9 * channels * channels * batch * size * size * chained / 1e9

    def __call__(self) -> None:
        """One run."""
        self._run()


def convolution_rate(dtype: str = "float32", *, channels: int = 256, repeats: int = 5) -> float:
    """The machine's own rate at `Convolution`, in GFLOP/s: the best of several runs.

    Args:
        dtype: `float32`, `bfloat16` or `float16`.
        channels: Input and output channels.
        repeats: Measured runs of several convolutions each.
    """
    work = Convolution(dtype, channels=channels)
    return work.gflop / timed(work, repeats=repeats, warmup=2, at_least_s=1.0).best_wall_s


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (10⁶ bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def describe_machine() -> dict[str, str]:
    """Processor, cores, memory, load, GPUs and library versions, in words."""
    import cv2

    facts = {
        "processor": _processor(),
        "cores": str(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        facts["tensorflow"] = tf.__version__
        names = [
            str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
            for gpu in tf.config.list_physical_devices("GPU")
        ]
        facts["gpus"] = ", ".join(names) or "none"
    return facts


def print_machine(*, rates: Sequence[str] = ()) -> dict[str, float]:
    """Print the machine; measure and print its convolution rate for each dtype in `rates`.

    Returns:
        Rate in GFLOP/s by dtype.
    """
    found = {dtype: convolution_rate(dtype) for dtype in rates}
    for name, text in describe_machine().items():
        print(f"{name}: {text}")
    for dtype, rate in found.items():
        print(f"convolution rate, {dtype}: {rate:.0f} GFLOP/s")
    return found


@dataclass
class Table:
    """Rows collected one by one and printed with aligned columns, readable as Markdown.

    Example:
        >>> table = Table("Sheep", ["kind", "legs"])
        >>> table.add("white", 4)
        >>> print(table)
        Sheep
        | kind  | legs |
        |-------|------|
        | white | 4    |
    """

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """Append a row; floats are written with three significant digits."""
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells for {len(self.columns)} columns")
        self.rows.append([_cell(cell) for cell in cells])

    def __str__(self) -> str:
        grid = [list(self.columns), *self.rows]
        widths = [max(len(row[i]) for row in grid) for i in range(len(self.columns))]
        lines = [
            "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |"
            for row in grid
        ]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join([self.title, lines[0], rule, *lines[1:]])

    def print(self) -> None:
        """Print the table between empty lines."""
        print(f"\n{self}\n", flush=True)


def _cell(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        value = float(value)
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def _processor() -> str:
    """Name of the processor and the vector units that matter for speed."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    entries = dict(
        (part.strip() for part in line.split(":", 1)) for line in text.splitlines() if ":" in line
    )
    flags = entries.get("flags", "").split()
    units = [unit for unit in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if unit in flags]
    return f"{entries.get('model name', platform.machine())} ({', '.join(units) or 'no AVX'})"


if __name__ == "__main__":
    print_machine(rates=["float32", "bfloat16"])
