"""Training steps: milliseconds, share of the machine's convolution rate, waiting, peak memory.

The cases are in `step_cases`, each in float32 and in bfloat16. A fixed batch is ready on the device
(as for the figures known of DeepFaceLab); real samples are fetched, and random views of them drawn,
in each iteration. Both, the sampler alone and the plain convolution run in turn, and ratios are
medians of the ratios within a turn, so that other load on the machine cancels out. Waiting is the
time in which the step has nothing to work on. Peak memory is that of a process of its own that does
nothing but iterations.

    python -m benchmarks.bench_step                    # all cases
    python -m benchmarks.bench_step a b --dtypes float32
    python -m benchmarks.bench_step a --profile        # where the time goes, by operation
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.machine import (
    Convolution,
    Run,
    Table,
    alternated,
    describe_machine,
    peak_memory_mb,
    print_machine,
)
from benchmarks.step_cases import CASES, DFL_RATE

DTYPES = ("float32", "bfloat16")
_CHAINED = 16  # convolutions per look at the machine's rate, about a fifth of a second
_ITERATIONS_FOR_MEMORY = 4
_OPERATIONS_SHOWN = 14

Found = dict[str, Any]


def measure(case: str, dtype: str, *, rounds: int, at_least_s: float) -> Found:
    """Time one case in this process; the figures of its row."""
    from benchmarks.step_work import SwapWork, build

    work = build(case, dtype)
    kinds = {dtype: Convolution(dtype, chained=_CHAINED)}
    kinds.setdefault("float32", Convolution("float32", chained=_CHAINED))
    turn: dict[str, Callable[[], object]] = {}
    for kind, convolution in kinds.items():
        turn[f"{kind} before"] = convolution
    turn["fixed"] = work.fixed
    for kind, convolution in kinds.items():
        turn[f"{kind} after"] = convolution
    if isinstance(work, SwapWork):
        turn |= {"real": work.real, "sampling": work.sampling}
    runs = alternated(turn, rounds=rounds, at_least_s=at_least_s)
    own, exact = (_rates(runs, kind, kinds[kind].gflop) for kind in (dtype, "float32"))
    own_cpu = _rates(runs, dtype, kinds[dtype].gflop, cpu=True)
    fixed, fixed_cpu = _walls(runs["fixed"]), _cpus(runs["fixed"])
    found: Found = {
        "load": describe_machine()["load before"],
        "gflop": work.gflop,
        "rate": float(np.median(own)),
        "fixed_ms": 1e3 * fixed.min(),
        "fixed_median_ms": 1e3 * float(np.median(fixed)),
        "fixed_cpu_ms": 1e3 * float(np.median(fixed_cpu)),
        "share": float(np.median(work.gflop / fixed / own)),
        "share_cpu": float(np.median(work.gflop / fixed_cpu / own_cpu)),
    }
    dfl_ms = CASES[case].dfl_ms
    if dfl_ms is not None:
        # DeepFaceLab's time in float32 on a machine as fast as this one was in that turn.
        found["times_dfl"] = float(np.median(dfl_ms * DFL_RATE / exact / (1e3 * fixed)))
    if isinstance(work, SwapWork):
        real, sampling = (_walls(runs[name]) for name in ("real", "sampling"))
        real_cpu, sampling_cpu = _cpus(runs["real"]), _cpus(runs["sampling"])
        waited = np.array(work.waited[-len(real) :])
        found |= {
            "real_ms": 1e3 * float(np.median(real)),
            "over_fixed": float(np.median(real_cpu / fixed_cpu)) - 1,
            "waited_ms": 1e3 * float(np.median(waited)),
            "waiting": float(waited.sum() / real.sum()),
            "samples_per_s": work.samples / float(np.median(sampling)),
            "samples_per_core_s": work.samples / float(np.median(sampling_cpu)),
            "sampler_cpu_ms": 1e3 * float(np.median(sampling_cpu)),
            "sampler_share": float(np.median(sampling_cpu / real_cpu)),
        }
    return found


def measure_memory(case: str, dtype: str) -> Found:
    """Peak memory of this process after some iterations on real samples."""
    from benchmarks.step_work import SwapWork, build

    work = build(case, dtype)
    for _ in range(_ITERATIONS_FOR_MEMORY):
        (work.real if isinstance(work, SwapWork) else work.fixed)()
    return {"peak_mb": peak_memory_mb()}


def main() -> None:
    """Measure the wanted cases and print the tables."""
    parser = argparse.ArgumentParser(description="Training steps of all kinds of models.")
    parser.add_argument("cases", nargs="*", default=list(CASES), metavar="case")
    parser.add_argument("--dtypes", nargs="+", default=list(DTYPES), choices=DTYPES)
    parser.add_argument("--rounds", type=int, default=7, help="turns, at least")
    parser.add_argument("--seconds", type=float, default=15.0, help="of measuring, at least")
    parser.add_argument("--profile", action="store_true", help="show operations instead")
    parser.add_argument("--child", choices=("time", "memory", "profile"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(_in_this_process(arguments)))
        return
    from benchmarks.demo_workspace import cached_demo_workspace

    cached_demo_workspace()  # here, so that making it is in no figure
    print_machine()
    cases = [(case, dtype) for case in arguments.cases for dtype in arguments.dtypes]
    if arguments.profile:
        for case, dtype in cases:
            _profile_table(case, dtype, _in_own_process("profile", case, dtype, arguments)).print()
        return
    rows: list[tuple[str, str, Found]] = []
    for case, dtype in cases:
        found = _in_own_process("time", case, dtype, arguments)
        found |= _in_own_process("memory", case, dtype, arguments)
        rows.append((case, dtype, found))
        print(json.dumps({"case": case, "dtype": dtype, **found}), file=sys.stderr, flush=True)
    for table in (_step_table(rows), _sample_table(rows)):
        table.print()


def _step_table(rows: Sequence[tuple[str, str, Found]]) -> Table:
    table = Table(
        "A step on a fixed batch; two sides except XSeg",
        ["case", "precision", "ms, best", "median", "core ms", "GFLOP", "conv GFLOP/s",
         "share of rate", "the same per core second", "times DFL", "peak MB", "DFL MB", "load"],
    )  # fmt: skip
    for case, dtype, found in rows:
        table.add(
            f"({case}) {CASES[case].title}", dtype, found["fixed_ms"], found["fixed_median_ms"],
            found["fixed_cpu_ms"], found["gflop"], found["rate"], f"{found['share']:.0%}",
            f"{found['share_cpu']:.0%}", f"{found['times_dfl']:.2f}" if "times_dfl" in found else "-",
            f"{found['peak_mb']:.0f}", CASES[case].dfl_mb or "-", found["load"],
        )  # fmt: skip
    return table


def _sample_table(rows: Sequence[tuple[str, str, Found]]) -> Table:
    table = Table(
        "An iteration on real samples; the faces of the demo clips",
        ["case", "precision", "ms, median", "core seconds over fixed batch", "waits, ms", "waiting",
         "sampler alone, samples/s", "per core second", "core ms", "share of core seconds"],
    )  # fmt: skip
    for case, dtype, found in rows:
        if "real_ms" not in found:
            continue
        table.add(
            f"({case})", dtype, found["real_ms"], f"{found['over_fixed']:+.1%}",
            f"{found['waited_ms']:.2f}",
            f"{found['waiting']:.2%}", found["samples_per_s"], found["samples_per_core_s"],
            found["sampler_cpu_ms"], f"{found['sampler_share']:.1%}",
        )  # fmt: skip
    return table


def _profile_table(case: str, dtype: str, found: Found) -> Table:
    table = Table(
        f"({case}) {dtype}: operations of an iteration of {found['core_ms']:.0f} ms on one core",
        ["operation", "share"],
    )
    for kind, share in list(found["shares"].items())[:_OPERATIONS_SHOWN]:
        table.add(kind, f"{share:.1%}")
    return table


def _rates(
    runs: dict[str, list[Run]], kind: str, gflop: float, *, cpu: bool = False
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The convolution's GFLOP/s in each turn, right before and after the step together."""
    seconds = _cpus if cpu else _walls
    return 2 * gflop / (seconds(runs[f"{kind} before"]) + seconds(runs[f"{kind} after"]))


def _walls(runs: Sequence[Run]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([run.wall_s for run in runs])


def _cpus(runs: Sequence[Run]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([run.cpu_s for run in runs])


def _in_this_process(arguments: argparse.Namespace) -> Found:
    case, dtype = arguments.cases[0], arguments.dtypes[0]
    if arguments.child == "memory":
        return measure_memory(case, dtype)
    if arguments.child == "profile":
        from benchmarks.op_profile import profile

        return profile(case, dtype)
    return measure(case, dtype, rounds=arguments.rounds, at_least_s=arguments.seconds)


def _in_own_process(what: str, case: str, dtype: str, arguments: argparse.Namespace) -> Found:
    command = [sys.executable, "-m", "benchmarks.bench_step", case, "--dtypes", dtype, "--child",
               what, "--rounds", str(arguments.rounds), "--seconds", str(arguments.seconds)]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
