"""Does the watch call it rightly, and does stopping where it says give a better model?

First, toy problems of which the truth is known (see `watch_toy`), many seeds each: by which look does
it call over-fitting, how long after the true turn, and does it ever call it where none begins? Beside
it the best that a rule on the training loss alone can do, which is all that DeepFaceLab shows. Then a
small model on real faces of the demo clips, with few src faces, trained far past its best: where the
watch would have stopped it, and how the best, the stopped and the last state do on faces that neither
training nor watch has seen.

    python -m benchmarks.bench_watch
    python -m benchmarks.bench_watch --seeds 0 1 --results watch.jsonl --no-real
    python -m benchmarks.bench_watch --seeds --real-case "6 faces" --real-seed 1 --real-iterations 1700

Finished toy trainings are lines of the results file and are not repeated.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks import watch_toy
from benchmarks.machine import Table, print_machine
from benchmarks.watch_toy import FEW_BOTH, FEW_SRC, MANY, SIDES, Curves, Problem
from dflcolab.watch.looks import Look
from dflcolab.watch.trends import WINDOW
from dflcolab.watch.verdicts import Call, judge

Kind: TypeAlias = Literal["dense layers", "real step"]
ITERATIONS: dict[Kind, int] = {"dense layers": 600, "real step": 600}
OF_KIND: dict[Kind, tuple[Problem, ...]] = {
    "dense layers": (FEW_BOTH, FEW_SRC, MANY),
    "real step": (FEW_SRC, MANY),
}
EVERY = 10
LATEST = 15
"""Looks after the true turn within which a call counts as right."""

OVERFIT = {
    "src": (Call.OVERFIT_SRC, Call.OVERFIT_BOTH),
    "dst": (Call.OVERFIT_DST, Call.OVERFIT_BOTH),
}
_WINDOWS = (20, 40, 80, 120)
_MARGINS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Told:
    """What one toy training showed.

    Attributes:
        kind: Of the model: that of `watch_toy` or of `watch_network`.
        problem: Its name.
        few: Sides that have few faces.
        seed: Of everything.
        turns: By side, the look with the lowest true loss (mean of four looks).
        rises: By side, how far the true loss is above that at the end, as a share.
        calls: By side, the look by which over-fitting was first called; -1 if never.
        training: Sum of the losses of src and dst that training shows, `[iterations]`.
        every: Iterations between looks.
    """

    kind: Kind
    problem: str
    few: tuple[str, ...]
    seed: int
    turns: Mapping[str, int]
    rises: Mapping[str, float]
    calls: Mapping[str, int]
    training: tuple[float, ...]
    every: int

    def late(self, side: str) -> int | None:
        """Looks from the true turn to the call; None without a call."""
        return None if self.calls[side] < 0 else self.calls[side] - self.turns[side]

    @property
    def right(self) -> bool:
        """Each side with few faces was called in time, not before its turn, and no other side."""
        for side in SIDES:
            late = self.late(side)
            if side in self.few:
                if late is None or not 0 <= late <= LATEST:
                    return False
            elif late is not None:
                return False
        return True


def told(curves: Curves, problem: Problem, seed: int, *, kind: Kind = "dense layers") -> Told:
    """Judge a training look by look, and compare with the truth."""
    turns, rises = {}, {}
    for side, values in curves.truth.items():
        smooth = np.convolve(values, np.full(WINDOW, 1 / WINDOW), "valid")
        lowest = int(smooth.argmin())
        turns[side] = lowest + WINDOW // 2
        rises[side] = float(smooth[-1] / smooth[lowest] - 1)
    sums = curves.training.sum(axis=1)
    return Told(
        kind, problem.name, tuple(sorted(problem.few)), seed, turns, rises, first_calls(curves.looks),
        tuple(round(float(value), 4) for value in sums), curves.every,
    )  # fmt: skip


def first_calls(looks: Sequence[Look]) -> dict[str, int]:
    """By side, the look by which over-fitting is first called; -1 if never."""
    calls: dict[str, int] = dict.fromkeys(SIDES, -1)
    for index in range(len(looks)):
        call = judge(looks[: index + 1])[0].call
        for side in SIDES:
            if calls[side] < 0 and call in OVERFIT[side]:
                calls[side] = index
    return calls


def stop_by_training_loss(losses: Sequence[float], window: int, margin: float) -> int | None:
    """Iteration at which the training loss has ceased to fall; None if it never does.

    Args:
        losses: Of all iterations.
        window: Iterations that are averaged.
        margin: It must be lower than in the window before by this share.
    """
    sums = np.concatenate([np.zeros(1), np.cumsum(losses)])
    means: npt.NDArray[np.float64] = (sums[window:] - sums[:-window]) / window
    stuck = np.flatnonzero(means[window:] > (1 - margin) * means[:-window])
    return int(stuck[0]) + 2 * window if len(stuck) else None


def training_loss_rule(runs: Sequence[Told], window: int, margin: float) -> tuple[int, int]:
    """How often that rule stops a run with few faces in time, and leaves one with many alone."""
    caught = spared = 0
    for run in runs:
        stop = stop_by_training_loss(run.training, window, margin)
        if not run.few:
            spared += stop is None
        elif stop is not None:
            turn = min(run.turns[side] for side in run.few)
            caught += 0 <= stop / run.every - 1 - turn <= LATEST
    return caught, spared


def toy_tables(kind: Kind, runs: Sequence[Told]) -> list[Table]:
    """Each run, what the watch gets right, and the rule on the training loss."""
    single = Table(
        f"Toy problems ({kind}), run by run",
        ["problem", "seed", "side", "true turn, look", "true rise until the end", "called, look",
         "looks late", "training loss since the turn"],
    )  # fmt: skip
    for run in runs:
        for side in SIDES:
            after = run.training[(run.turns[side] + 1) * run.every :]
            since = (
                f"{np.mean(after[-40:]) / np.mean(after[:40]) - 1:+.0%}" if len(after) > 80 else ""
            )
            call = run.calls[side]
            late = run.late(side)
            single.add(
                run.problem, run.seed, side, run.turns[side] + 1, f"{run.rises[side]:+.1%}",
                "never" if call < 0 else call + 1, "" if late is None else late, since,
            )  # fmt: skip
    whole = Table(
        f"Called rightly ({kind}; in time: at most {LATEST} looks after the true turn, not before it)",
        ["problem", "seeds", "called rightly", "true rise until the end", "looks late, median", "at most",
         "called before the turn",
         "called where none begins"],
    )  # fmt: skip
    for problem in dict.fromkeys(run.problem for run in runs):
        mine = [run for run in runs if run.problem == problem]
        lates = [late for run in mine for side in run.few if (late := run.late(side)) is not None]
        sides = [(run, side) for run in mine for side in (run.few or SIDES)]
        rises = [run.rises[side] for run, side in sides]
        wrong = sum(run.calls[side] >= 0 for run in mine for side in SIDES if side not in run.few)
        whole.add(
            problem, len(mine), f"{sum(run.right for run in mine)} of {len(mine)}",
            f"{np.median(rises):+.0%} ({min(rises):+.0%} to {max(rises):+.0%})",
            f"{np.median(lates):.0f}" if lates else "", max(lates, default=""),
            sum(late < 0 for late in lates), wrong,
        )  # fmt: skip
    rule = Table(
        f"Stopping when the training loss ({kind}) has ceased to fall (all that DeepFaceLab shows)",
        [
            "window, iterations",
            "must fall by",
            "few faces: stopped in time",
            "many faces: left alone",
        ],
    )
    few, many = sum(bool(run.few) for run in runs), sum(not run.few for run in runs)
    for window in _WINDOWS:
        for margin in _MARGINS:
            caught, spared = training_loss_rule(runs, window, margin)
            rule.add(window, f"{margin:.1%}", f"{caught} of {few}", f"{spared} of {many}")
    return [single, whole, rule]


def run_all(
    kind: Kind, seeds: Sequence[int], results: Path, *, iterations: int, every: int
) -> list[Told]:
    """Train what is missing in the results file; all runs of these seeds."""
    runs = {
        (run.problem, run.seed): run
        for run in _read(results)
        if (run.kind, run.every, len(run.training)) == (kind, every, iterations)
    }
    train: Train | None = None
    for seed in seeds:
        for problem in OF_KIND[kind]:
            if (problem.name, seed) in runs:
                continue
            train = train or _trainer(kind)
            curves = train(problem, seed, iterations=iterations, every=every)
            run = told(curves, problem, seed, kind=kind)
            runs[problem.name, seed] = run
            with results.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(dataclasses.asdict(run)) + "\n")
    return [runs[problem.name, seed] for problem in OF_KIND[kind] for seed in seeds]


class Train(Protocol):
    """Trains one model of a problem."""

    def __call__(self, problem: Problem, seed: int, *, iterations: int, every: int) -> Curves:
        """See `watch_toy.train`."""
        ...


def _trainer(kind: Kind) -> Train:
    if kind == "dense layers":
        return watch_toy.train
    from benchmarks.watch_network import Network

    return Network().train


def _read(path: Path) -> list[Told]:
    if not path.exists():
        return []
    plain: list[dict[str, Any]] = [
        json.loads(line) for line in path.read_text("utf-8").splitlines()
    ]
    return [Told(**{**entry, "few": tuple(entry["few"])}) for entry in plain]


def main() -> None:
    """Train what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(10)))
    parser.add_argument("--kinds", nargs="+", default=list(ITERATIONS), choices=list(ITERATIONS))
    parser.add_argument("--results", type=Path, help="file that keeps finished toy trainings")
    parser.add_argument("--no-real", action="store_true", help="the toy problems alone")
    parser.add_argument("--real-iterations", type=int, default=1500)
    parser.add_argument("--real-case", default="36 faces", help="one of watch_real.CASES")
    parser.add_argument("--real-seed", type=int, default=0)
    parser.add_argument("--real-every", type=int, default=25, help="iterations between looks")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="gets the looks of the real training"
    )
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        results: Path = arguments.results or Path(folder) / "toys.jsonl"
        for kind in arguments.kinds if arguments.seeds else ():
            runs = run_all(kind, arguments.seeds, results, iterations=ITERATIONS[kind], every=EVERY)
            for table in toy_tables(kind, runs):
                table.print()
        if not arguments.no_real:
            from benchmarks.watch_real import CASES, real_tables

            name = f"{arguments.real_case}, seed {arguments.real_seed}.jsonl"
            tables = real_tables(
                Path(folder),
                CASES[arguments.real_case],
                iterations=arguments.real_iterations,
                every=arguments.real_every,
                seed=arguments.real_seed,
                kept=arguments.keep and arguments.keep / name,
            )
            for table in tables:
                table.print()


if __name__ == "__main__":
    main()
