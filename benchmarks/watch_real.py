"""A real training with few src faces, judged look by look as the watch does, far past its best.

Both demo clips are cut into stretches of neighbouring faces. They are dealt out at random: to training,
to the watch, and to a third part that neither ever sees; the faces at the ends of the watch's and the
third part's stretches are used for nothing. What the best, the stopped and the last state paint of the third
part is compared, stretch by stretch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.demo_workspace import demo_faces
from benchmarks.machine import Table
from dflcolab.engine.checkpoint import Checkpoint, best_of, list_checkpoints
from dflcolab.faces.face_type import FaceType
from dflcolab.models.saehd.options import saehd_options
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.session import Session
from dflcolab.training.side_faces import SideFaces
from dflcolab.watch.intervals import Interval, change_between, interval_of
from dflcolab.watch.looks import Look, Sample
from dflcolab.watch.verdicts import judge, stops

OPTIONS = saehd_options(
    {"resolution": 64, "archi": "df-ud", "face_type": "whole_face", "ae_dims": 32, "e_dims": 12,
     "d_dims": 12, "d_mask_dims": 8, "batch_size": 4, "random_warp": False, "learning_rate": 5e-4}
)  # fmt: skip


@dataclass(frozen=True)
class _Cut:
    """How the faces of a side are dealt out.

    Attributes:
        cell: Faces of a stretch.
        looked: Stretches for the watch, and as many for the third part; without their end faces.
        training: Stretches for training.
    """

    cell: int
    looked: int
    training: int


_CUTS = {"src": _Cut(6, 8, 6), "dst": _Cut(5, 4, 6)}


@dataclass(frozen=True, eq=False)
class State:
    """One state of the model: what it does on the third part.

    Attributes:
        name: As in the table.
        iteration: Finished iterations.
        measures: Of the third part, as `Evaluator.look` names them (`held_out`).
    """

    name: str
    iteration: int
    measures: Mapping[str, Sample]


def real_tables(root: Path, *, iterations: int, every: int = 25, seed: int = 0) -> list[Table]:
    """Train, judge, compare.

    Args:
        root: An empty folder for checkpoints.
        iterations: Where the run ends, whatever the watch says.
        every: Iterations between looks.
        seed: Decides on who gets which faces and on the weights.
    """
    watched, third = dealt(seed)
    session = Session(root / "model", OPTIONS, *watched, seed=seed, precision="float32")
    session.start_new()
    looks: list[Look] = []
    losses: list[np.ndarray] = []
    lowest, stopped_at = np.inf, None
    for iteration in range(1, iterations + 1):
        losses.append(np.asarray(session.train_one()))
        if iteration % every:
            continue
        looks.append(Look(iteration, "no_warp", "real", session.look(swap=False).measures))
        score = _score(looks[-1])
        stop = stopped_at is None and bool(stops(judge(looks), "overfit"))
        stopped_at = iteration if stop else stopped_at
        if score < lowest or stop or iteration == iterations:
            lowest = min(lowest, score)
            session.history.append(np.array(losses, np.float32))
            losses.clear()
            session.save(keep=100, preview=b"")
    checkpoints = list_checkpoints(root / "model")
    best = best_of(checkpoints)
    chosen = {"best": next(c for c in checkpoints if c.folder.name == best)}
    if stopped_at is not None:
        chosen["stopped by the watch"] = next(c for c in checkpoints if c.iteration == stopped_at)
    chosen["last"] = checkpoints[-1]
    states = [
        State(name, checkpoint.iteration, _on_third(checkpoint, third, root))
        for name, checkpoint in chosen.items()
    ]
    return [_course(looks, stopped_at, every), _comparison(states)]


def dealt(seed: int) -> tuple[list[SideFaces], list[SideFaces]]:
    """src and dst for training and watch, and the third part in the place of held-out faces."""
    watched: list[SideFaces] = []
    third: list[SideFaces] = []
    faces_of = demo_faces(FaceType.WHOLE, OPTIONS.resolution)
    for index, (faces, cut) in enumerate(zip(faces_of, _CUTS.values(), strict=True)):
        starts = np.arange(0, len(faces) - cut.cell + 1, cut.cell)
        starts = np.random.default_rng([seed, index]).permutation(starts)
        ends = np.cumsum([cut.looked, cut.looked, cut.training])
        held_out, unseen, training = np.split(starts[: ends[-1]], ends[:-1])
        learned = _stretches(faces, training, 0, cut.cell)
        for part, looked in ((watched, held_out), (third, unseen)):
            shown = _stretches(faces, looked, 1, cut.cell - 1)
            part.append(SideFaces(learned[0], shown[0], learned[1], shown[1]))
    return watched, third


def _stretches(
    faces: TrainingFaces, starts: np.ndarray, first: int, end: int
) -> tuple[TrainingFaces, np.ndarray]:
    """The faces from `first` to before `end` of each stretch, and the stretch of each."""
    places = (np.sort(starts)[:, None] + np.arange(first, end)).ravel()
    chosen = TrainingFaces(
        faces.faces[places],
        tuple(faces.names[i] for i in places),
        tuple(faces.yaws[i] for i in places),
    )
    return chosen, np.repeat(np.arange(len(starts)), end - first)


def _score(look: Look) -> float:
    return sum(look.measures[f"{side}/held_out/loss"].mean for side in ("src", "dst"))


def _on_third(
    checkpoint: Checkpoint, third: Sequence[SideFaces], root: Path
) -> Mapping[str, Sample]:
    """What a checkpoint does on the third part, named as by `Evaluator.look`."""
    session = Session(root / "judge", OPTIONS, *third, seed=0, precision="float32")
    session.restore(checkpoint)
    return session.look(swap=True).measures


def _course(looks: Sequence[Look], stopped_at: int | None, every: int) -> Table:
    """The watch's own held-out score: best, at the stop, at the end."""
    scores = [_score(look) for look in looks]
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
