"""`python -m tests.fuzz`: read thousands of hostile and damaged files and say what came of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.run import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--keep", type=Path, help="folder for copies of inputs that failed")
    chosen = parser.parse_args()
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tally = fuzz(
            Path(folder),
            seed=chosen.seed,
            first=chosen.first,
            count=chosen.inputs,
            keep=chosen.keep,
        )
    print(tally.table())
    print(
        f"{tally.total} files (seed {chosen.seed}) in {time.perf_counter() - begin:.0f} s, slowest "
        f"{tally.slowest:.2f} s of processor time, {len(tally.failures)} failures"
    )
    for failure in tally.failures[:60]:
        print(f"FAILED: {failure}")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
