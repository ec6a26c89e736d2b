"""From facesets and options to a trained model: what `train` and `pretrain` share."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dflcolab.config import to_plain
from dflcolab.engine.checkpoint import Checkpoint, latest_checkpoint
from dflcolab.engine.gpu_trial import try_gpus
from dflcolab.engine.loss_history import losses_name, read_losses
from dflcolab.engine.model_lock import training_alone
from dflcolab.engine.precision import choose_precision, prepare_device
from dflcolab.errors import Interrupted, ModelError
from dflcolab.faces.face_type import FaceType
from dflcolab.faceset.faceset import Faceset
from dflcolab.faceset.held_out import HeldOutChoice
from dflcolab.faceset.stretch_names import stretch_names
from dflcolab.faceset.stretches import Split, frame_of
from dflcolab.models.kinds import SwapModelOptions, swap_options_of
from dflcolab.models.presets import FAST_ON_CPU, PRESETS
from dflcolab.progress import Progress
from dflcolab.sync.copy_state import CopyState
from dflcolab.training.callbacks import (
    PreviewOnSchedule,
    SaveOnSchedule,
    StopOnRequest,
    TellLosses,
    ends_of_a_run,
)
from dflcolab.training.color_match import transfers_colors
from dflcolab.training.config import TrainConfig, parse_duration, with_settings
from dflcolab.training.dataset import TrainingFaces, prepare_faces
from dflcolab.training.devices import open_devices
from dflcolab.training.holding_out import choice_of, hold_out, saved_choices
from dflcolab.training.missing_masks import missing_masks
from dflcolab.training.planning import plan_step
from dflcolab.training.rollback import RollBack, settings_after_roll_backs
from dflcolab.training.run_record import run_facts
from dflcolab.training.session import Session, SideFaces
from dflcolab.training.tensorboard import TensorBoardLog
from dflcolab.training.trainer import Callback, Copies, TrainingLoop
from dflcolab.training.watching import Watch, WatchSettings
from dflcolab.watch.schedule import (
    NAMES,
    Phase,
    ScheduleSettings,
    ScheduleState,
    phase_of,
    switch_by_hand,
)
from dflcolab.watch.state import STATE_KEY

_RECENT = 100


@dataclass(frozen=True)
class TrainReport:
    """What a run did.

    Attributes:
        model: Name of the model.
        iteration: Finished iterations, over all runs.
        iterations_done: Of these, in this run.
        losses: Mean training losses of the last 100 iterations, `src` and `dst`.
        held_out_losses: Losses on the faces kept out of training, unwarped; None without any.
        held_out_intervals: Between which two values the loss of all such faces probably lies (90 %),
            by side; nothing of a side where that is not known, None without held-out faces.
        iterations_per_second: In this run, compilation not counted; 0 when nothing was left to do.
        seconds: Length of this run.
        stopped_because: `target_iter`, `deadline`, `stop_file`, `button`, or by the watch `plateau`
            or `overfit`.
        resumed_from: Iteration at which this run began; None for a new model.
        pretraining: True for a pretraining run.
        phase: Phase of the schedule at the end (see `docs/watch.md`).
        verdict: What the watch says at the end; empty if it has not looked yet.
        precision: Type the networks computed in.
        batch_size: Faces per side and step.
        faces: Training faces by side.
        held_out_faces: Held-out faces by side.
        options: The model's options.
        checkpoint: Folder of the last checkpoint; None for workers beside the first one.
        problems: Sentences about faces or checkpoints that could not be used.
        copy: The newest copy on the remote, and how far it is proven; None without a remote.
    """

    model: str
    iteration: int
    iterations_done: int
    losses: dict[str, float] | None
    held_out_losses: dict[str, float] | None
    held_out_intervals: dict[str, list[float]] | None
    iterations_per_second: float
    seconds: float
    stopped_because: str
    resumed_from: int | None
    pretraining: bool
    phase: str
    verdict: str
    precision: str
    batch_size: int
    faces: dict[str, int]
    held_out_faces: dict[str, int]
    options: dict[str, Any]
    checkpoint: Path | None
    problems: tuple[str, ...]
    copy: CopyState | None = None

    def summary(self) -> str:
        """The report in a few lines."""
        first = (
            f"{self.model}: {self.iterations_done} iterations in {self.seconds:.0f} s "
            f"({self.iterations_per_second:.2f} per second), now at {self.iteration}; "
            f"ended because of {self.stopped_because}."
        )
        lines = [first]
        if self.losses:
            lines.append("Losses: src {src:.4f}, dst {dst:.4f}.".format(**self.losses))
        if self.held_out_losses:
            ends = self.held_out_intervals or {}
            said = [
                f"{side} {loss:.4f}"
                + ("" if side not in ends else f" ({ends[side][0]:.4f} to {ends[side][1]:.4f})")
                for side, loss in self.held_out_losses.items()
            ]
            lines.append(f"Held-out: {', '.join(said)}.")
        if self.verdict:
            lines.append(f"The watch: {self.verdict}.")
        if self.copy:
            lines.append(self.copy.sentence())
        return "\n".join([*lines, *self.problems])


@dataclass(frozen=True)
class Places:
    """Where a run reads and writes.

    Attributes:
        model_dir: Checkpoints and loss history.
        history_dir: Preview pictures.
        stop_file: A file that ends the run when it appears.
        cache_dir: Room for a large decoded faceset.
    """

    model_dir: Path
    history_dir: Path
    stop_file: Path
    cache_dir: Path


def run_training(
    config: TrainConfig,
    places: Places,
    facesets: Mapping[str, Faceset],
    *,
    face_type: FaceType,
    pretrain: bool,
    progress: Progress,
    problems: Sequence[str] = (),
    copies: Copies | None = None,
) -> TrainReport:
    """Make or resume a model and train it until the config, the user or the clock says stop.

    Args:
        config: How to train.
        places: Where to read and write.
        facesets: `src` and `dst`; the same one twice for pretraining.
        face_type: Extent of a new model's faces where the options do not say.
        pretrain: Pretraining instead of training; a pretrained model that is trained leaves
            pretraining for good.
        progress: Shows the work and carries the wish to stop.
        problems: Sentences from earlier steps for the report.
        copies: Copies checkpoints elsewhere meanwhile.

    Raises:
        ConfigError: An option is unknown or out of range.
        ModelError: The options do not fit the model on disk, or training diverged.
        FacesetError: The faces cannot be used.
        StorageError: The disk is full.
        Interrupted: The user asked to stop; everything is saved.
    """
    config, settings = with_settings(config)
    # Workers beside the first one write nothing, and may share its folder.
    writes = config.worker == 0
    with training_alone(places.model_dir) if writes else contextlib.nullcontext():
        return _run_alone(
            config,
            settings,
            places,
            facesets,
            face_type,
            pretrain,
            progress,
            list(problems),
            copies,
        )


def _run_alone(
    config: TrainConfig,
    settings: Mapping[str, str],
    places: Places,
    facesets: Mapping[str, Faceset],
    face_type: FaceType,
    pretrain: bool,
    progress: Progress,
    notes: list[str],
    copies: Copies | None,
) -> TrainReport:
    """`run_training` while no other process trains the model."""
    began = time.monotonic()

    def note(text: str) -> None:
        notes.append(text)
        progress.message(text)

    checkpoint = latest_checkpoint(places.model_dir, on_problem=note)
    state = checkpoint.state() if checkpoint else None
    settings, overruled = settings_after_roll_backs(settings, state)
    options = resolve_options(
        config, settings, state, face_type=face_type, pretrain=pretrain, name=config.model
    )
    schedule = schedule_of(config)
    options = in_phase(options, config.phase, schedule)
    leaves = bool(state and state["pretraining"] and not pretrain)
    target = config.target_iter or options.target_iter or None
    done = 0 if checkpoint is None or leaves else checkpoint.iteration
    precision = choose_precision(config.precision, half_on_cpu=config.preset in FAST_ON_CPU)
    if checkpoint and not leaves and target is not None and done >= target:
        return _report(config, options, places, checkpoint, notes, began, precision, None, done)

    for text in overruled:
        note(text)
    if not options.pretrain and (unmasked := missing_masks(options, facesets)):
        note(unmasked)
    prepare_device()
    if len(config.hosts) > 1:
        progress.message(f"Waiting for all {len(config.hosts)} workers.")
    devices = open_devices(
        config.devices, hosts=config.hosts, worker=config.worker, across=config.across_devices
    )
    unsupported = try_gpus().problem
    if unsupported:
        raise ModelError(unsupported)
    options, plan = plan_step(
        config,
        options,
        state,
        precision,
        devices,
        note,
        iterations=None if target is None else target - done,
        progress=progress,
    )
    sides: dict[str, SideFaces] = {}
    choices: dict[str, HeldOutChoice] = {}
    for side in _distinct(facesets):
        known = choice_of(state, side, leaves_pretraining=leaves)
        trained = state is not None and (known is not None or not leaves)
        choices[side], split = hold_out(
            facesets[side], side, config.holdout_share, known, trained=trained, note=note
        )
        loaded = _side_faces(facesets[side], options, split, side, places, progress, notes)
        called = stretch_names(facesets[side], split, choices[side].stretches)
        sides[side] = dataclasses.replace(loaded, stretch_names=called)
    choices.setdefault("dst", choices["src"])
    src, dst = sides["src"], sides.get("dst", sides["src"])
    seed = int(state["seed"]) if state else config.seed
    session = Session(
        places.model_dir,
        options,
        src,
        dst,
        seed=seed,
        precision=precision,
        plan=plan,
        devices=devices,
        note=note,
    )
    session.also_saved |= saved_choices(choices)
    board = _board(config, places) if devices.is_chief else None
    watch = Watch(
        session,
        WatchSettings(
            stop_on=config.stop_on,
            look_every=config.look_every,
            schedule=schedule if config.schedule == "auto" else None,
            phase=config.phase,
            by_hand=schedule,
        ),
        progress,
        board=board,
    )
    shown = [watch] if board is None else [board, watch]
    loop = TrainingLoop(
        session,
        _callbacks(config, places, progress, target, began, copies, shown, devices.is_chief),
        keep=config.keep,
        read_every=config.read_every,
        in_use=lambda: {*watch.in_use(), *(copies.in_use() if copies else ())},
        roll_back=RollBack(watch.event, rolled_back=watch.rolled_back),
    )
    with devices.watching_workers(lambda: _last_good(places.model_dir)):
        devices.refuse_differences(_facts(config, session, checkpoint, target, src, dst))
        _start(session, checkpoint, leaves=leaves, note=note, progress=progress)
        facts = run_facts(session, config, target=target, resumed_from=done or None)
        by_hand = not set(NAMES).isdisjoint(settings)
        watch.begin(facts, None if leaves else checkpoint, by_hand=by_hand)
        loop.stopped_because = watch.stopped_because
        if not loop.stopped_because:
            with contextlib.closing(board) if board else contextlib.nullcontext():
                loop.run(progress, target=target)
        devices.meet()
    if loop.stopped_because == "interrupted":
        raise Interrupted(
            f"Stopped at iteration {session.iteration} and saved; "
            "run the same command again to go on."
        )
    saved = loop.checkpoint or checkpoint
    if not devices.is_chief:
        saved = None
        note("The first worker has the losses and the checkpoint.")
    return _report(config, session.options, places, saved, notes, began, precision, loop, done)


def _start(
    session: Session,
    checkpoint: Checkpoint | None,
    *,
    leaves: bool,
    note: Callable[[str], None],
    progress: Progress,
) -> None:
    """A new model, or the one that a checkpoint holds."""
    if checkpoint is None:
        session.start_new()
    elif leaves:
        session.leave_pretraining(checkpoint, note=note)
        name = session.model_dir.name
        progress.message(f"{name} leaves pretraining and starts at iteration 0.")
    else:
        session.restore(checkpoint, note=note)


def _facts(
    config: TrainConfig,
    session: Session,
    checkpoint: Checkpoint | None,
    target: int | None,
    *sides: SideFaces,
) -> dict[str, object]:
    """What all workers must have alike, by the words for it."""
    settings = [config.across_devices, config.read_every, target, session.precision, session.seed]
    at_once = session.plan.micro_batch
    return {
        "options": [to_plain(session.options), settings, at_once],
        "faces": [side.training.names for side in sides],
        "checkpoints": checkpoint and [checkpoint.iteration, dict(checkpoint.parts)],
    }


def _last_good(model_dir: Path) -> str:
    checkpoint = latest_checkpoint(model_dir)
    return checkpoint.folder.name if checkpoint else "none yet"


def resolve_options(
    config: TrainConfig,
    settings: Mapping[str, str],
    state: Mapping[str, Any] | None,
    *,
    face_type: FaceType,
    pretrain: bool,
    name: str,
) -> SwapModelOptions:
    """The options of this run: what the user set, else what the model has, else the preset's.

    Raises:
        ConfigError: An option is unknown or out of range.
        ModelError: The user wants another kind or structure than the model on disk has, or to
            pretrain a model that is already trained, or a kind that cannot be pretrained.
    """
    arch = state["architecture"] if state else config.arch or "saehd"
    if config.arch not in (None, arch):
        raise ModelError(
            f"{name} is a {arch} model; leave out --arch {config.arch}, or make a new model under "
            "another --model name."
        )
    if arch == "quick96" and pretrain:
        raise ModelError("Quick96 knows no pretraining; pretrain a saehd or amp model.")
    presets = PRESETS.get(arch, {})
    preset = presets[config.preset] if config.preset else {}
    batch = {} if isinstance(config.batch, str) else {"batch_size": config.batch}
    phase = {} if arch == "quick96" else {"pretrain": pretrain}
    if state is None:
        faces = {} if arch == "quick96" else {"face_type": face_type}
        start = {**faces, **(preset or presets["standard"])}
        return swap_options_of(arch, {**start, **settings, **batch, **phase})
    if pretrain and not state["pretraining"]:
        raise ModelError(
            f"{name} is already trained on src and dst (iteration {state['iteration']}); "
            "pretrain a new model under another --model name."
        )
    stored = dict(state["options"])
    present = swap_options_of(arch, stored, source=name)
    options = swap_options_of(arch, {**stored, **settings, **batch, **phase}, source=name)
    asked = swap_options_of(arch, {**stored, **preset, **settings})
    for key in present.structure_names:
        if asked.structure[key] != present.structure[key]:
            have, want = to_plain(present.structure[key]), to_plain(asked.structure[key])
            raise ModelError(
                f"{name} was made with {key} = {have} and cannot go on with {key} = {want}; "
                "leave that option out, or make a new model under another --model name."
            )
    return options


def _side_faces(
    faceset: Faceset,
    options: SwapModelOptions,
    split: Split,
    side: str,
    places: Places,
    progress: Progress,
    notes: list[str],
) -> SideFaces:
    """Decode one side, its held-out part apart."""

    def prepare(indices: Sequence[int], title: str, *, colors: bool = False) -> TrainingFaces:
        return prepare_faces(
            faceset,
            indices,
            face_type=options.face_type,
            resolution=options.resolution,
            title=title,
            progress=progress,
            cache_dir=places.cache_dir,
            problems=notes,
            colors=colors,
        )

    stretch_of = dict(zip(faceset.names, split.stretch, strict=True))

    def stretches(faces: TrainingFaces | None) -> npt.NDArray[np.int64]:
        names = () if faces is None else faces.names
        return np.array([stretch_of[name] for name in names], np.int64)

    training = prepare(split.training, f"Loading {side} faces", colors=transfers_colors(options))
    frames = [frame_of(key) for key in faceset.frame_keys]
    # In the order of their frames, however the files are sorted: neighbours are looked at together.
    kept_out = sorted(split.held_out, key=lambda index: frames[index])
    held_out = prepare(kept_out, f"Loading held-out {side} faces") if kept_out else None
    return SideFaces(training, held_out, stretches(training), stretches(held_out))


def schedule_of(config: TrainConfig) -> ScheduleSettings:
    """Lengths of the schedule's phases, as the command gives them."""
    shortest = {
        Phase.WARP: config.phase_iterations,
        Phase.LR_DROPOUT: config.phase_iterations // 2,
        Phase.NO_WARP: config.phase_iterations // 2,
        Phase.GAN: config.phase_iterations // 2,
    }
    return ScheduleSettings(shortest=shortest, gan_power=config.schedule_gan)


def in_phase(
    options: SwapModelOptions, phase: str | None, schedule: ScheduleSettings
) -> SwapModelOptions:
    """The options in the phase that the user asks for; as they are without one.

    Raises:
        ConfigError: The model has no such phases.
    """
    now = phase_of(to_plain(options))
    if phase is None or now is Phase(phase):
        return options
    switch = switch_by_hand(ScheduleState(now, 0), Phase(phase), schedule)
    return dataclasses.replace(options, **switch.options)


def _board(config: TrainConfig, places: Places) -> TensorBoardLog | None:
    """What writes for TensorBoard, if that was asked for."""
    if not config.tensorboard:
        return None
    folder = places.history_dir
    return TensorBoardLog(
        folder / "tensorboard", previews=folder, preview_every=config.preview_every
    )


def _distinct(facesets: Mapping[str, Faceset]) -> list[str]:
    """Sides to decode: one when both are the same faceset."""
    return ["src"] if facesets["src"] is facesets["dst"] else ["src", "dst"]


def _callbacks(
    config: TrainConfig,
    places: Places,
    progress: Progress,
    target: int | None,
    began: float,
    copies: Copies | None,
    shown: Sequence[Callback],
    writes: bool,
) -> list[Callback]:
    callbacks: list[Callback] = [*shown, StopOnRequest(progress, places.stop_file)]
    if writes:
        # The watch before saves: what is saved holds the look at its iteration.
        preview = PreviewOnSchedule(
            places.history_dir, every=config.preview_every, progress=progress
        )
        save = SaveOnSchedule(
            every=config.save_every, minutes=config.save_minutes, progress=progress
        )
        tell = TellLosses(progress)
        callbacks = [preview, *shown, save, tell, StopOnRequest(progress, places.stop_file)]
    seconds = parse_duration(config.deadline) if config.deadline is not None else None
    ends = ends_of_a_run(
        target=target, seconds=seconds, began=began, copies=copies, progress=progress
    )
    return [*callbacks, *ends]


def _report(
    config: TrainConfig,
    options: SwapModelOptions,
    places: Places,
    checkpoint: Checkpoint | None,
    notes: list[str],
    began: float,
    precision: str,
    loop: TrainingLoop | None,
    done_before: int,
) -> TrainReport:
    if checkpoint is not None:
        iteration, state = checkpoint.iteration, checkpoint.state()
    else:
        assert loop is not None
        assert isinstance(loop.session, Session)
        iteration = loop.session.iteration
        state: dict[str, Any] = {"faces": loop.session.face_counts()}
    recent = read_losses(places.model_dir / losses_name(pretraining=options.pretrain))[-_RECENT:]
    known = recent[np.isfinite(recent).all(axis=1)] if len(recent) else recent
    means = known.mean(axis=0) if len(known) else None
    return TrainReport(
        model=config.model,
        iteration=iteration,
        iterations_done=iteration - done_before,
        losses=None if means is None else {"src": float(means[0]), "dst": float(means[1])},
        held_out_losses=state.get("held_out"),
        held_out_intervals=state.get("held_out_intervals"),
        iterations_per_second=loop.iterations_per_second if loop else 0.0,
        seconds=time.monotonic() - began,
        stopped_because=loop.stopped_because if loop else "target_iter",
        resumed_from=done_before or None,
        pretraining=options.pretrain,
        phase=str(phase_of(to_plain(options))),
        verdict=str(state.get(STATE_KEY, {}).get("verdict", "")),
        precision=precision,
        batch_size=options.batch_size,
        faces={side: int(n["training"]) for side, n in state["faces"].items()},
        held_out_faces={side: int(n["held_out"]) for side, n in state["faces"].items()},
        options=to_plain(options),
        checkpoint=checkpoint and checkpoint.folder,
        problems=tuple(notes),
    )
