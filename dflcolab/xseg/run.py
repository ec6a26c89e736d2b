"""From labelled faces and options to a trained XSeg network."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dflcolab.config import to_plain, with_assignments
from dflcolab.engine.checkpoint import Checkpoint, latest_checkpoint
from dflcolab.engine.gpu_trial import try_gpus
from dflcolab.engine.loss_history import read_losses
from dflcolab.engine.model_lock import training_alone
from dflcolab.engine.precision import choose_precision, prepare_device
from dflcolab.errors import Interrupted, ModelError
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import Faceset
from dflcolab.models.xseg.options import XSegOptions, xseg_options
from dflcolab.progress import Progress
from dflcolab.sync.copy_state import CopyState
from dflcolab.training.callbacks import (
    PreviewOnSchedule,
    SaveOnSchedule,
    StopOnRequest,
    TellLosses,
    ends_of_a_run,
)
from dflcolab.training.config import parse_duration
from dflcolab.training.rollback import RollBack, settings_after_roll_backs
from dflcolab.training.run import Places
from dflcolab.training.run_record import run_facts
from dflcolab.training.trainer import Callback, Copies, TrainingLoop
from dflcolab.watch.state import STATE_KEY
from dflcolab.watch.verdicts import MASK_SIDES
from dflcolab.xseg.config import MaskConfig
from dflcolab.xseg.material import gather_material
from dflcolab.xseg.session import MaskSession
from dflcolab.xseg.watching import MaskWatch

_RECENT = 100
_READ_EVERY = 10  # iterations between two looks at the losses


@dataclass(frozen=True)
class MaskTrainReport:
    """What a run did.

    Attributes:
        model: Name of the model.
        iteration: Finished iterations, over all runs.
        iterations_done: Of these, in this run.
        loss: Mean training loss of the last 100 iterations; None before the first.
        held_out: `loss`, `iou` and `boundary_f` of the masks of held-out labelled faces; None where
            none are held out. In pretraining the loss alone.
        iterations_per_second: In this run, compilation not counted.
        seconds: Length of this run.
        stopped_because: `target_iter`, `deadline`, `stop_file`, `button`, or by the watch `plateau` or
            `overfit`.
        resumed_from: Iteration at which this run began; None for a new model.
        pretraining: True for a pretraining run.
        verdict: What the watch says at the end; empty if it has not looked yet.
        precision: Type the network computed in.
        batch_size: Faces per step.
        faces: Faces learned from.
        held_out_faces: Faces kept out.
        options: The network's options.
        checkpoint: Folder of the last checkpoint.
        problems: Sentences about faces or checkpoints that could not be used.
        copy: The newest copy on the remote, and how far it is proven; None without a remote.
    """

    model: str
    iteration: int
    iterations_done: int
    loss: float | None
    held_out: dict[str, float] | None
    iterations_per_second: float
    seconds: float
    stopped_because: str
    resumed_from: int | None
    pretraining: bool
    verdict: str
    precision: str
    batch_size: int
    faces: int
    held_out_faces: int
    options: dict[str, Any]
    checkpoint: Path
    problems: tuple[str, ...]
    copy: CopyState | None = None

    def summary(self) -> str:
        """The report in a few lines."""
        lines = [
            (
                f"{self.model}: {self.iterations_done} iterations in {self.seconds:.0f} s "
                f"({self.iterations_per_second:.2f} per second), now at {self.iteration}; ended "
                f"because of {self.stopped_because}."
            )
        ]
        if self.loss is not None:
            lines.append(f"Loss {self.loss:.4f} on {self.faces} faces.")
        if self.held_out and "iou" in self.held_out:
            lines.append(
                "On {n} held-out labels: loss {loss:.4f}, IoU {iou:.3f}, boundary F-score "
                "{boundary_f:.3f}.".format(n=self.held_out_faces, **self.held_out)
            )
        elif not self.pretraining and not self.held_out_faces:
            lines.append("No label is held out, so nothing judges the masks but your eyes.")
        if self.verdict:
            lines.append(f"The watch: {self.verdict}.")
        if self.copy:
            lines.append(self.copy.sentence())
        return "\n".join([*lines, *self.problems])


def run_mask_training(
    config: MaskConfig,
    places: Places,
    faceset: Faceset,
    *,
    face_type: FaceType,
    progress: Progress,
    problems: Sequence[str] = (),
    copies: Copies | None = None,
) -> MaskTrainReport:
    """Make or resume a network and train it until the config, the user or the clock says stop.

    Args:
        config: How to train.
        places: Where to read and write.
        faceset: All faces; those with outlines are learned from (see `dataset.labelled`).
        face_type: Extent of the faces for a new model where the options do not say.
        progress: Shows the work and carries the wish to stop.
        problems: Sentences from earlier steps for the report.
        copies: Copies checkpoints elsewhere meanwhile.

    Raises:
        ConfigError: An option is unknown or out of range.
        ModelError: The options do not fit the model on disk, or training diverged.
        FacesetError: No face is labelled, or none can be used.
        StorageError: The disk is full.
        Interrupted: The user asked to stop; everything is saved.
    """
    with training_alone(places.model_dir):
        return _run(config, places, faceset, face_type, progress, list(problems), copies)


def _run(
    config: MaskConfig,
    places: Places,
    faceset: Faceset,
    face_type: FaceType,
    progress: Progress,
    notes: list[str],
    copies: Copies | None,
) -> MaskTrainReport:
    began = time.monotonic()

    def note(text: str) -> None:
        notes.append(text)
        progress.message(text)

    checkpoint = latest_checkpoint(places.model_dir, on_problem=note)
    state = checkpoint.state() if checkpoint else None
    config, options, overruled = resolve_options(config, state, face_type=face_type)
    leaves = bool(state and state["pretraining"] and not options.pretrain)
    target = config.target_iter or options.target_iter or None
    done = 0 if checkpoint is None or leaves else checkpoint.iteration
    precision = choose_precision(config.precision)
    if checkpoint and not leaves and target is not None and done >= target:
        if done > target:  # a network from elsewhere, more likely than not
            note(
                f"{config.model} is at iteration {done} already, beyond --target-iter {target}; with a "
                "higher one it is trained on."
            )
        return _report(config, options, places, checkpoint, notes, began, precision, None, done)
    for text in overruled:
        note(text)
    prepare_device()
    unsupported = try_gpus().problem
    if unsupported:
        raise ModelError(unsupported)
    seed = int(state["seed"]) if state else config.seed
    before = {} if leaves or state is None else state
    material = gather_material(
        faceset,
        options,
        share=config.holdout_share,
        state=before,
        seed=seed,
        cache_dir=places.cache_dir,
        progress=progress,
        note=note,
        problems=notes,
    )
    session = MaskSession(places.model_dir, options, material, seed=seed, precision=precision)
    if checkpoint is None:
        session.start_new()
    elif leaves:
        session.leave_pretraining(checkpoint)
        progress.message(f"{config.model} leaves pretraining and starts at iteration 0.")
    else:
        session.restore(checkpoint)
    watch = MaskWatch(
        session,
        progress,
        history_dir=places.history_dir,
        every=config.preview_every,
        stop_on=config.stop_on,
    )
    loop = TrainingLoop(
        session,
        _callbacks(config, places, progress, target, began, copies, watch),
        keep=config.keep,
        read_every=_READ_EVERY,
        in_use=copies.in_use if copies else tuple,
        roll_back=RollBack(watch.event, rolled_back=watch.rolled_back, sides=MASK_SIDES),
        loss_names=("loss",),
    )
    watch.begin(run_facts(session, config, target=target, resumed_from=done or None))
    loop.stopped_because = watch.stopped_because
    if not loop.stopped_because:
        loop.run(progress, target=target)
    if loop.stopped_because == "interrupted":
        raise Interrupted(
            f"Stopped at iteration {session.iteration} and saved; "
            "run the same command again to go on."
        )
    saved = loop.checkpoint or checkpoint
    assert saved is not None
    return _report(config, session.options, places, saved, notes, began, precision, loop, done)


def _callbacks(
    config: MaskConfig,
    places: Places,
    progress: Progress,
    target: int | None,
    began: float,
    copies: Copies | None,
    watch: MaskWatch,
) -> list[Callback]:
    """What looks at the loop after each iteration."""
    every = config.preview_every
    found: list[Callback] = [
        PreviewOnSchedule(places.history_dir, every=every, progress=progress),
        watch,
        SaveOnSchedule(every=config.save_every, minutes=config.save_minutes, progress=progress),
        TellLosses(progress),
        StopOnRequest(progress, places.stop_file),
    ]
    seconds = parse_duration(config.deadline) if config.deadline is not None else None
    ends = ends_of_a_run(
        target=target, seconds=seconds, began=began, copies=copies, progress=progress
    )
    return [*found, *ends]


def resolve_options(
    config: MaskConfig, state: Mapping[str, Any] | None, *, face_type: FaceType
) -> tuple[MaskConfig, XSegOptions, list[str]]:
    """The config with its `--set` entries applied, and the network's options.

    The third are sentences about settings that a roll-back has overruled.

    Raises:
        ConfigError: An option is unknown or out of range.
        ModelError: The model on disk is of another kind or structure, or is trained already and
            pretraining was asked for.
    """
    fixed = ("set", "model", "action", "side")
    config, settings = with_assignments(config, config.set, fixed=fixed)
    theirs, overruled = settings_after_roll_backs(settings, state)
    asked: dict[str, object] = {**theirs, "pretrain": config.pretrain}
    if config.batch is not None:
        asked["batch_size"] = config.batch
    name = config.model
    if state is None:
        return config, xseg_options({"face_type": face_type, **asked}), overruled
    if state["architecture"] != "xseg":
        raise ModelError(
            f"{name} is a {state['architecture']} model, which swaps faces; give the masks a model "
            "of their own with another --model name."
        )
    if config.pretrain and not state["pretraining"]:
        raise ModelError(
            f"{name} is already trained on labels (iteration {state['iteration']}); pretrain a new "
            "model under another --model name."
        )
    present = xseg_options(state["options"], source=name)
    options = xseg_options({**state["options"], **asked}, source=name)
    for key, have in present.structure.items():
        if options.structure[key] != have:
            raise ModelError(
                f"{name} was made with {key} = {to_plain(have)} and cannot go on with {key} = "
                f"{to_plain(options.structure[key])}; leave that option out, or make a new model "
                "under another --model name."
            )
    return config, options, overruled


def _report(
    config: MaskConfig,
    options: XSegOptions,
    places: Places,
    checkpoint: Checkpoint,
    notes: list[str],
    began: float,
    precision: str,
    loop: TrainingLoop | None,
    done_before: int,
) -> MaskTrainReport:
    state = checkpoint.state()
    history = read_losses(places.model_dir / state["loss_history"]["file"])
    recent = history[: checkpoint.iteration, 0][-_RECENT:]
    known = recent[np.isfinite(recent)]
    faces = state["faces"].get("masks", {"training": 0, "held_out": 0})
    return MaskTrainReport(
        model=config.model,
        iteration=checkpoint.iteration,
        iterations_done=checkpoint.iteration - done_before,
        loss=float(known.mean()) if len(known) else None,
        held_out=state.get("held_out"),
        iterations_per_second=loop.iterations_per_second if loop else 0.0,
        seconds=time.monotonic() - began,
        stopped_because=loop.stopped_because if loop else "target_iter",
        resumed_from=done_before or None,
        pretraining=options.pretrain,
        verdict=str(state.get(STATE_KEY, {}).get("verdict", "")),
        precision=precision,
        batch_size=options.batch_size,
        faces=int(faces["training"]),
        held_out_faces=int(faces["held_out"]),
        options=to_plain(options),
        checkpoint=checkpoint.folder,
        problems=tuple(notes),
    )
