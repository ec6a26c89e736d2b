"""`python -m tests.fuzz`: read thousands of hostile and damaged files and say what came of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.run import fuzz
from tests.fuzz.verbs import VerbTally, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--keep", type=Path, help="folder for copies of inputs that failed")
    parser.add_argument("--workspaces", type=int, default=4, help="facesets that verbs run on")
    parser.add_argument("--hostile", type=int, default=120, help="damaged files in each of them")
    parser.add_argument("--packs", type=int, default=40, help="damaged packs beside each of them")
    parser.add_argument("--no-networks", dest="networks", action="store_false")
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
        f"{tally.slowest:.2f} s of processor time, {len(tally.failures)} failures\n"
    )
    failures = list(tally.failures)
    begin = time.perf_counter()
    verbs = VerbTally()
    for seed in range(chosen.seed, chosen.seed + chosen.workspaces):
        with tempfile.TemporaryDirectory() as folder:
            found = run(
                Path(folder),
                seed=seed,
                hostile=chosen.hostile,
                packed=chosen.packs,
                networks=chosen.networks and seed == chosen.seed,
            )
        verbs.endings += found.endings
        verbs.failures += found.failures
    failures += verbs.failures
    if chosen.workspaces:
        print(verbs.table())
        print(
            f"{verbs.endings.total()} commands in {time.perf_counter() - begin:.0f} s, "
            f"{len(verbs.failures)} failures"
        )
    for failure in failures[:60]:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
