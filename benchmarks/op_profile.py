"""Where the time of a training step goes: shares by kind of operation, on one core.

One thread runs one operation at a time, so that their times add up. They are times on the clock, in
which other processes may interrupt: read the shares, not the milliseconds.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

_REPEATS = 2
REST = "compiled by XLA, or between operations"


def profile(case: str, dtype: str) -> dict[str, Any]:
    """Profile iterations on real samples (XSeg: steps on a fixed batch).

    Returns:
        `core_ms` of processor time per iteration, and `shares` of its time on the clock by kind of
        operation, the largest first. What XLA compiled (optimizer, sampler) and the time between
        operations is the rest.
    """
    from dflcolab.backend import tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from benchmarks.step_work import SwapWork, build

    work = build(case, dtype)
    run = work.real if isinstance(work, SwapWork) else work.fixed
    for _ in range(2):
        run()
    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(
            host_tracer_level=2, python_tracer_level=0
        )
        tf.profiler.experimental.start(folder, options=options)
        began, cpu_began = time.perf_counter(), time.process_time()
        for _ in range(_REPEATS):
            run()
        core_ms = 1e3 * (time.process_time() - cpu_began) / _REPEATS
        total = time.perf_counter() - began
        tf.profiler.experimental.stop()
        (path,) = Path(folder).rglob("*.xplane.pb")
        seconds = _by_kind(path)
    seconds[REST] = total - sum(seconds.values())
    return {
        "core_ms": core_ms,
        "shares": {kind: own / total for kind, own in seconds.most_common()},
    }


def _by_kind(path: Path) -> Counter[str]:
    """Seconds by kind of operation in a trace; events are called `name:Kind`."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    found: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                kind = re.fullmatch(r"[^:]+:(\w+)", name)
                if kind:
                    found[kind[1]] += event.duration_ps / 1e12
    return found
