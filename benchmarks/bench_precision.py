"""Do bfloat16 and float16 train as well as float32? The same small model, seeds, faces and order.

A SAEHD df-ud model of 64 pixels learns the faces of the demo clips for 2,000 iterations in each
precision and with three seeds. Runs of one seed start from the same weights and see the same faces
under the same random views in the same order; only the number type of the networks differs.
Each finished run is a line in the results file, and a run that is there is not repeated.

    python -m benchmarks.bench_precision --results precision.jsonl
    python -m benchmarks.bench_precision --iterations 200 --seeds 0 --results short.jsonl

Processes with different `--precisions` may share a results file; the table shows what is in it.
"""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.demo_workspace import demo_workspace
from benchmarks.machine import Table, print_machine

MODEL = {"resolution": 64, "archi": "df-ud", "ae_dims": 16, "e_dims": 8, "d_dims": 8,
         "d_mask_dims": 4, "batch_size": 4}  # fmt: skip
LEARNING_RATE = 2.5e-4
"""The demo preset's; DeepFaceLab's is 5e-5."""

AGAIN = "float32_again"
PRECISIONS = ("float32", AGAIN, "mixed_bfloat16", "mixed_float16")
"""`float32_again` is the control: float32 with a learning rate larger by a millionth. How far it
ends from float32 is what rounding alone does to a run; a gap of that size says nothing."""

WINDOW = 200
_HOLDOUT = 0.2

Run = Mapping[str, Any]


def train_once(
    root: Path,
    sides: Sequence[Any],
    precision: str,
    seed: int,
    iterations: int,
    learning_rate: float,
) -> dict[str, Any]:
    """Train a new model; its losses by window of 200 iterations and what it does on unseen faces.

    Args:
        root: Folder for the checkpoint.
        sides: `SideFaces` of src and dst.
        precision: One of `PRECISIONS`.
        seed: Of weights, order and random views.
        iterations: How many.
        learning_rate: Of the optimizer.
    """
    from dflcolab.models.saehd.options import saehd_options
    from dflcolab.training.session import Session

    nudge = 1 + 1e-6 if precision == AGAIN else 1.0
    options = saehd_options({**MODEL, "learning_rate": learning_rate * nudge})
    number_type: Any = "float32" if precision == AGAIN else precision
    folder = root / f"{precision}-{seed}"
    session = Session(folder, options, *sides, seed=seed, precision=number_type)
    session.start_new()
    losses = np.empty((iterations, 2))
    began = time.perf_counter()
    for index in range(iterations):
        losses[index] = np.asarray(session.train_one())
    seconds = time.perf_counter() - began
    own = session.evaluate()
    session.history.append(losses.astype(np.float32))
    checkpoint = session.save(keep=1, preview=session.preview())
    state = checkpoint.state()

    # Judged in float32 whatever it was trained in: what was learned, not how well it is computed.
    judge = Session(root / "judge", options, *sides, seed=seed, precision="float32")
    judge.restore(checkpoint)
    exact = judge.evaluate()
    sums = losses.sum(axis=1)
    return {
        "precision": precision,
        "seed": seed,
        "iterations": iterations,
        "learning_rate": learning_rate,
        "windows": [float(sums[i : i + WINDOW].mean()) for i in range(0, iterations, WINDOW)],
        "held_out": None if exact is None else exact["src"] + exact["dst"],
        "held_out_own_precision": None if own is None else own["src"] + own["dst"],
        "loss_scales": state["loss_scales"],
        "updates_left_out": _left_out(checkpoint, iterations),
        "seconds": seconds,
    }


def _left_out(checkpoint: Any, iterations: int) -> int:
    """Iterations whose gradients overflowed in float16: the optimizer did not count them."""
    slots = checkpoint.optimizer()
    return iterations - min(int(slots[name]) for name in slots if name.endswith("iters:0"))


def faces_of(root: Path) -> list[Any]:
    """Decoded faces of src and dst, a fifth held out."""
    from dflcolab.faces.face_type import FaceType
    from dflcolab.faceset.faceset import load_faceset
    from dflcolab.faceset.held_out import choose_held_out, poses_of
    from dflcolab.faceset.stretches import split_faces
    from dflcolab.progress import Progress
    from dflcolab.training.dataset import prepare_faces
    from dflcolab.training.session import SideFaces
    from dflcolab.workspace.workspace import Side

    workspace = demo_workspace(root)
    sides: list[Any] = []
    for side in (Side.SRC, Side.DST):
        faceset = load_faceset(workspace.aligned_dir(side))
        keys = faceset.frame_keys
        choice = choose_held_out(keys, functools.partial(poses_of, faceset), _HOLDOUT)
        split = split_faces(keys, choice.stretches)
        parts = [
            prepare_faces(
                faceset, indices, face_type=FaceType.WHOLE, resolution=64, title="Faces",
                progress=Progress(), cache_dir=root / ".cache", problems=[],
            )
            for indices in (split.training, split.held_out)
        ]  # fmt: skip
        sides.append(SideFaces(training=parts[0], held_out=parts[1]))
    return sides


def tables(runs: Sequence[Run]) -> list[Table]:
    """Every run beside float32 of its seed, and the spread of float32 itself as the yardstick."""
    exact = {run["seed"]: run for run in runs if run["precision"] == "float32"}
    single = Table(
        "Losses src + dst",
        ["precision", "seed", "last 200", "to float32", "largest gap of a window",
         "held-out", "to float32", "updates left out", "ms per iteration"],
    )  # fmt: skip
    pooled = Table(
        "Mean of all seeds",
        ["precision", "seeds", "last 200", "to float32", "all windows, largest gap", "held-out",
         "to float32"],
    )  # fmt: skip
    for precision in PRECISIONS:
        mine = sorted((r for r in runs if r["precision"] == precision), key=lambda r: r["seed"])
        pairs = [(run, exact[run["seed"]]) for run in mine if run["seed"] in exact]
        for run, base in pairs:
            gaps = np.array(run["windows"]) / np.array(base["windows"]) - 1
            worst = int(np.abs(gaps).argmax())
            single.add(
                precision, run["seed"], f"{run['windows'][-1]:.4f}",
                f"{run['windows'][-1] / base['windows'][-1] - 1:+.2%}",
                f"{gaps[worst]:+.2%} (to {(worst + 1) * WINDOW})",
                f"{run['held_out']:.4f}", f"{run['held_out'] / base['held_out'] - 1:+.2%}",
                run["updates_left_out"], 1e3 * run["seconds"] / run["iterations"],
            )  # fmt: skip
        if pairs:
            own, other = (np.array([pair[i]["windows"] for pair in pairs]) for i in (0, 1))
            gaps = own.mean(axis=0) / other.mean(axis=0) - 1
            held, base_held = (np.mean([pair[i]["held_out"] for pair in pairs]) for i in (0, 1))
            pooled.add(
                precision, len(pairs), f"{own[:, -1].mean():.4f}", f"{gaps[-1]:+.2%}",
                f"{gaps[np.abs(gaps).argmax()]:+.2%}", f"{held:.4f}", f"{held / base_held - 1:+.2%}",
            )  # fmt: skip
    return [single, pooled]


def yardstick(runs: Sequence[Run]) -> str:
    """How far float32 is from itself when only the seed changes."""
    exact = [run for run in runs if run["precision"] == "float32"]
    if len(exact) < 2:
        return "The spread of float32 between seeds needs two seeds."
    ends = np.array([run["windows"][-1] for run in exact])
    held = np.array([run["held_out"] for run in exact])
    return (
        f"float32 between {len(exact)} seeds: last 200 from {ends.min():.4f} to {ends.max():.4f} "
        f"({np.ptp(ends) / ends.mean():.1%} of the mean), held-out from {held.min():.4f} to "
        f"{held.max():.4f} ({np.ptp(held) / held.mean():.1%})."
    )


def read_runs(path: Path, iterations: int, learning_rate: float) -> list[Run]:
    """Finished runs of that length and rate."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    wanted = (iterations, learning_rate)
    return [r for r in map(json.loads, lines) if (r["iterations"], r["learning_rate"]) == wanted]


def main() -> None:
    """Train what is missing in the results file and print the tables."""
    parser = argparse.ArgumentParser(description="Losses in half precision beside float32.")
    parser.add_argument("--iterations", type=int, default=2000, help="a multiple of 200")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--precisions", nargs="+", default=list(PRECISIONS), choices=PRECISIONS)
    parser.add_argument("--results", type=Path, help="file that keeps finished runs")
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    arguments = parser.parse_args()
    key = (arguments.iterations, arguments.learning_rate)
    with tempfile.TemporaryDirectory() as folder:
        results: Path = arguments.results or Path(folder) / "runs.jsonl"
        sides = faces_of(Path(folder) / "workspace")
        for seed in arguments.seeds:
            for precision in arguments.precisions:
                done = {(r["precision"], r["seed"]) for r in read_runs(results, *key)}
                if (precision, seed) in done:
                    continue
                run = train_once(Path(folder), sides, precision, seed, *key)
                with results.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(run) + "\n")
        runs = read_runs(results, *key)
    print_machine()
    for table in tables(runs):
        table.print()
    print(yardstick(runs))


if __name__ == "__main__":
    main()
