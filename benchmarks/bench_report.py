"""How fast `report` looks at facesets, by part, and how that grows.

`python -m benchmarks.bench_report` takes 1,000 and 10,000 faces a side, `--faces 1000` the smaller number alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.facesets import make_faceset
from benchmarks.machine import Table, peak_memory_mb, print_machine
from dflcolab.faceset.duplicates import find_duplicates
from dflcolab.faceset.face_files import for_each_face
from dflcolab.faceset.face_source import open_faces
from dflcolab.faceset.limits import NEAR_DUPLICATE
from dflcolab.faceset.measures import measure_face
from dflcolab.faceset.pair import compare
from dflcolab.faceset.report_config import ReportConfig
from dflcolab.pipeline.init import init
from dflcolab.pipeline.report import report
from dflcolab.progress import Progress
from dflcolab.workspace.config import InitConfig
from dflcolab.workspace.workspace import Side, Workspace

SIZE = 256


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of the processor for one run: minutes-long work is not repeated."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(root: Path, count: int, table: Table) -> None:
    """Add the rows for one size."""
    init(root, InitConfig())
    workspace = Workspace.open(root)
    for side, seed in ((Side.SRC, 0), (Side.DST, 1)):
        make_faceset(workspace.aligned_dir(side), count, SIZE, seed)
    with open_faces(workspace.aligned_dir(Side.SRC)) as source:
        measures = list(
            for_each_face(
                source.paths, measure_face, progress=Progress(), title="", read=source.read
            )
        )
        parts: list[tuple[str, int, Callable[[], object]]] = [
            (
                "measure every face",
                count,
                lambda: list(
                    for_each_face(
                        source.paths, measure_face, progress=Progress(), title="", read=source.read
                    )
                ),
            ),
            (
                "near-duplicates",
                count,
                lambda: find_duplicates(measures, threshold=NEAR_DUPLICATE.value),
            ),
            ("pair, all of it", 2 * count, lambda: compare(measures, measures)),
            (
                "report of both sides, without networks",
                2 * count,
                lambda: report(workspace, ReportConfig(sample=0)),
            ),
            (
                "report of both sides, 2,000 a side looked at",
                2 * count,
                lambda: report(workspace, ReportConfig()),
            ),
        ]
        for name, faces, work in parts:
            wall, cpu = clocked(work)
            table.add(count, name, wall, cpu, faces / wall)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, nargs="+", default=[1000, 10_000])
    options = parser.parse_args()
    print_machine()
    table = Table(
        f"Report, faces of {SIZE} pixels",
        ["faces a side", "part", "seconds", "CPU seconds", "faces/s"],
    )
    for count in options.faces:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder) / "workspace", count, table)
    table.print()
    print(f"peak memory: {peak_memory_mb():.0f} MB")


if __name__ == "__main__":
    main()
