"""`python -m benchmarks [NAME ...]`: run the benchmarks, or those whose names are given.

Each runs in a process of its own, so that peak memory and thread settings do not mix. Those that take
longer than all others together run only when named.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LONG = {"bench_leak", "bench_precision", "bench_watch", "bench_xseg_labels"}
"""A quarter of an hour and more each."""


def main() -> int:
    """Run the wanted benchmarks; the exit code is that of the last one that failed."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    wanted = [f"bench_{name.removeprefix('bench_')}" for name in sys.argv[1:]]
    wanted = wanted or [name for name in known if name not in LONG]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"unknown benchmark {unknown[0]}; known are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = 0
    for name in wanted:
        print(f"\n== {name} ==", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
        failed = done.returncode or failed
    return failed


if __name__ == "__main__":
    sys.exit(main())
