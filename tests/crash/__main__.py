"""`python -m tests.crash`: kill every verb of `scenarios` many times and say what came of it."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.kills import (
    Bench,
    Tally,
    process_kills,
    random_kills,
    systematic_kills,
    torn_writes,
)
from tests.crash.scenarios import SCENARIOS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=330, help="random kills in forked children")
    parser.add_argument("--processes", type=int, default=44, help="kills of `python -m dflcolab`")
    parser.add_argument("--stride", type=int, default=1, help="every n-th step is a crash point")
    parser.add_argument("--torn", type=int, default=12, help="torn writes per verb")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--only", default="", help="scenarios whose name holds this text")
    chosen = parser.parse_args()
    scenarios = [s for s in SCENARIOS if chosen.only in s.name]
    rng = random.Random(chosen.seed)
    tallies = {how: Tally() for how in ("random", "process", "every step", "torn write")}
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        for number, scenario in enumerate(scenarios):
            bench = Bench(scenario, Path(home) / str(number))
            share = lambda total: total // len(scenarios) + (number < total % len(scenarios))  # noqa: E731, B023
            random_kills(bench, tallies["random"], kills=share(chosen.kills), rng=rng)
            process_kills(bench, tallies["process"], kills=share(chosen.processes), rng=rng)
            if chosen.stride:
                systematic_kills(
                    bench,
                    tallies["every step"],
                    stride=chosen.stride,
                    first=rng.randrange(chosen.stride),
                )
            torn_writes(
                bench,
                tallies["torn write"],
                sizes=[int(2 ** rng.uniform(4, 18)) for _ in range(chosen.torn)],
            )
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    for how, tally in tallies.items():
        print(f"{how}: {tally.kills} kills (seed {chosen.seed})\n{tally.table()}\n")
    total = sum(tally.kills for tally in tallies.values())
    print(f"{total} kills in {time.perf_counter() - begin:.0f} s, {len(failures)} failures")
    for failure in failures[:40]:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
