"""`report --compare A B`: two models beside each other on held-out faces that neither has seen."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Checkpoint, list_checkpoints
from dflcolab.engine.loss_history import losses_name, read_losses
from dflcolab.engine.precision import prepare_device
from dflcolab.errors import FacesetError, ModelError
from dflcolab.faces.face_record import FaceRecord
from dflcolab.faceset.faceset import Faceset, load_faceset
from dflcolab.faceset.report_config import ReportConfig
from dflcolab.faceset.stretches import split_faces
from dflcolab.files import storage_errors, write_text
from dflcolab.models.kinds import SwapModelOptions, swap_options_of
from dflcolab.pipeline.compare_view import write_comparison_page
from dflcolab.pipeline.report import page_path
from dflcolab.pipeline.training_history import ModelHistory, read_history
from dflcolab.pipeline.training_report import Measured, plain_interval
from dflcolab.progress import Progress
from dflcolab.training.comparison import Compare, ModelAtSize, compare_on
from dflcolab.training.dataset import prepare_faces
from dflcolab.training.evaluator import choose
from dflcolab.training.holding_out import choice_of
from dflcolab.training.side_faces import SideFaces
from dflcolab.watch.intervals import Interval, change_between, interval_of
from dflcolab.watch.looks import Sample
from dflcolab.workspace.workspace import Side, Workspace

VERSION = 1
"""Of the JSON."""

SURE_FROM = 3
"""Stretches from which on an interval holds what it says (see `watch.intervals`)."""

SHOWN = 4
"""Faces of a side whose pictures are on the page."""

_LESS_IS_BETTER = (
    "loss", "dssim", "square", "mask", "color", "landmarks", "pose", "identity_dst",
)  # fmt: skip
_MORE_IS_BETTER = ("psnr", "mask_iou", "identity", "identity_src", "presence")
_RELATIVE = ("loss", "dssim", "square", "mask")
_UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class ComparedModel:
    """One of the two.

    Attributes:
        label: What it was called on the command line.
        checkpoint: Folder of the checkpoint that was looked at: the best one, if that is known.
        iteration: Of that checkpoint.
        architecture: `saehd`, `quick96` or `amp`.
        resolution: In pixels.
        pretrained: Iterations of pretraining that the model had before; None without any.
        faces: By side: faces in `training`, and `held_out`.
    """

    label: str
    checkpoint: Path
    iteration: int
    architecture: str
    resolution: int
    pretrained: int | None
    faces: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Difference:
    """One measure of both models.

    Attributes:
        a: Of the first one, with the interval that its stretches of faces leave.
        b: Of the second one.
        difference: b - a, stretch by stretch: much surer than the two intervals are.
        percent: The same as a share of a, for losses.
        better: Which one is better, where the difference is sure and one direction is better.
        stretches: How many stretches of neighbouring frames the faces are of.
    """

    a: Measured
    b: Measured
    difference: Measured
    percent: Measured | None
    better: Literal["a", "b", ""]
    stretches: int


@dataclass(frozen=True)
class SharedFaces:
    """Held-out faces of one side that both models are shown.

    Attributes:
        faces: How many.
        stretches: Of how many stretches of neighbouring frames.
        seen: Held out of the first model, but trained on by the second: left out.
        unknown: Held out of the first model, and not among the second one's faces: left out.
    """

    faces: int
    stretches: int
    seen: int
    unknown: int


@dataclass(frozen=True)
class ComparisonReport:
    """Two models beside each other.

    Attributes:
        version: Of this form.
        made_on: Date and time, ISO.
        a: The first model.
        b: The second one.
        faces: What they were shown, by side.
        measures: By "<side>/held_out/<measure>" and "swap/held_out/<measure>".
        options: Options that differ, by name: of a and of b; null for one that a kind does not have.
        findings: What the numbers mean, one sentence each.
        notes: What the reader should know about the comparison itself.
        html: The page.
        json: The numbers.
    """

    version: int
    made_on: str
    a: ComparedModel
    b: ComparedModel
    faces: Mapping[str, SharedFaces]
    measures: Mapping[str, Difference]
    options: Mapping[str, tuple[Any, Any]]
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    html: Path
    json: Path

    def summary(self) -> str:
        """The report in sentences."""
        models = [
            f"{letter}: {model.label}, {model.architecture} {model.resolution} px, iteration "
            f"{model.iteration:,} ({model.checkpoint.name})"
            for letter, model in (("A", self.a), ("B", self.b))
        ]
        lines = [*models, *self.findings, *self.notes]
        if self.options:
            lines.append(f"Options that differ: {', '.join(self.options)}.")
        return "\n".join([*lines, f"The whole comparison: {self.html}"])


@dataclass(frozen=True)
class _Opened:
    """A model with all that is needed to show it faces."""

    label: str
    workspace: Workspace
    history: ModelHistory
    checkpoint: Checkpoint
    state: Mapping[str, Any]
    options: SwapModelOptions


@dataclass(frozen=True)
class _Shared:
    """Faces of one side in the first model's faceset, with the number of the stretch of each."""

    faceset: Faceset
    indices: list[int]
    stretches: list[int]
    counts: SharedFaces


def compare_models(
    workspace: Workspace, config: ReportConfig, *, progress: Progress | None = None
) -> ComparisonReport:
    """Show both models the same held-out faces, and write what differs. Nothing is changed.

    The faces are the first model's; of its held-out ones those count that were held out of the second
    model's training too. A face is known again by its landmarks in the frame, so that workspaces
    made from the same videos compare.

    Raises:
        ConfigError: The page's name does not end with .html.
        ModelError: A model is not there, is still in pretraining, or they have no held-out faces in
            common, or paint faces of another extent.
        CheckpointError: A checkpoint is damaged.
        FacesetError: There are no faces.
        StorageError: The disk is full or read-only.
        Interrupted: Asked to stop; nothing was written.
    """
    progress = progress or Progress()
    first, second = (_opened(workspace, text) for text in config.compare)
    if first.history.folder.resolve() == second.history.folder.resolve():
        raise ModelError(f"{first.label} and {second.label} are one model; name two.")
    usual = workspace.history_dir / f"compare-{_slug(first.label)}-{_slug(second.label)}.html"
    page = page_path(config.html, usual)
    if first.options.face_type is not second.options.face_type:
        raise ModelError(
            f"{first.label} paints {first.options.face_type.value} faces and {second.label} "
            f"{second.options.face_type.value} ones; compare models of one face type."
        )
    notes: list[str] = []
    shared = _shared_faces(first, second, config.faces, notes)
    prepare_device()
    size = max(first.options.resolution, second.options.resolution)
    sides = _prepared(shared, first, size, workspace, progress, notes)
    found: list[Compare] = []
    with progress.task("Painting", total=2, unit="models") as task:
        for opened in (first, second):
            progress.raise_if_stopped()
            model = ModelAtSize(
                opened.options,
                opened.checkpoint.weights(),
                size=size,
                source=str(opened.checkpoint.folder),
            )
            found.append(compare_on(model, opened.options, sides, most=config.faces, shown=SHOWN))
            task.advance()
    measures = differences(found[0].measures, found[1].measures)
    if first.options.resolution != second.options.resolution:
        notes.append(
            f"Both are judged at {size} pixels; the pictures of the smaller model were enlarged."
        )
    report = ComparisonReport(
        version=VERSION,
        made_on=dt.datetime.now(dt.UTC).replace(microsecond=0).isoformat(),
        a=_described(first),
        b=_described(second),
        faces={side: part.counts for side, part in shared.items()},
        measures=measures,
        options=differing(first.state["options"], second.state["options"]),
        findings=tuple(findings(measures)),
        notes=tuple(notes),
        html=page,
        json=page.with_suffix(".json"),
    )
    progress.raise_if_stopped()
    text = json.dumps(to_plain(report), ensure_ascii=False, indent=1, allow_nan=False)
    with storage_errors(report.json):
        report.json.parent.mkdir(parents=True, exist_ok=True)
    write_text(report.json, text + "\n")
    write_comparison_page(page, report, (first.history, second.history), found)
    return report


def differences(a: Mapping[str, Sample], b: Mapping[str, Sample]) -> dict[str, Difference]:
    """Every measure that both have, with the difference stretch by stretch."""
    found: dict[str, Difference] = {}
    for name in a:
        if name not in b:
            continue
        measure = name.rpartition("/")[2]
        change = share = _UNKNOWN
        relative = measure in _RELATIVE and a[name].mean > 0
        if a[name].counts == b[name].counts:
            change = change_between(a[name], b[name])
            if relative:
                share = change_between(a[name], b[name], relative=True)
        found[name] = Difference(
            plain_interval(interval_of(a[name])),
            plain_interval(interval_of(b[name])),
            plain_interval(change),
            plain_interval(share, 100) if relative else None,
            _better(measure, share if relative else change, len(a[name].counts)),
            len(a[name].counts),
        )
    return found


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Options that are not the same."""
    names = [*a, *(name for name in b if name not in a)]
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def findings(measures: Mapping[str, Difference]) -> list[str]:
    """What the most telling measures mean, in sentences."""
    said: list[str] = []
    for side in ("src", "dst"):
        loss = measures.get(f"{side}/held_out/loss")
        if loss is None or loss.percent is None or loss.percent.value is None:
            continue
        value, low, high = loss.percent.value, loss.percent.low, loss.percent.high
        if low is None or high is None or loss.stretches < SURE_FROM:
            said.append(
                f"{side}: the loss of B on held-out faces is {abs(value):.1f} % "
                f"{'below' if value < 0 else 'above'} that of A; the faces are of fewer than "
                f"{SURE_FROM} stretches of frames, so how sure that is cannot be told."
            )
        elif loss.better:
            ends = sorted((abs(low), abs(high)))
            said.append(
                f"{side}: {loss.better.upper()} is better; the loss of B on held-out faces is "
                f"{abs(value):.1f} % ({ends[0]:.1f} to {ends[1]:.1f} %) "
                f"{'below' if value < 0 else 'above'} that of A."
            )
        else:
            said.append(
                f"{side}: no reliable difference; the loss of B on held-out faces differs from that "
                f"of A by {value:+.1f} % ({low:+.1f} to {high:+.1f} %)."
            )
    likeness = measures.get("swap/held_out/identity_src")
    if likeness is not None and likeness.better:
        change = likeness.difference
        said.append(
            f"Swapped faces: those of {likeness.better.upper()} are more like src (cosine "
            f"{likeness.a.value:.3f} of A, {likeness.b.value:.3f} of B; difference "
            f"{change.low:+.3f} to {change.high:+.3f})."
        )
    return said


def _better(measure: str, change: Interval, n_stretches: int) -> Literal["a", "b", ""]:
    sure = change.low > 0 or change.high < 0  # NaN is not sure either
    if not sure or n_stretches < SURE_FROM:
        return ""
    rises = change.low > 0
    if measure in _LESS_IS_BETTER:
        return "a" if rises else "b"
    if measure in _MORE_IS_BETTER:
        return "b" if rises else "a"
    return ""


def _opened(workspace: Workspace, text: str) -> _Opened:
    """A model by its name, or by the path of its folder."""
    name = text
    if "/" in text or "\\" in text:
        folder = Path(text).expanduser().resolve()
        if folder.parent.name != workspace.models_dir.name or not folder.is_dir():
            raise ModelError(
                f"{text} is no model's folder; give the name of a model of this workspace, or a "
                "path such as ../other/model/NAME."
            )
        workspace, name = Workspace.open(folder.parents[1]), folder.name
    history = read_history(workspace, name)
    if history.pretraining:
        raise ModelError(
            f"{text} is still in pretraining and has seen neither src nor dst; train it with "
            f"`dflcolab train --model {name}` first."
        )
    wanted = (history.best or history.latest).name
    checkpoint = next(c for c in list_checkpoints(history.folder) if c.folder.name == wanted)
    checkpoint.verify()
    state = checkpoint.state()
    options = swap_options_of(state["architecture"], state["options"], source=text)
    return _Opened(text, workspace, history, checkpoint, state, options)


def _shared_faces(
    first: _Opened, second: _Opened, most: int, notes: list[str]
) -> dict[str, _Shared]:
    """By side, the held-out faces that neither model was trained on."""
    shared: dict[str, _Shared] = {}
    for side in Side:
        try:
            faces = [_faces_of(opened, side) for opened in (first, second)]
        except FacesetError as error:
            notes.append(str(error))
            continue
        part = _shared_of_side(side, first, second, (faces[0], faces[1]), most)
        shared[side.value] = part
        counts = part.counts
        if counts.seen or counts.unknown:
            notes.append(
                f"{side.value}: {counts.faces} faces of {counts.stretches} stretches are shown to "
                f"both; left out of those held out of {first.label}: {counts.seen} that "
                f"{second.label} was trained on, {counts.unknown} that are not among its held-out "
                "faces."
            )
    if not any(part.indices for part in shared.values()):
        raise ModelError(
            f"{first.label} and {second.label} have no held-out faces in common; train them on the "
            "same faces with the same --holdout-share to compare them."
        )
    return shared


def _faces_of(opened: _Opened, side: Side) -> Faceset:
    faceset = load_faceset(opened.workspace.aligned_dir(side))
    if choice_of(opened.state, side.value) is None:
        raise ModelError(
            f"It is not recorded which {side.value} faces were held out of the training of "
            f"{opened.label}; train it on until its next checkpoint, then compare."
        )
    return faceset


def _shared_of_side(
    side: Side, first: _Opened, second: _Opened, faces: tuple[Faceset, Faceset], most: int
) -> _Shared:
    own, other = faces
    choices = [choice_of(opened.state, side.value) for opened in (first, second)]
    splits = [
        split_faces(faceset.frame_keys, choice.stretches if choice else ())
        for faceset, choice in zip(faces, choices, strict=True)
    ]
    kept = {_key(other.records[index]) for index in splits[1].held_out}
    trained = {_key(other.records[index]) for index in splits[1].training}
    keys = {index: _key(own.records[index]) for index in splits[0].held_out}
    seen = [index for index, key in keys.items() if key in trained]
    both = [index for index, key in keys.items() if key in kept and key not in trained]
    stretches = np.array([splits[0].stretch[index] for index in both], np.int64)
    places = choose(stretches, most).tolist()
    chosen = [both[place] for place in places]
    numbers = [int(stretches[place]) for place in places]
    counts = SharedFaces(
        len(chosen), len(set(numbers)), len(seen), len(keys) - len(seen) - len(both)
    )
    return _Shared(own, chosen, numbers, counts)


def _key(record: FaceRecord) -> bytes:
    """What makes a face known again in another faceset: its landmarks in the frame."""
    points = record.landmarks if record.source_landmarks is None else record.source_landmarks
    return np.asarray(points, np.float32).tobytes()


def _prepared(
    shared: Mapping[str, _Shared],
    first: _Opened,
    size: int,
    workspace: Workspace,
    progress: Progress,
    notes: list[str],
) -> dict[str, SideFaces]:
    """The faces as pictures; a side without any borrows the other one's, which are not measured."""
    found: dict[str, SideFaces] = {}
    for side, part in shared.items():
        if not part.indices:
            notes.append(f"{side}: no held-out faces in common, so this side is not compared.")
            continue
        faces = prepare_faces(
            part.faceset,
            part.indices,
            face_type=first.options.face_type,
            resolution=size,
            title=f"Loading held-out {side} faces",
            progress=progress,
            cache_dir=workspace.root / ".cache",
            problems=notes,
        )
        names = [part.faceset.names[index] for index in part.indices]
        numbers = dict(zip(names, part.stretches, strict=True))
        stretches = np.array([numbers[name] for name in faces.names], np.int64)
        found[side] = SideFaces(faces, faces, stretches, stretches)
    lender = next(iter(found.values()))
    return {
        side: found[side] if side in found else SideFaces(lender.training, None)
        for side in ("src", "dst")
    }


def _described(opened: _Opened) -> ComparedModel:
    before = read_losses(opened.history.folder / losses_name(pretraining=True))
    return ComparedModel(
        label=opened.label,
        checkpoint=opened.checkpoint.folder,
        iteration=opened.checkpoint.iteration,
        architecture=opened.options.arch,
        resolution=opened.options.resolution,
        pretrained=len(before) or None,
        faces=opened.state.get("faces", {}),
    )


def _slug(label: str) -> str:
    """A label as part of a file name."""
    parts: Sequence[str] = [part for part in label.replace("\\", "/").split("/") if part != ".."]
    return "-".join(part for part in parts if part and part != "model")
