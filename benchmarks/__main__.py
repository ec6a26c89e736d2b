"""`python -m benchmarks [NAME ...]`: run the benchmarks, or those whose names are given.

Each runs in a process of its own, so that peak memory and thread settings do not mix.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run the wanted benchmarks; the exit code is that of the last one that failed."""
    known = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    wanted = [f"bench_{name.removeprefix('bench_')}" for name in sys.argv[1:]] or known
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
