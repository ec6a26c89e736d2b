"""`python -m tests.soak --kills N --seed S`: kill training and sync, and say what came of it."""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.world import World, real_processes


def soak(folder: Path, *, kills: int, seed: int, faulty: bool) -> World:
    """So many kills of one machine's programs, over one kind of remote."""
    rng = random.Random(seed)
    world = World(folder, rng, faulty=faulty)
    while world.kills.total() < kills and len(world.problems) < 5:
        action = rng.choices(
            (world.train, world.push, world.pull, world.lose_machine), (70, 12, 10, 8)
        )[0]
        if action == world.pull and not world.remote_iteration:
            continue
        if action != world.train and not world.root.exists():
            continue
        known = len(world.problems)
        action()
        for problem in world.problems[known:]:
            print(f"FAILED: {problem}", flush=True)
        if world.kills.total() % 20 == 0:
            print(f"{world.kills.total()} kills, {len(world.problems)} failures", flush=True)
    world.check()
    return world


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="over both kinds of remote together")
    parser.add_argument("--processes", type=int, default=20, help="kills of `dflcolab train`")
    parser.add_argument(
        "--process-seconds", type=float, default=60.0, help="life of such a process"
    )
    parser.add_argument("--only", choices=("local disk", "faulty store"), help="one kind of remote")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--dir", type=Path, help="where to work")
    chosen = parser.parse_args()
    begin = time.perf_counter()
    gc.collect()
    gc.freeze()  # what is loaded is shared with the children
    worlds: dict[str, World] = {}
    with tempfile.TemporaryDirectory(dir=chosen.dir) as home:
        names = (chosen.only,) if chosen.only else ("local disk", "faulty store")
        for name in names:
            folder = Path(home) / name.replace(" ", "-")
            share = chosen.kills // len(names)
            worlds[name] = soak(
                folder, kills=share, seed=chosen.seed, faulty=name == "faulty store"
            )
        if "local disk" in worlds:
            rng = random.Random(chosen.seed)
            real_processes(worlds["local disk"], chosen.processes, rng, chosen.process_seconds)
    print(f"seed {chosen.seed}, {time.perf_counter() - begin:.0f} s")
    for name, world in worlds.items():
        print(f"\n{name}: {world.kills.total()} kills, {world.resumes} restarts looked at")
        for how, number in sorted(world.kills.items()):
            print(f"  {how:32}{number:6}")
        print("  besides: " + ", ".join(f"{how} {n}" for how, n in sorted(world.others.items())))
        print(f"  acknowledged at the end: {world.local} here, {world.remote_iteration} there")
    problems = [problem for world in worlds.values() for problem in world.problems]
    print(f"\n{len(problems)} failures")
    for problem in problems:
        print(f"FAILED: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
