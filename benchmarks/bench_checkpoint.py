"""How long a checkpoint keeps training waiting: a SAEHD model of 1 GB with its optimizer.

The steps wait while the state is copied to memory, the held-out faces are judged and the preview is
drawn; writing, hashing and forcing to the disk go on beside them. The share is that of a save every ten
minutes, the default. On a GPU, judging and drawing take a fraction of what they take on a CPU.

    python -m benchmarks.bench_checkpoint
    python -m benchmarks.bench_checkpoint --mb 200 --saves 2
"""

from __future__ import annotations

import argparse
import copy
import functools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.machine import Table, peak_memory_mb, print_machine
from dflcolab.models.build import groups_of
from dflcolab.models.saehd.options import SaehdOptions, saehd_options
from dflcolab.training.augment import PADDING
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.session import Session, SideFaces

_RESOLUTION = 128
_DEFAULT_S = 600.0
_MOST_DIMS = 1024


def options_of(megabytes: int) -> SaehdOptions:
    """A model whose weights and AdaBelief slots have about so many bytes."""
    dims = 0
    while True:
        dims += 32
        # Nearly all of it in the dense layers between encoder and decoder: much state, cheap steps.
        options = saehd_options(
            {"resolution": _RESOLUTION, "archi": "df-u", "ae_dims": dims, "e_dims": 16,
             "d_dims": 16, "d_mask_dims": 16, "batch_size": 1, "adabelief": True}
        )  # fmt: skip
        if state_mb(options) >= megabytes or dims == _MOST_DIMS:
            return options


def state_mb(options: SaehdOptions) -> float:
    """Weights and two slots for each, in MB."""
    shapes = groups_of(options)[0].shapes().values()
    return 12 * sum(int(np.prod(shape)) for shape in shapes) / 1e6


class _Span:
    """Seconds of one call, on the clock and of the processor."""

    def __init__(self, work: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        self.wall_s = time.perf_counter() - wall
        self.cpu_s = time.process_time() - cpu

    def negative(self) -> _Span:
        """To take one away from another that holds the same work."""
        found = copy.copy(self)
        found.wall_s, found.cpu_s = -self.wall_s, -self.cpu_s
        return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--saves", type=int, default=3)
    parser.add_argument("--dir", type=Path, help="where to write")
    chosen = parser.parse_args()
    print_machine()
    options = options_of(chosen.mb)
    side = _RESOLUTION + 2 * PADDING
    pixels = np.random.default_rng(0).integers(0, 256, (8, side, side, 5), dtype=np.uint8)
    faces = TrainingFaces(pixels, tuple("abcdefgh"), (0.0,) * 8)
    known = SideFaces(faces, faces)
    with tempfile.TemporaryDirectory(dir=chosen.dir) as folder:
        session = Session(Path(folder), options, known, known, seed=1, precision="float32")
        session.start_new()
        session.train_one()
        session.preview()
        session.evaluate()
        rows: dict[str, list[tuple[float, float]]] = {}

        def note(name: str, *spans: _Span) -> None:
            wall, cpu = sum(span.wall_s for span in spans), sum(span.cpu_s for span in spans)
            rows.setdefault(name, []).append((wall, cpu))

        for _ in range(chosen.saves):
            note("one iteration, nothing beside it", _Span(session.train_one))
            judging = _Span(session.evaluate)
            drawing = _Span(session.preview)
            saving = _Span(functools.partial(session.begin_save, keep=1, preview=b"a preview"))
            note("stall: judging held-out faces, preview", judging, drawing)
            note("stall: copy to memory", saving, judging.negative())
            note("stall, all of it", saving, drawing)
            while session.is_saving:
                note("one iteration while it is written", _Span(session.train_one))
                session.look_for_saved()
            rows.setdefault("from the begin to the marker", []).append(
                (session.save_seconds, float("nan"))
            )
    table = Table(
        f"a checkpoint of {state_mb(options):.0f} MB",
        ["what", "seconds, median", "seconds, most", "processor seconds", "share of 10 minutes"],
    )
    for name, pairs in rows.items():
        walls, cpus = zip(*pairs, strict=True)
        median = statistics.median(walls)
        share = f"{100 * median / _DEFAULT_S:.2f} %" if name.startswith("stall") else ""
        table.add(name, median, max(walls), statistics.median(cpus), share)
    table.print()
    print(f"peak memory: {peak_memory_mb():.0f} MB")


if __name__ == "__main__":
    main()
