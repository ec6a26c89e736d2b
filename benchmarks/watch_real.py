"""A real training with few src faces, judged look by look as the watch does, far past its best.

Both demo clips are cut into stretches of neighbouring faces. They are dealt out at random: to training,
to the watch, and to a third part that neither ever sees; the faces at the ends of the watch's and the
third part's stretches are used for nothing. What the best, the stopped and the last state paint of the third
part is compared, stretch by stretch; and the state that was best for src alone, by the watch's faces.

A model may be pretrained before, on dst's training faces alone or with photographs and a clip of other
people (`tests/data/masks`); src's faces are never among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.demo_workspace import demo_faces, faces_to_train
from benchmarks.machine import Table
from dflcolab.engine.checkpoint import Checkpoint, best_of, list_checkpoints
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import load_faceset
from dflcolab.models.saehd.options import SaehdOptions, saehd_options
from dflcolab.training.dataset import TrainingFaces
from dflcolab.training.session import Session
from dflcolab.training.side_faces import SideFaces
from dflcolab.watch.intervals import Interval, change_between, interval_of
from dflcolab.watch.looks import Look, Sample
from dflcolab.watch.records import JsonLines, UnwrittenLines
from dflcolab.watch.verdicts import judge, stops

_RESOLUTION = 64
_BASE = {
    "resolution": _RESOLUTION, "archi": "df-ud", "face_type": "whole_face", "ae_dims": 32,
    "e_dims": 12, "d_dims": 12, "d_mask_dims": 8, "batch_size": 4, "random_warp": False,
}  # fmt: skip
_LARGER = {"ae_dims": 256, "e_dims": 16, "d_dims": 16}
_PRETRAINING_RATE = 2.5e-4
_ANOTHER = "speech_man"
_MORE = 6
_OTHERS = Path(__file__).parents[1] / "tests" / "data" / "masks"


@dataclass(frozen=True)
class Case:
    """A training.

    Attributes:
        rate: Learning rate.
        stretches: Stretches of six src faces that are learned from.
        dst_stretches: Stretches of five dst faces.
        changes: Options that differ from the small model's.
        pretraining: Iterations of pretraining before.
        with_others: Whether pretraining sees other people as well as dst.
        reused: Iterations of an earlier training with the same dst faces and other src faces.
        reused_src: That src: a man of other clips, dst itself, or `_MORE` stretches of src, of which
            the case's are some.
    """

    rate: float = 5e-4
    stretches: int = 6
    changes: Mapping[str, object] = field(default_factory=dict)
    dst_stretches: int = 6
    pretraining: int = 0
    with_others: bool = False
    reused: int = 0
    reused_src: Literal["another", "dst", "more of src"] = "another"

    def options(self, **more: object) -> SaehdOptions:
        """Options of the model."""
        return saehd_options({**_BASE, **self.changes, "learning_rate": self.rate, **more})


CASES = {
    "36 faces": Case(),
    "6 faces": Case(3e-4, 1, _LARGER),
    "6 faces, dst pretrained": Case(2e-4, 1, _LARGER, pretraining=2000),
    "6 faces, people pretrained": Case(2e-4, 1, _LARGER, pretraining=2500, with_others=True),
    "6 faces, model reused": Case(3e-4, 1, _LARGER, reused=3000),
    "6 faces, model of dst reused": Case(2e-4, 1, _LARGER, reused=2000, reused_src="dst"),
    "6 of 36 faces": Case(2.5e-4, 1, _LARGER, reused=4000, reused_src="more of src"),
    "6 of 36 faces, warp": Case(
        1e-4, 1, {**_LARGER, "random_warp": True}, reused=2000, reused_src="more of src"
    ),
    "6 src, 5 dst": Case(3e-4, 1, _LARGER, dst_stretches=1),
    "6 src, 10 dst": Case(3e-4, 1, _LARGER, dst_stretches=2),
}


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


def _cuts(case: Case) -> tuple[_Cut, _Cut]:
    return _Cut(6, 8, case.stretches), _Cut(5, 4, case.dst_stretches)


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


def real_tables(
    root: Path,
    case: Case,
    *,
    iterations: int,
    every: int = 25,
    seed: int = 0,
    kept: Path | None = None,
) -> list[Table]:
    """Train, judge, compare.

    Args:
        root: An empty folder for checkpoints.
        case: What is trained.
        iterations: Where the run ends, whatever the watch says.
        every: Iterations between looks.
        seed: Decides on who gets which faces and on the weights.
        kept: Gets the looks, as a model's `looks.jsonl` holds them; None: they are not kept.
    """
    lines = UnwrittenLines(root) if kept is None else JsonLines(kept)
    lines.start_at(0)
    watched, third = dealt(case, seed)
    session = Session(root / "model", case.options(), *watched, seed=seed, precision="float32")
    if case.pretraining:
        session.leave_pretraining(_pretrained(root / "pretrained", case, watched[1], seed))
    elif case.reused:
        session.restore(_reused(root / "reused", case, watched[1], seed))
    else:
        session.start_new()
    begun = session.iteration
    looks: list[Look] = []
    losses: list[np.ndarray] = []
    lowest, lowest_src, best_src, stopped_at = np.inf, np.inf, 0, None
    for iteration in range(begun + 1, begun + iterations + 1):
        losses.append(np.asarray(session.train_one()))
        if (iteration - begun) % every:
            continue
        looks.append(Look(iteration, "no_warp", "real", session.look(swap=False).measures))
        lines.append(looks[-1].to_plain())
        lines.flush()
        score = _score(looks[-1])
        stop = stopped_at is None and bool(stops(judge(looks), "overfit"))
        stopped_at = iteration if stop else stopped_at
        src = _loss(looks[-1], "src")
        if src < lowest_src:
            lowest_src, best_src = src, iteration
        if score < lowest or best_src == iteration or stop or iteration == begun + iterations:
            lowest = min(lowest, score)
            session.history.append(np.array(losses, np.float32))
            losses.clear()
            session.save(keep=100, preview=b"")
    checkpoints = list_checkpoints(root / "model")
    best = best_of(checkpoints)
    chosen = {
        "best": next(c for c in checkpoints if c.folder.name == best),
        "best for src alone": next(c for c in checkpoints if c.iteration == best_src),
    }
    if stopped_at is not None:
        chosen["stopped by the watch"] = next(c for c in checkpoints if c.iteration == stopped_at)
    chosen["last"] = checkpoints[-1]
    states = [
        State(name, checkpoint.iteration, _on_third(checkpoint, case, third, root))
        for name, checkpoint in chosen.items()
    ]
    return [_course(looks, stopped_at, every), _comparison(states)]


def dealt(case: Case, seed: int) -> tuple[list[SideFaces], list[SideFaces]]:
    """src and dst for training and watch, and the third part in the place of held-out faces."""
    watched: list[SideFaces] = []
    third: list[SideFaces] = []
    faces_of = demo_faces(FaceType.WHOLE, _RESOLUTION)
    for index, (faces, cut) in enumerate(zip(faces_of, _cuts(case), strict=True)):
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


def _pretrained(root: Path, case: Case, dst: SideFaces, seed: int) -> Checkpoint:
    """A model pretrained on dst's training faces, and on those of other people if the case says so."""
    faces = dst.training
    if case.with_others:
        others = _other_people()
        faces = TrainingFaces(
            np.concatenate([faces.faces, others.faces]),
            faces.names + others.names,
            faces.yaws + others.yaws,
        )
    side = SideFaces(faces, None)
    options = case.options(pretrain=True, learning_rate=_PRETRAINING_RATE)
    session = Session(root, options, side, side, seed=seed, precision="float32")
    return _trained(session, case.pretraining)


def _reused(root: Path, case: Case, dst: SideFaces, seed: int) -> Checkpoint:
    """A model of the same dst, trained before with other src faces."""
    match case.reused_src:
        case "another":
            faces = _other_people(_ANOTHER)
        case "dst":
            faces = dst.training
        case "more of src":
            faces = dealt(replace(case, stretches=_MORE), seed)[0][0].training
    src = SideFaces(faces, None)
    options = case.options(learning_rate=_PRETRAINING_RATE)
    session = Session(root, options, src, dst, seed=seed, precision="float32")
    return _trained(session, case.reused)


def _trained(session: Session, iterations: int) -> Checkpoint:
    """A new model after so many iterations."""
    session.start_new()
    losses = [np.asarray(session.train_one()) for _ in range(iterations)]
    session.history.append(np.array(losses, np.float32))
    return session.save(keep=1, preview=b"")


def _other_people(name: str = "") -> TrainingFaces:
    """Faces of people who are neither src nor dst, whose files' names begin with `name`."""
    faceset = load_faceset(_OTHERS)
    chosen = [
        place
        for place, own in enumerate(faceset.names)
        if own.startswith(name) and not own.startswith(("studio_woman", "webcam"))
    ]
    return faces_to_train(faceset, chosen, FaceType.WHOLE, _RESOLUTION)


def _loss(look: Look, side: str) -> float:
    return look.measures[f"{side}/held_out/loss"].mean


def _score(look: Look) -> float:
    return _loss(look, "src") + _loss(look, "dst")


def _on_third(
    checkpoint: Checkpoint, case: Case, third: Sequence[SideFaces], root: Path
) -> Mapping[str, Sample]:
    """What a checkpoint does on the third part, named as by `Evaluator.look`."""
    session = Session(root / "judge", case.options(), *third, seed=0, precision="float32")
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
