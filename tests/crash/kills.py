"""Killing verbs: at random moments, at every step in turn, in the middle of a write."""

from __future__ import annotations

import functools
import os
import random
import resource
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dflcolab.errors import DFLColabError
from dflcolab.faceset import exchange
from dflcolab.workspace.workspace import Workspace
from tests.crash.scenarios import (
    Scenario,
    State,
    journal_lines,
    judge,
    make_workspace,
    place,
    state_of,
)

_CHANGES = ("os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.utime",
            "os.truncate", "os.symlink")  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_KILLED = 9


@dataclass
class Tally:
    """Where kills landed, and what was wrong."""

    places: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return sum(self.places.values())

    def table(self) -> str:
        names = list(dict.fromkeys(name for name, _ in self.places))
        lines = [f"{'':24}{'before':>8}{'between':>8}{'after':>8}"]
        lines += [
            f"{name:24}"
            + "".join(f"{self.places[name, p]:8}" for p in ("before", "between", "after"))
            for name in names
        ]
        return "\n".join(lines)


class Bench:
    """A scenario with its start, its end and its duration, ready to be killed many times."""

    def __init__(self, scenario: Scenario, home: Path, faces: Path | None = None) -> None:
        self.scenario = scenario
        self.start_root = home / "start"
        self.root = home / "run"
        workspace = make_workspace(self.start_root, faces)
        assert _forked(lambda: scenario.prepare(workspace)) == 0
        self.start = state_of(self.start_root)
        self.fresh()
        begin = time.perf_counter()
        assert _forked(lambda: self.verb()) == 0, f"{scenario.name} fails without any kill"
        self.seconds = time.perf_counter() - begin
        self.end = state_of(self.root)
        assert self.end.outcome() != self.start.outcome(), f"{scenario.name} does nothing"

    def fresh(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.start_root, self.root, symlinks=True)

    def verb(self) -> None:
        self.scenario.verb(Workspace.open(self.root))

    def check(self, tally: Tally, how: str) -> None:
        """Judge the raw state, run the verb again, and compare with the run nobody killed."""
        name = self.scenario.name
        found = state_of(self.root)
        tally.places[name, place(self.start, self.end, found)] += 1
        problems = judge(self.scenario, self.start, self.end, found)
        try:
            journal_lines(self.root)
        except ValueError as error:
            problems.append(f"the trash's journal is not readable: {error}")
        code = _forked(self.verb)
        last = state_of(self.root)
        if code not in (0, 1):
            problems.append(f"the second run failed with {code}")
        if last.outcome() != self.end.outcome():
            problems.append(f"the second run ends differently: {_difference(self.end, last)}")
        if last.count() != self.start.count():
            problems.append("the second run lost or doubled a picture")
        problems += last.problems
        tally.failures += [f"{name}, {how}: {problem}" for problem in problems]


def random_kills(bench: Bench, tally: Tally, *, kills: int, rng: random.Random) -> None:
    """SIGKILL at moments spread over the run; two of three after its first change of a file."""
    spans = [_child_span(bench) for _ in range(3)]
    whole, changing = (statistics.median(times) for times in zip(*spans, strict=True))
    for number in range(kills):
        bench.fresh()
        from_change = number % 3 > 0
        delay = rng.uniform(0, (changing if from_change else whole) * 1.05)
        child, changed = _start(bench)
        if from_change:
            select.select([changed], [], [], 30)
        _sleep(delay)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(changed)
        bench.check(
            tally,
            f"killed {delay * 1000:.2f} ms after its {'first change' if from_change else 'start'}",
        )


def systematic_kills(bench: Bench, tally: Tally, *, stride: int = 1, first: int = 0) -> int:
    """The process ends before the n-th change of the disk, for n = first, first + stride, …"""
    step = first
    while True:
        bench.fresh()
        code = _forked(bench.verb, first=functools.partial(_die_at, step))
        if code == 0:
            return step
        if code != _KILLED:
            tally.failures.append(f"{bench.scenario.name}, step {step}: exit code {code}")
            return step
        bench.check(tally, f"killed before change {step}")
        step += stride


def torn_writes(bench: Bench, tally: Tally, *, sizes: list[int]) -> None:
    """The process ends in the middle of a write: when any file would grow beyond `size` bytes."""
    for size in sizes:
        bench.fresh()
        if _forked(bench.verb, first=functools.partial(_die_beyond, size)) == 0:
            continue
        bench.check(tally, f"killed in a write beyond {size} bytes")


def process_kills(bench: Bench, tally: Tally, *, kills: int, rng: random.Random) -> None:
    """`python -m dflcolab …` as a user starts it, killed at moments spread over its run."""
    verb, *options = bench.scenario.words
    words = [sys.executable, "-m", "dflcolab", verb, *options, "-w", str(bench.root),
             "--side", "src", "--quiet"]  # fmt: skip
    bench.fresh()
    begin = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    for _ in range(kills):
        bench.fresh()
        # The interpreter's start is the longest part and touches nothing.
        delay = rng.uniform(0.35, 1.02) * seconds
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _sleep(delay)
        process.kill()
        process.wait()
        bench.check(tally, f"process killed after {delay * 1000:.0f} ms of {seconds * 1000:.0f}")


def _forked(work: Callable[[], object], *, first: Callable[[], object] = lambda: None) -> int:
    """Exit code of `work` in a child: 0 done, 1 refused with one sentence, 2 failed, 9 killed."""
    child = os.fork()
    if child == 0:
        first()
        _become(work)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become(work: Callable[[], object]) -> None:
    try:
        work()
        os._exit(0)
    except DFLColabError:
        os._exit(1)
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
        os._exit(2)


def _start(bench: Bench) -> tuple[int, int]:
    """A child that runs the verb, and a pipe that becomes readable at its first change of a file."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told = False

        def tell(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal told
            if not told and _is_change(event, arguments):
                told = True
                os.write(writing, b"!")

        sys.addaudithook(tell)
        _become(lambda: (bench.verb(), os.write(writing, b".")))
    os.close(writing)
    return child, reading


def _child_span(bench: Bench) -> tuple[float, float]:
    """Seconds of a whole run in a child, and from its first change to its end."""
    bench.fresh()
    begin = time.perf_counter()
    child, changed = _start(bench)
    os.read(changed, 1)
    first = time.perf_counter()
    os.read(changed, 1)
    last = time.perf_counter()
    os.waitpid(child, 0)
    os.close(changed)
    return last - begin, last - first


def _is_change(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        _, mode, flags = arguments
        if isinstance(mode, str):
            return any(letter in mode for letter in "wax+")
        return isinstance(flags, int) and bool(flags & _WRITING)
    return event in _CHANGES


def _die_at(step: int) -> None:
    left = step

    def count() -> None:
        nonlocal left
        if left == 0:
            os._exit(_KILLED)
        left -= 1

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if _is_change(event, arguments):
            count()

    fsync, function = os.fsync, exchange._exchange_function()

    def counted_fsync(descriptor: int) -> None:
        count()
        fsync(descriptor)

    def counted_exchange(one: Path, other: Path) -> None:
        count()
        assert function is not None
        function(one, other)

    os.fsync = counted_fsync
    exchange._exchange_function = lambda: counted_exchange  # type: ignore[assignment]
    sys.addaudithook(hook)


def _die_beyond(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _sleep(seconds: float) -> None:
    """Sleep to a tenth of a millisecond."""
    until = time.perf_counter() + seconds
    if seconds > 0.002:
        time.sleep(seconds - 0.001)
    while time.perf_counter() < until:
        pass


def _difference(wanted: State, found: State) -> str:
    parts = []
    for what in ("live", "packed"):
        one, other = getattr(wanted, what), getattr(found, what)
        if one != other:
            parts.append(f"{what}: {sorted(set(one.items()) ^ set(other.items()))[:4]}")
    if sorted(wanted.trash) != sorted(found.trash):
        parts.append(f"trash: {len(wanted.trash)} and {len(found.trash)}")
    if wanted.strange != found.strange:
        parts.append(f"left over: {found.strange}")
    return "; ".join(parts)
