"""How a run steps on this machine: batch, parts and compiler, as the checkpoint says or measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dflcolab.backend import tf
from dflcolab.config import updated
from dflcolab.engine.precision import Precision
from dflcolab.errors import ConfigError, ModelError
from dflcolab.models.kinds import SwapModelOptions
from dflcolab.progress import Progress
from dflcolab.training.batch_size import choose_batch, largest_batch
from dflcolab.training.compiler import TRIAL_SECONDS, try_compiler, wants_trial
from dflcolab.training.config import TrainConfig, parse_duration
from dflcolab.training.devices import Devices
from dflcolab.training.step_plan import (
    StepPlan,
    Verdict,
    device_name,
    stored_plan,
    stored_trials,
    trial_key,
)
from dflcolab.training.trial import memory_limit
from dflcolab.training.trial_process import TrialFailed, TrialProcess


def plan_step(
    config: TrainConfig,
    options: SwapModelOptions,
    state: Mapping[str, Any] | None,
    precision: Precision,
    devices: Devices,
    note: Callable[[str], None],
    *,
    iterations: int | None = None,
    progress: Progress | None = None,
) -> tuple[SwapModelOptions, StepPlan]:
    """Batch, parts and compiler for these devices.

    One device is measured, with the faces that each of them will take, in a process of its own.

    Args:
        config: What the user wants.
        options: The model; its batch is replaced where it was measured, or cannot be shared evenly.
        state: Of the checkpoint that training goes on from.
        precision: Type the networks compute in.
        devices: What the run trains on.
        note: Gets a sentence about each choice.
        iterations: How many lie ahead; None = nobody knows.
        progress: Carries the wish to stop.

    Raises:
        ConfigError: The batch does not fall into that many parts.
        ModelError: Not even one face at a time fits into memory.
        Interrupted: Somebody asked to stop while something was measured.
    """
    before = stored_plan(state, devices.count)
    batch_note = before.batch_note if before else ""
    with TrialProcess(options, precision, progress or Progress()) as process:
        if config.batch == "auto" and not batch_note:
            options, batch_note = _measured_batch(process, options, devices, note)
        options = _shared_evenly(options, devices, note)
        batch, each = options.batch_size, options.batch_size // devices.count
        micro = before.micro_batch if before and before.batch == batch else each
        if isinstance(config.accumulate, int):
            if each % config.accumulate:
                whole = (
                    f"the batch of {batch}" if devices.count == 1 else f"a device's {each} faces"
                )
                raise ConfigError(
                    f"accumulate = {config.accumulate} does not divide {whole}; give a number "
                    "that does."
                )
            micro = each // config.accumulate
        trials = stored_trials(state)
        compiler = "" if config.xla == "off" else trial_key(precision, each)
        if compiler and devices.count > 1:
            compiler = ""
            if config.xla == "on":
                note("XLA is left out: it compiles the steps of a single device only.")
        if compiler and compiler not in trials:
            if wants_trial(config.xla, iterations=iterations, seconds=_seconds_ahead(config)):
                trials[compiler] = _tried(process, micro, note)
            else:
                compiler = ""
    plan = StepPlan(
        device_name(), batch, micro, batch_note, devices.count, compiler=compiler, trials=trials
    )
    return options, plan


def _measured_batch(
    process: TrialProcess,
    options: SwapModelOptions,
    devices: Devices,
    note: Callable[[str], None],
) -> tuple[SwapModelOptions, str]:
    """The options with the batch that suits a device best, and what was measured."""
    largest = largest_batch(options.resolution, options.batch_size, on_gpu=device_name() != "CPU")
    try:
        best, batch_note = choose_batch(process.measure, largest, memory_limit())
    except tf.errors.ResourceExhaustedError as error:
        raise ModelError(
            "This model does not fit into memory, even with one face at a time; take a lower "
            "resolution, smaller dims or a smaller preset."
        ) from error
    except TrialFailed as error:
        note(f"The batch cannot be measured ({error}); it stays at {options.batch_size}.")
        return options, ""
    if devices.count > 1:
        batch_note += f" Each of {devices.count} devices takes that many."
    note(batch_note)
    return updated(options, {"batch_size": str(best * devices.count)}), batch_note


def _tried(process: TrialProcess, batch: int, note: Callable[[str], None]) -> Verdict:
    """Try XLA, and tell before and after."""
    note(
        f"XLA is tried once for this model on this {device_name()}; that takes "
        f"{TRIAL_SECONDS / 60:.0f} minutes at most."
    )
    verdict = try_compiler(
        lambda size, jit, within: process.measure(size, jit, within=within), batch
    )
    note(verdict.note)
    return verdict


def _seconds_ahead(config: TrainConfig) -> float | None:
    return None if config.deadline is None else parse_duration(config.deadline)


def _shared_evenly(
    options: SwapModelOptions, devices: Devices, note: Callable[[str], None]
) -> SwapModelOptions:
    """The options with a batch that all devices share evenly."""
    size = devices.batch_size(options.batch_size)
    if size == options.batch_size:
        return options
    note(f"A batch has {size} faces instead of {options.batch_size}: {devices.count} share it.")
    return updated(options, {"batch_size": str(size)})
