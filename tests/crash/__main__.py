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
            try:
                bench = Bench(scenario, Path(home) / str(number))
            except AssertionError as error:
                tallies["random"].failures.append(str(error))
                continue
            _kill(bench, tallies, chosen, rng, number, len(scenarios))
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    for how, tally in tallies.items():
        print(f"{how}: {tally.kills} kills (seed {chosen.seed})\n{tally.table()}\n")
    total = sum(tally.kills for tally in tallies.values())
    print(f"{total} kills in {time.perf_counter() - begin:.0f} s, {len(failures)} failures")
    for failure in failures[:40]:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


def _kill(
    bench: Bench,
    tallies: dict[str, Tally],
    chosen: argparse.Namespace,
    rng: random.Random,
    number: int,
    scenarios: int,
) -> None:
    """All ways of killing one scenario; totals are dealt out evenly to the scenarios."""

    def share(total: int) -> int:
        return total // scenarios + (number < total % scenarios)

    random_kills(bench, tallies["random"], kills=share(chosen.kills), rng=rng)
    process_kills(bench, tallies["process"], kills=share(chosen.processes), rng=rng)
    if chosen.stride:
        first = rng.randrange(chosen.stride)
        systematic_kills(bench, tallies["every step"], stride=chosen.stride, first=first)
    sizes = [int(2 ** rng.uniform(4, 18)) for _ in range(chosen.torn)]
    torn_writes(bench, tallies["torn write"], sizes=sizes)


if __name__ == "__main__":
    sys.exit(main())
