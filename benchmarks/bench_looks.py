"""What the watch costs: processor time of its looks and judgements, as a share of a whole training.

A training of the demo's faces as `dflcolab train` makes it, with the spacing of looks that it finds by
itself. What a run pays once stands apart: the looks that compile, and those by which the cost is measured.

    python -m benchmarks.bench_looks
    python -m benchmarks.bench_looks --preset tiny --iterations 3000
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.demo_workspace import demo_workspace
from benchmarks.machine import Table, print_machine
from dflcolab.config import from_mapping
from dflcolab.pipeline.train import train
from dflcolab.progress import Progress
from dflcolab.training.config import TrainConfig
from dflcolab.training.session import Session
from dflcolab.training.watching import Watch

_BEFORE = 60
"""Iterations of a run after which the spacing is known."""
_LEAST = 0.001
"""Seconds: a call of the watch that takes less has not looked."""


def _now() -> tuple[float, float]:
    """Processor and wall seconds."""
    return time.process_time(), time.perf_counter()


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description="Cost of the watch's looks.")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--iterations", type=int, default=3000)
    given = parser.parse_args()
    print_machine()
    begins: list[tuple[float, float]] = []
    looks: list[tuple[int, float, float]] = []  # iteration, processor seconds, wall seconds
    train_one, watch = Session.train_one, Watch.__call__

    def timed_step(session: Session) -> Any:
        begins.append(_now())
        return train_one(session)

    def timed_watch(of: Watch, loop: Any) -> None:
        began = _now()
        watch(of, loop)
        ended = _now()
        if ended[1] - began[1] > _LEAST:
            looks.append((len(begins), ended[0] - began[0], ended[1] - began[1]))

    with tempfile.TemporaryDirectory() as folder:
        workspace = demo_workspace(Path(folder))
        plain = {"model": "looks", "preset": given.preset, "target_iter": given.iterations}
        with (
            patch.object(Watch, "__call__", timed_watch),
            patch.object(Session, "train_one", timed_step),
        ):
            train(workspace, from_mapping(TrainConfig, plain), progress=Progress())
    whole = [last - first for first, last in zip(begins[_BEFORE], begins[-1], strict=True)]
    table = Table(
        f"The watch in a training of {len(begins):,} iterations, preset {given.preset}",
        ["part", "calls", "processor s", "of the training", "wall s", "of the training"],
    )
    for name, part in (
        (f"after {_BEFORE} iterations", [look for look in looks if look[0] > _BEFORE]),
        ("once, before", [look for look in looks if look[0] <= _BEFORE]),
    ):
        spent = [sum(look[place] for look in part) for place in (1, 2)]
        shares = [f"{a / b:.1%}" for a, b in zip(spent, whole, strict=True)]
        table.add(name, len(part), f"{spent[0]:.1f}", shares[0], f"{spent[1]:.1f}", shares[1])
    table.print()
    print(f"the training after {_BEFORE} iterations: {whole[0]:.0f} s CPU, {whole[1]:.0f} s")


if __name__ == "__main__":
    main()
