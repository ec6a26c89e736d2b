"""Making inputs, having them read by a worker, and judging what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import random
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz import jpegs, material, paks, pickles, records
from tests.fuzz.material import CANARY, Input
from tests.fuzz.worker import FORBIDDEN_EXIT

SLOWEST = 2.0  # seconds of processor time per file
HANG = 30.0  # seconds of waiting; machines that run tests are busy
HAS_BACKUPS = importlib.util.find_spec("dflcolab.formats.metadata_backup") is not None


def make_input(seed: int, number: int) -> Input:
    """The `number`-th input of a seed; the same ones on every machine."""
    rng = random.Random(f"{seed}/{number}")
    kind = rng.random()
    if kind < 0.45:
        why, data = jpegs.random_jpeg(rng)
        return Input(f"jpg {why}", ".jpg", data)
    if kind < 0.65:
        why, data = pickles.random_pickle(rng, material.payloads())
        return Input(f"pickle {why}", ".pickle", data)
    if kind < 0.72:
        return Input("pickle absurd metadata", ".pickle", records.record_pickle(rng))
    if kind < 0.9:
        why, data = paks.random_pack(rng)
        return Input(f"pak {why}", ".pak", data)
    if kind < 0.95 and HAS_BACKUPS:
        why, data = pickles.random_pickle(rng, material.backups())
        return Input(f"meta.dat {why}", ".dat", data)
    why, data = paks.random_weights(rng, pickles.small_weights())
    return Input(f"npy {why}", ".npy", data)


@dataclass
class Tally:
    """What became of the inputs, by kind; failures with what is needed to see them again."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    def table(self) -> str:
        kinds = sorted({kind for kind, _ in self.outcomes})
        columns = [c for c in ("read", "refused as damaged", "refused as unsafe",
                               "refused otherwise", "failure")
                   if any((kind, c) in self.outcomes for kind in kinds)]  # fmt: skip
        lines = [f"{'':36}" + "".join(f"{column:>20}" for column in columns)]
        lines += [
            f"{kind:36}" + "".join(f"{self.outcomes[kind, column]:20}" for column in columns)
            for kind in kinds
        ]
        return "\n".join(lines)


class Worker:
    """A living `tests.fuzz.worker`, started again when a file ended it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None

    def read(self, suffix: str, path: Path) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{suffix} {path}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], HANG)
        line = process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        process.kill()
        process.wait()
        self._process = None
        if not ready:
            return {"outcome": "failure", "detail": f"no answer for {HANG} s", "seconds": HANG}
        code = process.returncode
        said = (self.folder / "stderr").read_text(errors="replace").strip().splitlines()
        what = "did what is forbidden" if code == FORBIDDEN_EXIT else f"died with {code}"
        return {"outcome": "failure", "detail": f"{what}: {said[-1:]}", "seconds": 0.0}

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            good = _good_files(self.folder)
            words = [sys.executable, "-m", "tests.fuzz.worker", *map(str, good)]
            root = Path(__file__).parents[2]
            with (self.folder / "stderr").open("w") as errors:
                self._process = subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    cwd=self.folder,
                    env={**os.environ, "PYTHONPATH": str(root), "OPENCV_LOG_LEVEL": "OFF"},
                )
            assert self._process.stdout is not None
            assert self._process.stdout.readline() == "ready\n", (
                self.folder / "stderr"
            ).read_text()
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _good_files(folder: Path) -> list[Path]:
    found = [
        (".jpg", material.faces()),
        (".pickle", material.payloads()),
        (".pak", material.packs()),
        (".npy", pickles.small_weights()),
    ]
    if HAS_BACKUPS:
        found.append((".dat", material.backups()))
    paths = []
    for suffix, contents in found:
        for number, data in enumerate(contents):
            path = folder / f"good{number}{suffix}"
            path.write_bytes(data)
            paths.append(path)
    return paths


@contextlib.contextmanager
def worker_in(folder: Path) -> Iterator[Worker]:
    worker = Worker(folder)
    try:
        yield worker
    finally:
        worker.close()


def judge(worker: Worker, given: Input, label: str, tally: Tally) -> None:
    """Have one input read. It must end in a value or a sentence, soon, and stay as it is."""
    path = worker.folder / f"input{given.suffix}"
    path.write_bytes(given.data)
    answer = worker.read(given.suffix, path)
    outcome, detail = answer["outcome"], answer["detail"]
    if outcome != "failure" and answer["seconds"] > SLOWEST:
        outcome, detail = "failure", f"took {answer['seconds']:.1f} s"
    if path.read_bytes() != given.data:
        outcome, detail = "failure", "the file was changed"
    if (worker.folder / CANARY).exists():
        outcome, detail = "failure", "something in the file was executed"
        (worker.folder / CANARY).unlink()
    tally.slowest = max(tally.slowest, answer["seconds"])
    tally.outcomes[given.kind, outcome] += 1
    if outcome == "failure":
        digest = hashlib.sha256(given.data).hexdigest()[:12]
        tally.failures.append(f"{label} ({given.kind}, {digest}): {detail}")


def fuzz(folder: Path, *, seed: int, first: int, count: int, keep: Path | None = None) -> Tally:
    """Read `count` inputs of a seed.

    Args:
        folder: Scratch folder.
        seed: Chooses the inputs.
        first: Number of the first input.
        count: How many.
        keep: Where to copy inputs that failed.
    """
    tally = Tally()
    with worker_in(folder) as worker:
        told = time.monotonic()
        for number in range(first, first + count):
            given = make_input(seed, number)
            failed = len(tally.failures)
            judge(worker, given, f"seed {seed}, number {number}", tally)
            if keep is not None and len(tally.failures) > failed:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{seed}-{number}{given.suffix}").write_bytes(given.data)
            if time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"{number - first + 1} of {count}, {len(tally.failures)} failures",
                      file=sys.stderr)  # fmt: skip
    return tally
