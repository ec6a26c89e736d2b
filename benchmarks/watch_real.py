"""A real training with few src faces, stopped by the watch, then trained on far past its best.

Before training begins, whole stretches of both demo clips are taken out of the workspace, with free
frames beside them: a third part that neither training nor watch ever sees. What the best, the stopped
and the last state paint of it is compared, stretch by stretch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.demo_workspace import CACHE, cached_demo_workspace
from benchmarks.machine import Table
from dflcolab.engine.checkpoint import Checkpoint, best_of, list_checkpoints
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import load_faceset
from dflcolab.models.kinds import swap_options_of
from dflcolab.pipeline.train import train
from dflcolab.progress import Progress
from dflcolab.training.config import TrainConfig
from dflcolab.training.dataset import prepare_faces
from dflcolab.training.session import Session
from dflcolab.training.side_faces import SideFaces
from dflcolab.watch.intervals import Interval, change_between, interval_of
from dflcolab.watch.looks import Look, Sample
from dflcolab.watch.state import records_of
from dflcolab.workspace.workspace import Side, Workspace

_MODEL = "few"
_OPTIONS = (
    "resolution=64", "archi=df-ud", "face_type=whole_face", "ae_dims=32", "e_dims=12", "d_dims=12",
    "d_mask_dims=8", "batch_size=4", "random_warp=no", "learning_rate=5e-4",
)  # fmt: skip
_LENGTHS = {Side.SRC: 5, Side.DST: 3}
"""Faces of a stretch of the third part; two more on each side are left out for good."""

_GUARD = 2
_SHARE = 0.25
_SRC_FACES = 60
"""Faces of src that are left to training and watch together."""


@dataclass(frozen=True, eq=False)
class State:
    """One state of the model: what it does on the third part.

    Attributes:
        name: As in the table.
        iteration: Finished iterations.
        score: Held-out loss of src and dst, as the watch sees it.
        measures: Of the third part, as `Evaluator.look` names them (`held_out`).
    """

    name: str
    iteration: int
    score: float
    measures: Mapping[str, Sample]


def real_tables(root: Path, *, iterations: int, every: int = 25, seed: int = 0) -> list[Table]:
    """Train, judge, compare.

    Args:
        root: An empty folder for the workspace.
        iterations: Where the run that nobody stops ends.
        every: Iterations between looks.
        seed: Decides on the third part and on the weights.
    """
    workspace, third = part_off(root / "workspace", seed)
    config = TrainConfig(
        model=_MODEL, set=_OPTIONS, target_iter=iterations, stop_on="overfit", schedule="manual",
        look_every=every, holdout_share=0.2, save_minutes=0, preview_every=0, keep=100, seed=seed,
    )  # fmt: skip
    stopped = train(workspace, config)
    model_dir = workspace.model_dir(_MODEL)
    ended_by_watch = stopped.stopped_because == "overfit"
    if ended_by_watch:
        # `set` belongs to new models; a known one keeps its options.
        train(
            workspace,
            TrainConfig(
                model=_MODEL, target_iter=iterations, schedule="manual", look_every=every,
                save_minutes=0, preview_every=0, keep=100,
            ),
        )  # fmt: skip
    checkpoints = list_checkpoints(model_dir)
    by_name = {checkpoint.folder.name: checkpoint for checkpoint in checkpoints}
    best = by_name[best_of(checkpoints) or checkpoints[-1].folder.name]
    chosen = {"best": best, "last": checkpoints[-1]}
    if ended_by_watch:
        at = next(c for c in checkpoints if c.iteration == stopped.iteration)
        chosen = {"best": best, "stopped by the watch": at, "last": checkpoints[-1]}
    states = [_state(name, checkpoint, third, root) for name, checkpoint in chosen.items()]
    looks = [Look.from_plain(line) for line in records_of(model_dir, pretraining=False)[0].read()]
    return [_course(looks, stopped.iteration if ended_by_watch else None, every),
            _comparison(states)]  # fmt: skip


def part_off(root: Path, seed: int) -> tuple[Workspace, dict[Side, SideFaces]]:
    """A workspace whose facesets lack the third part, and that part."""
    shutil.copytree(cached_demo_workspace().root, root)
    workspace = Workspace.open(root)
    third: dict[Side, SideFaces] = {}
    for side in (Side.SRC, Side.DST):
        folder = workspace.aligned_dir(side)
        faceset = load_faceset(folder)
        order = np.argsort(np.array(faceset.frame_keys), kind="stable")
        length = _LENGTHS[side]
        cell = length + 2 * _GUARD
        generator = np.random.default_rng([seed, side is Side.DST])
        starts = np.arange(0, len(order) - cell + 1, cell)
        starts = generator.permutation(starts)[: max(6, round(_SHARE * len(starts)))]
        chosen = [order[start + _GUARD : start + _GUARD + length] for start in np.sort(starts)]
        gone = {int(i) for start in starts for i in order[start : start + cell]}
        rest = [int(i) for i in order if int(i) not in gone]
        if side is Side.SRC and len(rest) > _SRC_FACES:
            # In one piece, so that stretches can be held out.
            gone |= set(rest[_SRC_FACES:])
        indices = np.concatenate(chosen)
        faces = prepare_faces(
            faceset, [int(i) for i in indices], face_type=FaceType.WHOLE, resolution=64,
            title="Faces", progress=Progress(), cache_dir=CACHE / "faces", problems=[],
        )  # fmt: skip
        stretches = np.repeat(np.arange(len(chosen)), length)
        third[side] = SideFaces(faces, faces, stretches, stretches)
        for index in gone:
            (folder / faceset.names[index]).unlink()
    return workspace, third


def _state(name: str, checkpoint: Checkpoint, third: Mapping[Side, SideFaces], root: Path) -> State:
    """What a checkpoint does on the third part."""
    known = checkpoint.state()
    options = swap_options_of(known["architecture"], known["options"])
    session = Session(
        root / "judge", options, third[Side.SRC], third[Side.DST], seed=0, precision="float32"
    )
    session.restore(checkpoint)
    score = known.get("held_out_loss")
    return State(
        name, checkpoint.iteration, float("nan") if score is None else float(score),
        session.look(swap=True).measures,
    )  # fmt: skip


def _course(looks: Sequence[Look], stopped_at: int | None, every: int) -> Table:
    """The watch's own held-out score: best, at the stop, at the end."""
    scores = [
        sum(look.measures[f"{s}/held_out/loss"].mean for s in ("src", "dst")) for look in looks
    ]
    best = int(np.argmin(scores))
    table = Table(
        "Real faces: held-out score as the watch saw it",
        ["look", "iteration", "looks after the best", "score", "above the best"],
    )
    moments = {"best": best, "last": len(looks) - 1}
    if stopped_at is not None:
        stop = next(i for i, look in enumerate(looks) if look.iteration == stopped_at)
        moments = {"best": best, "stopped by the watch": stop, "last": len(looks) - 1}
    for name, index in moments.items():
        table.add(
            name, looks[index].iteration, (looks[index].iteration - looks[best].iteration) // every,
            f"{scores[index]:.3f}", f"{scores[index] / scores[best] - 1:+.1%}",
        )  # fmt: skip
    if stopped_at is None:
        table.add("the watch did not stop it", "", "", "", "")
    return table


_ON_THIRD = {
    "src loss": "src/held_out/loss",
    "dst loss": "dst/held_out/loss",
    "likeness of the swap to src": "swap/held_out/identity_src",
}


def _comparison(states: Sequence[State]) -> Table:
    """The states on the third part, each against the last one."""
    table = Table(
        "Real faces: on faces that neither training nor watch has seen (90 % intervals over stretches)",
        ["state", "iteration", *(c for name in _ON_THIRD for c in (name, "less the last one's"))],
    )
    last = states[-1]
    for state in states:
        cells: list[object] = []
        for key in _ON_THIRD.values():
            cells.append(_text(interval_of(state.measures[key])))
            change = change_between(last.measures[key], state.measures[key])
            cells.append("" if state is last else _text(change, signed=True))
        table.add(state.name, state.iteration, *cells)
    return table


def _text(found: Interval, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{found.value:{sign}.3f} ({found.low:{sign}.3f} to {found.high:{sign}.3f})"
